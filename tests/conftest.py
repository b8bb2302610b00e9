"""What all tests share."""

import os
import signal
import threading
from collections.abc import Generator, Iterator
from typing import Any

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


MOST_SECONDS = 20.0
"""Processor time of a quick test, or of what its fixtures make; those above are listed at the end."""


def processor_seconds() -> float:
    """Of this process and of its ended children: unlike the clock's, hardly longer on a busy machine."""
    return sum(os.times()[:4])


@pytest.hookimpl(tryfirst=True)  # before the tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()) and item.get_closest_marker("smoke") is None:
            item.add_marker("browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    before = processor_seconds()
    try:
        return (yield)
    finally:
        item.user_properties.append(("setup", processor_seconds() - before))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    before = processor_seconds()
    try:
        return (yield)
    finally:
        item.user_properties.append(("call", processor_seconds() - before))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, ()) if r.when == "call"]
    spent = [
        (*kept, report.nodeid) for report in reports if "slow" not in report.keywords for kept in report.user_properties
    ]
    slow = sorted((each for each in spent if each[1] > MOST_SECONDS), key=lambda each: -each[1])
    if slow:
        terminalreporter.section(f"more than {MOST_SECONDS:g} s of processor time: make quicker, or mark slow")
        for what, seconds, name in slow:
            terminalreporter.line(f"{seconds:6.1f} s {what:5} {name}")


@pytest.fixture(autouse=True)
def _hear_ctrl_c() -> Iterator[None]:
    """Give each test Python's own handling of Ctrl-C: one that ignores it would reach its neighbours and children."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield


@pytest.fixture(scope="session")
def s3_here() -> Iterator[Any]:
    """As `s3`, for fixtures of more than one test; use a prefix per test."""
    from s3_server import s3_server

    with s3_server() as system:
        yield system


@pytest.fixture
def s3(s3_here: Any) -> Any:
    """fsspec's file system on an S3 server of this process, with the bucket ``lake``, empty in each test."""
    if s3_here.ls("lake", refresh=True):
        s3_here.rm("lake/*", recursive=True)
    return s3_here


@pytest.fixture(scope="module")
def few_resamples() -> Iterator[None]:
    """The intervals' bootstrap is most of a small validation's time; tests/classification holds its numbers."""
    from lightdet.classification import intervals

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "RESAMPLES", 20)
        yield


@pytest.fixture(scope="session")
def _traced_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For tests that export: see `traced_once`."""
    from traced_once import traced_once

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "traced"
    folder.mkdir(exist_ok=True)
    with traced_once(folder):
        yield
