"""Two hosts share a study in PostgreSQL: every trial is run by one of them, and both know the best."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_postgres import Postgres, postgres_tools
from test_tune_command import SPACE, command
from two_hosts import FIRST

REPOSITORY = Path(__file__).resolve().parents[2]
TRIALS = 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def storage(hosts: tuple[str, str]) -> Iterator[str]:
    """A database on the first host."""
    tools = postgres_tools()
    folder = Path(tempfile.mkdtemp(prefix="lightdet-postgres-"))
    cluster = Postgres(folder, tools, inside=("ip", "netns", "exec", hosts[0]), address=FIRST)
    yield cluster.url()
    cluster.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_two_hosts_share_a_study(
    hosts: tuple[str, str],
    storage: str,
    defect_set: Path,
    tmp_path: Path,
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text(SPACE)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    running = []
    for host in hosts:
        words = command(defect_set, space, tmp_path / host, "--trials", TRIALS, "--epochs", 1, "--storage", storage)
        line = ["ip", "netns", "exec", host, sys.executable, "-m", "lightdet", *words, "--study", "shared"]
        running.append(subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    told = [process.communicate(timeout=300)[0].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    done = [{int(path.name) for path in (tmp_path / host / "trials").iterdir()} for host in hosts]
    assert all(done), "one of them had nothing to do"
    assert set(range(TRIALS)) <= done[0] | done[1] and not done[0] & done[1]
    best = [json.loads((tmp_path / host / "tune.json").read_text())["best"]["params"] for host in hosts]
    assert best[0].keys() == best[1].keys()
