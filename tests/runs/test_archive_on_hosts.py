"""An archive judged by two hosts of a Ray cluster, one of which is lost: every picture is in one row."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ray_hosts import ADDRESS, cluster, hosts, on  # noqa: F401 - fixtures
from small_detector import save_small_detector

from lightdet.cli.app import main
from lightdet.runs.archive.table import parts_of

parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra: pip install 'lightdet[archive]'")

PICTURES = 1500


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Few different ones under many names."""
    save_small_detector(tmp_path / "m.safetensors", ["scratch", "dent"], bias=0.0)
    (tmp_path / "in").mkdir()
    random = np.random.default_rng(0)
    for number in range(PICTURES):
        path = tmp_path / f"in/{number}.png"
        if number < 20:
            Image.fromarray(random.integers(0, 255, (64, 64, 3), np.uint8)).save(path)
        else:
            path.hardlink_to(tmp_path / f"in/{number % 20}.png")
    return tmp_path


def works(host: subprocess.Popen[str]) -> bool:
    """Whether an actor on this host has a batch: Ray writes into a process's title what it does."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            here = (place / "ns/net").readlink() == Path(f"/proc/{host.pid}/ns/net").readlink()
            if here and b"_Work.work" in (place / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


def best_scores(output: Path) -> dict[str, float]:
    """By picture; a batch that was lost is done again one by one, and the last digits may differ."""
    rows = [row for path in parts_of(output) for row in parquet.ParquetFile(path).read().to_pylist()]
    assert all(row["reason"] is None for row in rows)
    found = {Path(row["source"]).name: row["score"] for row in rows}
    assert len(rows) == len(found) == PICTURES
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_host_is_lost_and_costs_no_picture(
    cluster: tuple[str, str, subprocess.Popen[str]],  # noqa: F811
    pictures: Path,
) -> None:
    first, _, other = cluster
    given = [
        "archive",
        "run",
        str(pictures / "in"),
        "-w",
        str(pictures / "m.safetensors"),
        "--no-summary",
        "--threads",
        "1",
    ]
    spread = ["--engine", "ray", "--address", ADDRESS, "--processes", "2", "-o", str(pictures / "out")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = on(first, sys.executable, "-m", "lightdet", *given, *spread, **pipes)
    deadline = time.monotonic() + 300
    while not works(other):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.02)
    os.killpg(other.pid, signal.SIGKILL)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0 and f"{PICTURES:,} rows" in said, said
    assert main([*given, "-o", str(pictures / "alone"), "--processes", "1"]) == 0
    assert best_scores(pictures / "out") == pytest.approx(best_scores(pictures / "alone"), abs=1e-3)
