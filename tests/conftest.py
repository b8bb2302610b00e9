"""What all tests share."""

from hypothesis import HealthCheck, settings

# Hypothesis times its examples; on a busy machine that would fail tests for no fault of the code.
settings.register_profile("lightdet", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("lightdet")
