"""Training over two hosts: two network namespaces of this computer, each with an address of its own, and one disk."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from conftest_training import SMALL
from safetensors.torch import load_file
from two_hosts import FIRST, LINK, SECOND, ip

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def launch(host: str, nodes: str, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start torchrun on a host, with a process group of its own."""
    command = ["ip", "netns", "exec", host, sys.executable, "-m", "torch.distributed.run", "--nnodes", nodes]
    command += ["--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"{FIRST}:29400"]
    first = host.startswith("lda")
    conf = f"is_host={int(first)},last_call_timeout=2,join_timeout=120"  # their names are the same, so it is said
    command += ["--rdzv-id", "plant", "--max-restarts", "3", "--rdzv-conf", conf]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": LINK}
    with log.open("wb") as file:
        return subprocess.Popen(
            [*command, "--local-addr", FIRST if first else SECOND, str(REPOSITORY / "tools" / "train.py"), *arguments],
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def lose(process: subprocess.Popen[bytes]) -> None:
    """All processes of a host end at once, as when its power fails."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_all_on(host: str) -> None:
    for pid in ip("netns", "pids", host).stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def rows(folder: Path) -> list[dict[str, str]]:
    path = folder / "results.csv"
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def training(defect_set: Path, folder: Path, epochs: int) -> list[str]:
    flags = ["--data", str(defect_set), "--output", str(folder), "--device", "cpu", "--seed", "3"]
    return [*flags, *SMALL, f"train.epochs={epochs}", "train.freeze_batchnorm=true", "train.probe=false"]


def test_two_hosts_train_the_weights_of_one(hosts: tuple[str, str], defect_set: Path, tmp_path: Path) -> None:
    there = [launch(host, "2", tmp_path / f"{host}.log", *training(defect_set, tmp_path / "two", 2)) for host in hosts]
    try:
        for host, process in zip(hosts, there, strict=True):
            assert process.wait(300) == 0, (tmp_path / f"{host}.log").read_text()
    finally:
        for process in there:
            lose(process)
    alone = [sys.executable, str(REPOSITORY / "tools" / "train.py"), *training(defect_set, tmp_path / "one", 2)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    subprocess.run(alone, check=True, env=environment, capture_output=True)
    one, two = (load_file(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, values in one.items():
        torch.testing.assert_close(two[name], values, rtol=2e-3, atol=2e-4, msg=lambda text, n=name: f"{n}: {text}")


def test_it_goes_on_after_a_host_is_lost(hosts: tuple[str, str], defect_set: Path, tmp_path: Path) -> None:
    folder, epochs = tmp_path / "run", 12
    first, second = (
        launch(host, "1:2", tmp_path / f"{host}.log", *training(defect_set, folder, epochs)) for host in hosts
    )
    log = tmp_path / f"{hosts[0]}.log"
    try:
        deadline = time.monotonic() + 240
        while len(rows(folder)) < 2:
            assert first.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        kill_all_on(hosts[1])
        lose(second)
        assert len(rows(folder)) < epochs, "it had ended before"
        assert first.wait(240) == 0, log.read_text()
    finally:
        lose(first)
    assert [int(row["epoch"]) for row in rows(folder)] == list(range(1, epochs + 1))
    assert f"continuing in {folder} after" in log.read_text()
