"""``lightdet archive run``: every picture is in one row, whatever dies, and none is judged twice."""

from __future__ import annotations

import os
import shutil
import threading
import time
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_work import doubling, dying, refusing, stillborn
from PIL import Image
from small_detector import save_small_detector

import lightdet
from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.runs.archive import pool as pool_module
from lightdet.runs.archive import run as run_module
from lightdet.runs.archive.begun import Begun
from lightdet.runs.archive.pool import DeadError, spread
from lightdet.runs.archive.table import Finished, partition_of, parts_of, write_rows

parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra: pip install 'lightdet[archive]'")


def chunks(numbers: range, size: int) -> list[list[int]]:
    return [list(numbers[start : start + size]) for start in range(0, len(numbers), size)]


def test_every_job_is_done_once() -> None:
    done = list(spread(doubling, chunks(range(50), 7), 2))
    assert sorted(chain.from_iterable(jobs for jobs, _ in done)) == list(range(50))
    assert all(result == [2 * job for job in jobs] for jobs, result in done)


def test_batches_are_taken_one_by_one() -> None:
    taken = []

    def batches() -> Any:
        for number in range(20):
            taken.append(number)
            yield [number]

    for done, _ in enumerate(spread(doubling, batches(), 2)):
        assert len(taken) <= done + 3  # what is done, this one, and one for each process


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_a_process_that_dies_costs_only_its_batch(tmp_path: Path) -> None:
    done = list(spread(partial(dying, tmp_path, 7), chunks(range(9), 4), 2))
    assert sorted(chain.from_iterable(jobs for jobs, _ in done)) == list(range(9))
    lost = [jobs for jobs, result in done if isinstance(result, DeadError)]
    assert lost == [[7]]
    assert all(result == [2 * job for job in jobs] for jobs, result in done if jobs != [7])


def test_what_no_process_can_start_with_is_told() -> None:
    with pytest.raises(UserError, match="no such model"):
        list(spread(refusing, [[1]], 2))
    with pytest.raises(UserError, match=r"end before they are ready \(exit code 3\)"):
        list(spread(stillborn, [[1]], 2))


@pytest.mark.parametrize(
    ("source", "place", "by", "partition"),
    [
        ("s3://lake/cam3/2026/11/27/a.png", "cam3/a", None, ""),
        ("s3://lake/cam3/2026/11/27/a.png", "cam3/2026/11/27/a", "day", "day=2026-11-27"),
        ("in/part_20261127T0800.png", "part_20261127T0800", "day", "day=2026-11-27"),
        ("in/120261127.png", "120261127", "day", "day=unknown"),
        ("in/2026-13-01.png", "2026-13-01", "day", "day=unknown"),
        ("s3://lake/cam 3/x/a.png", "cam 3/x/a", "prefix", "prefix=cam_3"),
        ("in/a.png", "a", "prefix", "prefix=_"),
        ("zip://../a.png::b.zip", "../a", "prefix", "prefix=_"),
    ],
)
def test_partitions(source: str, place: str, by: Any, partition: str) -> None:
    assert partition_of(source, place, by, None) == partition


def test_a_file_without_a_day_in_its_name_has_that_of_its_change(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.touch()
    os.utime(path, (1_000_000_000,) * 2)
    assert partition_of("a.png", "a", "day", path) == "day=2001-09-09"


def test_what_is_written_is_known_to_be_there(tmp_path: Path) -> None:
    write_rows(tmp_path, [{"source": f"{n}.png", "model_sha256": "m", "partition": f"day={n % 2}"} for n in range(4)])
    assert len(list(parts_of(tmp_path))) == 2
    finished = Finished(tmp_path)
    assert len(finished) == 4 and finished.has("3.png", "m")
    assert not finished.has("3.png", "other") and not finished.has("4.png", "m")
    (tmp_path / "part-x.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"part-x.parquet: is not a whole file"):
        Finished(tmp_path)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, and with pictures in ``in``, one of which is damaged."""
    folder = tmp_path_factory.mktemp("archive")
    save_small_detector(folder / "m.safetensors", ["scratch", "dent"], bias=0.0)
    random = np.random.default_rng(1)
    for number in range(12):
        path = folder / f"in/{'ab'[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (40, 50, 3), np.uint8)).save(path)
    (folder / "in/a/bad.png").write_bytes(path.read_bytes()[:60])
    return folder


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for path in parts_of(folder) for row in parquet.ParquetFile(path).read().to_pylist()]


def archive(pictures: Path, output: Path, *more: str, processes: int = 1) -> int:
    weights = ["--weights", str(pictures / "m.safetensors")]
    return main(["archive", "run", *more, *weights, "-o", str(output), "-r", "--processes", str(processes), "-b", "3"])


def test_rows_are_what_the_model_says_and_are_not_computed_again(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pictures / "in", tmp_path / "in")
    assert archive(pictures, tmp_path / "out", str(tmp_path / "in"), "--partition", "prefix") == 0
    assert "13 rows" in capsys.readouterr().out
    assert {path.parent.name for path in parts_of(tmp_path / "out")} == {"prefix=a", "prefix=b"}
    rows = {Path(row["source"]).name: row for row in rows_of(tmp_path / "out")}
    assert len(rows) == 13 and "truncated" in rows["bad.png"]["reason"] and rows["bad.png"]["detections"] is None
    model = lightdet.load(pictures / "m.safetensors")
    for number in (0, 1):
        found = model(tmp_path / f"in/{'ab'[number]}/{number}.png").to_dict()["detections"]
        row = rows[f"{number}.png"]
        assert (row["width"], row["height"], row["reason"]) == (50, 40, None) and len(row["sha256"]) == 64
        assert [each["class"] for each in row["detections"]] == [each["name"] for each in found]
        assert np.allclose([each["score"] for each in row["detections"]], [each["score"] for each in found], atol=1e-3)
    shutil.copy(tmp_path / "in/a/0.png", tmp_path / "in/a/new.png")
    assert archive(pictures, tmp_path / "out", str(tmp_path / "in"), "--partition", "prefix") == 0
    out = capsys.readouterr().out
    assert "1 row in" in out and "13 pictures were there already" in out
    assert sorted(Path(row["source"]).name for row in rows_of(tmp_path / "out")) == sorted([*rows, "new.png"])


def test_the_same_names_from_another_folder_are_refused(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that begins anew with 000001.png each day: the second day would be "there already"."""
    for day in ("mon", "tue"):
        (tmp_path / day).mkdir()
        Image.new("RGB", (50, 40)).save(tmp_path / day / "000001.png")
    for day in ("mon", "tue", "mon"):
        monkeypatch.chdir(tmp_path / day)
        assert archive(pictures, tmp_path / "out", ".") == (2 if day == "tue" else 0)
        told = capsys.readouterr()
        if day == "tue":
            assert told.err.count("\n") == 1 and f"begin in {tmp_path / 'mon'}" in told.err
    assert "1 picture were there" in told.out or "1 picture was there" in told.out
    monkeypatch.chdir(tmp_path / "tue")
    assert archive(pictures, tmp_path / "out", str(tmp_path / "tue")) == 0  # a whole path is a name of its own
    assert len(rows_of(tmp_path / "out")) == 2


def test_a_run_that_fails_before_its_first_row_binds_nothing(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph at all")
    for place in ("wrong", "right"):
        (tmp_path / place).mkdir()
        Image.new("RGB", (50, 40)).save(tmp_path / place / "000001.png")
    monkeypatch.chdir(tmp_path / "wrong")
    assert main(["archive", "run", ".", "-w", str(broken), "-o", str(tmp_path / "out"), "--processes", "1"]) == 2
    monkeypatch.chdir(tmp_path / "right")
    assert archive(pictures, tmp_path / "out", ".") == 0, capsys.readouterr().err
    assert len(rows_of(tmp_path / "out")) == 1
    monkeypatch.chdir(tmp_path / "wrong")
    assert archive(pictures, tmp_path / "out", ".") == 2


def test_addresses_that_differ_in_what_is_not_shown_are_refused(tmp_path: Path) -> None:
    begun = Begun(tmp_path)
    begun.check_address("https://plant/export.zip?day=1&sig=abc&se=2026-11-28")
    begun.check_address("zip://*.png::https://plant/export.zip?day=1&sig=xyz&se=2026-11-29")  # signed anew
    begun.check_address("https://plant/other.zip?day=2")
    begun.save()
    for again in (begun, Begun(tmp_path)):
        with pytest.raises(UserError, match=r"https://plant/export\.zip: was given with other words") as raised:
            again.check_address("https://plant/export.zip?day=2&sig=abc")
        assert "day=2" not in str(raised.value)


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_killed_processes_lose_nothing(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    start = pool_module._Pool._worker

    def noted(self: Any) -> Any:
        started.append(start(self))
        return started[-1]

    monkeypatch.setattr(pool_module._Pool, "_worker", noted)
    killed = threading.Event()

    def kill() -> None:
        while not any(worker.batch for worker in started):
            time.sleep(0.001)
        next(worker for worker in started if worker.batch).process.kill()
        killed.set()

    thread = threading.Thread(target=kill)
    thread.start()
    assert archive(pictures, tmp_path / "out", str(pictures / "in"), processes=2) == 0
    thread.join()
    assert killed.is_set() and len(started) == 3
    names = [Path(row["source"]).name for row in rows_of(tmp_path / "out")]
    assert sorted(names) == sorted([*(f"{n}.png" for n in range(12)), "bad.png"])


def test_an_archive_file_and_what_is_wrong(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.make_archive("parts", "zip", pictures / "in")
    monkeypatch.setattr(run_module, "ROWS", 4)  # written in several files
    assert archive(pictures, Path("out"), "parts.zip") == 0
    rows = rows_of(Path("out"))
    assert len(rows) == 13 and len(list(parts_of(Path("out")))) > 1
    assert {row["source"] for row in rows} >= {"zip://a/0.png::parts.zip", "zip://b/1.png::parts.zip"}
    capsys.readouterr()
    assert main(["archive", "run", "parts.zip", "-w", "gone.safetensors", "-o", "out"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
