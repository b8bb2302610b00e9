"""The Ray engine of ``lightdet archive run``, on a Ray of this computer: as the pool, whatever dies."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from archive_work import doubling, dying, refusing, stillborn
from PIL import Image
from s3_server import s3_server
from small_detector import save_small_detector

from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.runs.archive import ray_pool
from lightdet.runs.archive.batches import DeadError
from lightdet.runs.archive.ray_pool import on_ray
from lightdet.runs.archive.table import parts_of
from lightdet.runs.ray_cluster import connected, ray_module

parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra: pip install 'lightdet[archive]'")
pytest.importorskip("duckdb", reason="needs the extra: pip install 'lightdet[archive]'")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("ray", reason="needs the extra: pip install 'lightdet[ray]'")

pytestmark = [
    pytest.mark.slow,  # Ray takes seconds to start, and each actor as many to import torch
    pytest.mark.filterwarnings("ignore"),  # Ray's own
    pytest.mark.skipif(os.name != "posix", reason="kills by signal"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray with two processors, for all tests here; its actors find what the tests import."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("PYTHONPATH", os.pathsep.join(each for each in sys.path if each))
        with connected(ray_module(), None, 2):
            yield


def spread(start: Any, batches: Any) -> list[Any]:
    return list(on_ray(start, batches, 2, None))


def chunks(numbers: range, size: int) -> list[list[int]]:
    return [list(numbers[start : start + size]) for start in range(0, len(numbers), size)]


@pytest.mark.usefixtures("cluster")
def test_every_job_is_done_once() -> None:
    done = spread(doubling, chunks(range(50), 7))
    assert sorted(chain.from_iterable(jobs for jobs, _ in done)) == list(range(50))
    assert all(result == [2 * job for job in jobs] for jobs, result in done)


@pytest.mark.usefixtures("cluster")
def test_an_actor_that_dies_costs_only_its_batch(tmp_path: Path) -> None:
    done = spread(partial(dying, tmp_path, 7), chunks(range(9), 4))
    assert sorted(chain.from_iterable(jobs for jobs, _ in done)) == list(range(9))
    assert [jobs for jobs, result in done if isinstance(result, DeadError)] == [[7]]
    assert all(result == [2 * job for job in jobs] for jobs, result in done if jobs != [7])


@pytest.mark.usefixtures("cluster")
def test_what_no_actor_can_start_with_is_told() -> None:
    with pytest.raises(UserError, match="no such model"):
        spread(refusing, [[1]])
    with pytest.raises(UserError, match="end before they are ready"):
        spread(stillborn, [[1]])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ray")
    save_small_detector(folder / "m.safetensors", ["scratch", "dent"], bias=0.0)
    (folder / "in").mkdir()
    for number in range(12):
        Image.new("RGB", (50, 40), (number, 0, 0)).save(folder / f"in/{number}.png")
    (folder / "in/bad.png").write_bytes((folder / "in/0.png").read_bytes()[:60])
    return folder


def rows_of(output: Path) -> list[dict[str, Any]]:
    rows = [row for path in parts_of(output) for row in parquet.ParquetFile(path).read().to_pylist()]
    return sorted(rows, key=lambda row: row["source"])


def run(pictures: Path, output: Path, *more: str, source: str = "") -> int:
    common = ["--processes", "2", "-b", "3", "--threads", "1", "--no-summary", "-w", str(pictures / "m.safetensors")]
    return main(["archive", "run", source or str(pictures / "in"), "-o", str(output), *common, *more])


@pytest.mark.usefixtures("cluster")
def test_rows_are_those_of_the_pool_and_are_not_computed_again(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pictures, tmp_path / "pool") == run(pictures, tmp_path / "ray", "--engine", "ray") == 0
    assert rows_of(tmp_path / "ray") == rows_of(tmp_path / "pool")
    capsys.readouterr()
    assert run(pictures, tmp_path / "ray", "--engine", "ray") == 0
    assert "13 pictures were there already" in capsys.readouterr().out and len(rows_of(tmp_path / "ray")) == 13


def test_actors_read_a_bucket_themselves(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a Ray of its own, whose actors have the environment that leads to the server."""
    pytest.importorskip("moto", reason="needs an S3 server")
    with s3_server() as system:
        for path in (pictures / "in").iterdir():
            system.pipe_file(f"lake/in/{path.name}", path.read_bytes())
        system.pipe_file("lake/in/odd?.png", path.read_bytes())
        assert run(pictures, tmp_path / "pool", source="s3://lake/in") == 0
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(each for each in sys.path if each))
        ray_module().shutdown()
        assert run(pictures, tmp_path / "ray", "--engine", "ray", source="s3://lake/in") == 0
    assert rows_of(tmp_path / "ray") == rows_of(tmp_path / "pool") and len(rows_of(tmp_path / "ray")) == 14


def test_sigterm_ends_it_after_its_rows_are_written(pictures: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """With a Ray of its own, whose handler of SIGTERM would end this process at once."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(each for each in sys.path if each))
    ray_module().shutdown()
    hear = ray_pool._Actors._hear
    done = 0

    def heard(self: Any, *arguments: Any) -> Any:
        nonlocal done
        for each in hear(self, *arguments):
            done += 1
            if done == 2:
                threading.Timer(0, os.kill, (os.getpid(), signal.SIGTERM)).start()
                time.sleep(0.5)
            yield each

    monkeypatch.setattr(ray_pool._Actors, "_hear", heard)
    assert run(pictures, tmp_path / "out", "--engine", "ray") == 130
    written = rows_of(tmp_path / "out")
    assert 0 < len(written) < 13
    monkeypatch.undo()
    assert run(pictures, tmp_path / "out") == 0
    names = [row["source"] for row in rows_of(tmp_path / "out")]
    assert len(names) == 13 == len(set(names))


def test_no_cluster_is_one_line(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(pictures, tmp_path / "out", "--address", "127.0.0.1:1") == 2
    assert "add --engine ray" in capsys.readouterr().err
