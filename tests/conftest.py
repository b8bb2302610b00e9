"""What all tests share."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Read when torch is imported, by the tests that need it: small tensors gain nothing from more threads, and on a
# busy machine the threads of several runs wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
# What a probe measures on a busy machine is chance, and two runs of a test must compute alike.
os.environ.setdefault("LIGHTDET_PROBE", "off")

# Hypothesis times its examples; on a busy machine that would fail tests for no fault of the code.
settings.register_profile("lightdet", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("lightdet")


@pytest.fixture(autouse=True)
def _hear_ctrl_c() -> Iterator[None]:
    """Give each test Python's own handling of Ctrl-C: one that ignores it would reach its neighbours and children."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
