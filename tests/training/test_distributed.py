"""Two processes on gloo take the step of one."""

import csv
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import one_step
import pytest
import torch
from conftest_training import SMALL
from safetensors.torch import load_file

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.detector_training import build_trainer, load_training_data
from lightdet.assembly.trainer import RunContext
from lightdet.config import Config, YamlFile, validate
from lightdet.errors import UserError
from lightdet.training.distributed import Processes
from lightdet.training.reporting import SilentReporter

TESTS = Path(__file__).parent
REPOSITORY = TESTS.parents[1]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(TESTS)))}


def launch(processes: int, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    return subprocess.run(
        [*launcher, *arguments], capture_output=True, text=True, env=environment(), check=False, timeout=100
    )


def place(rank: int, port: int) -> dict[str, str]:
    """What torchrun would tell a process of two."""
    told = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    return told | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


@pytest.mark.filterwarnings("ignore:Grad strides do not match")  # slower, and no fault
def test_gradients_of_two_processes_equal_those_of_one(
    defect_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of the two is this one: importing torch takes most of the time."""
    alone, shared = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    step = [sys.executable, str(TESTS / "one_step.py"), str(defect_set), str(shared)]
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(step, env=environment() | place(1, port), **pipes) as second, monkeypatch.context() as patch:
        for name, value in place(0, port).items():
            patch.setenv(name, value)
        one_step.main(str(defect_set), str(shared))
        _, errors = second.communicate(timeout=100)
        assert second.returncode == 0, errors
    one_step.main(str(defect_set), str(alone))
    one, two = load_file(alone), load_file(shared)
    assert one.keys() == two.keys()
    largest = max(float(g.abs().max()) for g in one.values())
    assert largest > 0
    for name in one:
        torch.testing.assert_close(
            two[name], one[name], rtol=1e-3, atol=1e-5 * largest, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.slow
def test_the_command_trains_under_torchrun(defect_set: Path, tmp_path: Path) -> None:
    flags = ["--data", str(defect_set), "--output", str(tmp_path / "run"), "--device", "cpu", *SMALL, "train.epochs=2"]
    done = launch(2, [str(REPOSITORY / "tools" / "train.py"), *flags])
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "run" / "results.csv").read_text().splitlines()))
    assert len(rows) == 2
    assert done.stdout.count("best epoch") == 1, "only the first process speaks"


def test_a_batch_that_cannot_be_shared_is_refused(defect_set: Path, tmp_path: Path) -> None:
    config = validate(Config, YamlFile({}), [*SMALL, "train.batch=5"])
    data = load_training_data(config, load_dataset(defect_set))
    with pytest.raises(UserError, match="cannot be shared by 2 processes"):
        build_trainer(
            config,
            data,
            RunContext(
                folder=tmp_path / "run",
                device=torch.device("cpu"),
                processes=Processes(count=2),
                reporter=SilentReporter(),
            ),
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: synchronized batch norm is CUDA's")
def test_batch_norm_is_synchronized_on_cuda(defect_set: Path, tmp_path: Path) -> None:
    flags = ["--data", str(defect_set), "--output", str(tmp_path / "run"), "--device", "cuda", *SMALL]
    done = launch(min(2, torch.cuda.device_count()), [str(REPOSITORY / "tools" / "train.py"), *flags])
    assert done.returncode == 0, done.stderr
