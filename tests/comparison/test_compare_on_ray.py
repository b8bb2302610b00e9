"""A comparison whose trainings are spread over two hosts by Ray, one of which is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from comparison_runs import MODELS, QUICK, REPOSITORY, result, small_configs, wait_for_epoch
from ray_hosts import ADDRESS, cluster, hosts, on  # noqa: F401 - fixtures

from lightdet.cli.app import main
from lightdet.runs.trainings import read_progress


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_host_is_lost_and_its_training_continues_on_the_other(
    cluster: tuple[str, str, subprocess.Popen[str]],  # noqa: F811
    defect_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, _, other = cluster
    monkeypatch.chdir(tmp_path)
    small_configs(tmp_path)
    door = str(REPOSITORY / "tools" / "compare.py")
    long = ["--epochs", "10", "train.threads=1", "train.replicas=1", "train.probe=false", "train.validate_every=5"]
    given = ["--data", str(defect_set), *QUICK, *MODELS, *long]
    spread = ["--engine", "ray", "--address", ADDRESS, "--together", "2"]
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
