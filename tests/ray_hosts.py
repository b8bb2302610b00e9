"""Ray over two hosts: one processor on each, and a token that its members share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from two_hosts import FIRST, SECOND, hosts  # noqa: F401 - a fixture

PORT = 6399
ADDRESS = f"{FIRST}:{PORT}"
AS_ONE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "of-this-test-alone-0123456789abcdef",
}
"""Who has the token belongs to the cluster."""
RAY = [sys.executable, "-m", "ray.scripts.scripts"]


def on(host: str, *words: str, **options: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **AS_ONE}
    return subprocess.Popen(["ip", "netns", "exec", host, *words], env=environment, text=True, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def cluster(hosts: tuple[str, str], tmp_path: Path) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:  # noqa: F811
    """The hosts, with a Ray of one processor on each, and the process of the second."""
    pytest.importorskip("ray", reason="needs pip install 'lightdet[ray]'")
    first, second = hosts
    head = ["--head", f"--node-ip-address={FIRST}", f"--port={PORT}", "--include-dashboard=false"]
    # A socket's path may have some 100 characters.
    folder = Path(f"/tmp/ray-{os.getpid()}")
    common = ["--num-cpus=1", "--block", "--object-store-memory=100000000"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    one = on(first, *RAY, "start", *head, *common, f"--temp-dir={folder}", **quiet)
    deadline = time.monotonic() + 120
    while on(first, *RAY, "health-check", f"--address={FIRST}:{PORT}", **quiet).wait():
        assert one.poll() is None and time.monotonic() < deadline, "Ray does not start"
    other = on(second, *RAY, "start", f"--address={FIRST}:{PORT}", f"--node-ip-address={SECOND}", *common, **quiet)
    yield first, second, other
    for process in (other, one):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
