"""A comparison whose trainings are spread over two hosts by Ray, one of which is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from comparison_runs import MODELS, QUICK, REPOSITORY, result, small_configs, wait_for_epoch
from two_hosts import FIRST, SECOND, hosts  # noqa: F401 - a fixture

from lightdet.cli.app import main
from lightdet.runs.trainings import read_progress

PORT = 6399
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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_host_is_lost_and_its_training_continues_on_the_other(
    cluster: tuple[str, str, subprocess.Popen[str]], defect_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _, other = cluster
    monkeypatch.chdir(tmp_path)
    small_configs(tmp_path)
    door = str(REPOSITORY / "tools" / "compare.py")
    long = ["--epochs", "10", "train.threads=1", "train.replicas=1", "train.probe=false", "train.validate_every=5"]
    given = ["--data", str(defect_set), *QUICK, *MODELS, *long]
    spread = ["--engine", "ray", "--address", f"{FIRST}:{PORT}", "--together", "2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = on(first, sys.executable, door, "--output", "out", *given, *spread, **pipes)
    both = [tmp_path / "out/models" / name for name in ("near/seed0", "far/seed0")]  # the first two of three
    for folder in both:
        wait_for_epoch(process, folder, 2)
    os.killpg(other.pid, signal.SIGKILL)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert said.count("its computer is lost; it continues on another one") == 1, said
    assert set(result()["models"]) == {"near", "far"}
    assert all(read_progress(folder).done for folder in both)  # type: ignore[union-attr]
    assert main(["compare", "--output", "here", *given]) == 0
    for name in ("near/seed0", "near/seed1", "far/seed0"):
        one, two = (Path(at, "models", name, "results.csv").read_text().splitlines() for at in ("out", "here"))
        assert len(one) == len(two) == 11
        for there, here in zip(one, two, strict=True):  # without minutes and pictures per second
            assert there.split(",")[3:] == here.split(",")[3:]
