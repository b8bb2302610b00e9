"""What all tests share."""

import os

from hypothesis import HealthCheck, settings

# Read when torch is imported, by the tests that need it: small tensors gain nothing from more threads, and on a
# busy machine the threads of several runs wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

# Hypothesis times its examples; on a busy machine that would fail tests for no fault of the code.
settings.register_profile("lightdet", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("lightdet")
