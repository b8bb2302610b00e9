"""Several models over one archive: a row for each picture and model, and each file decoded once."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from small_detector import save_small_detector

from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.runs.archive import judging
from lightdet.runs.archive import run as run_module
from lightdet.runs.archive.judging import Job, judge, load_model
from lightdet.runs.archive.table import parts_of

parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra: pip install 'lightdet[archive]'")
pytest.importorskip("duckdb", reason="needs the extra: pip install 'lightdet[archive]'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, and three files, one with two pictures and one damaged."""
    folder = tmp_path_factory.mktemp("models")
    save_small_detector(folder / "a.safetensors", ["scratch"], bias=0.0)
    save_small_detector(folder / "b.safetensors", ["dent", "hole"], bias=0.0)
    (folder / "in").mkdir()
    Image.new("RGB", (50, 40), (90, 0, 0)).save(folder / "in/one.png")
    pages = [Image.new("RGB", (50, 40), (0, grey, 0)) for grey in (50, 150)]
    pages[0].save(folder / "in/two.tif", save_all=True, append_images=pages[1:])
    (folder / "in/bad.png").write_bytes((folder / "in/one.png").read_bytes()[:60])
    return folder


def named(row: dict[str, Any]) -> tuple[str, int | None, str]:
    return Path(row["source"]).name, row["page"], row["model"]


EXPECTED = [
    (name, page, f"{model}.safetensors")
    for name, page in (("bad.png", None), ("one.png", None), ("two.tif", 1), ("two.tif", 2))
    for model in "ab"
]


def test_rows_are_those_of_each_model_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [load_model(folder / f"{name}.safetensors", device="cpu") for name in "ab"]
    jobs = [Job(str(path), path) for path in sorted((folder / "in").iterdir())]
    decoded: Counter[str] = Counter()
    read = judging.read_pages

    def counted(*arguments: Any, name: str, **more: Any) -> Any:
        decoded[Path(name).name] += 1
        return read(*arguments, name=name, **more)

    monkeypatch.setattr(judging, "read_pages", counted)
    together = judge(models, jobs)
    assert sorted(map(named, together)) == sorted(EXPECTED)
    assert decoded == {"bad.png": 1, "one.png": 1, "two.tif": 1}
    alone = [row for model in models for row in judge([model], jobs)]
    assert sorted(together, key=named) == sorted(alone, key=named)


@pytest.mark.slow
def test_a_later_model_judges_alone_what_is_there(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*models: str) -> list[dict[str, Any]]:
        weights = [word for model in models for word in ("-w", str(folder / f"{model}.safetensors"))]
        common = ["-o", str(tmp_path / "out"), "--processes", "1", "--no-summary"]
        assert main(["archive", "run", str(folder / "in"), *weights, *common]) == 0
        return [row for path in parts_of(tmp_path / "out") for row in parquet.ParquetFile(path).read().to_pylist()]

    assert sorted(map(named, run("a"))) == sorted(each for each in EXPECTED if each[2].startswith("a"))
    capsys.readouterr()
    both = run("a", "b", "b")
    assert sorted(map(named, both)) == sorted(EXPECTED)
    assert "4 rows in" in capsys.readouterr().out
    assert len({row["model_sha256"] for row in both}) == 2
    assert len(run("b", "a")) == len(both) and "3 pictures were there already" in capsys.readouterr().out


def rows_in(folder: Path) -> list[dict[str, Any]]:
    return [row for path in parts_of(folder) for row in parquet.ParquetFile(path).read().to_pylist()]


def replaced(file: Path, other: Path) -> None:
    shutil.copy(other, file)


def damaged(file: Path, other: Path) -> None:
    file.write_bytes(other.read_bytes()[:1000])


def removed(file: Path, other: Path) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("engine", "when", "change"),
    [
        ("processes", "while sources are found", removed),
        ("processes", "before the first batch", replaced),
        ("processes", "before the first batch", damaged),
        ("processes", "before a later process", replaced),
        ("processes", "before a later process", removed),
        ("ray", "while sources are found", replaced),
        ("ray", "before a later process", damaged),
    ],
)
def test_the_models_are_those_of_the_start_whatever_happens_to_their_files(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    when: str,
    change: Callable[[Path, Path], None],
) -> None:
    files = [Path(shutil.copy(folder / f"{name}.safetensors", tmp_path)) for name in "ab"]
    wanted = {file.name: judging.model_sha256(file) for file in files}
    expand = run_module.expand_sources

    def expanded(*sources: Any, **more: Any) -> Any:
        if when == "while sources are found":
            change(*files)
        return expand(*sources, **more)

    def spread(start: Any, batches: Any, *_: Any, **__: Any) -> Iterator[Any]:
        """An engine that starts anew for each batch, as if a process had died over the one before."""
        for number, jobs in enumerate(batches):
            if when == ("before the first batch", "before a later process", "")[number]:
                change(*files)
            yield jobs, start()(jobs)

    monkeypatch.setattr(run_module, "expand_sources", expanded)
    monkeypatch.setattr(run_module, "spread", spread)
    monkeypatch.setattr(run_module, "on_ray", spread)
    models = [word for file in files for word in ("-w", str(file))]
    common = ["-o", str(tmp_path / "out"), "-b", "2", "--no-summary", "--engine", engine]
    assert main(["archive", "run", str(folder / "in"), *models, *common]) == 0
    rows = rows_in(tmp_path / "out")
    assert sorted(map(named, rows)) == sorted(EXPECTED)
    assert all(row["model_sha256"] == wanted[row["model"]] for row in rows)


def test_a_model_that_cannot_be_loaded_is_named_where_it_lies(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def spread(start: Any, batches: Any, *_: Any, **__: Any) -> Iterator[Any]:
        yield from ((jobs, start()(jobs)) for jobs in batches)

    monkeypatch.setattr(run_module, "spread", spread)
    bad = tmp_path / "a.safetensors"
    bad.write_bytes((folder / "a.safetensors").read_bytes()[:1000])
    assert main(["archive", "run", str(folder / "in"), "-w", str(bad), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"{bad}: " in said


@pytest.mark.parametrize("left", [lambda rows: [], lambda rows: rows[1:], lambda rows: rows[:-1]])
def test_a_picture_without_a_row_of_each_model_is_an_error(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    left: Callable[[Any], Any],
) -> None:
    def spread(start: Any, batches: Any, *_: Any, **__: Any) -> Iterator[Any]:
        for jobs in batches:
            rows = [
                {"source": job.source, "model_sha256": digest, "reason": "so"} for job in jobs for digest in job.models
            ]
            yield jobs, left(rows)

    monkeypatch.setattr(run_module, "spread", spread)
    models = [word for name in "ab" for word in ("-w", str(folder / f"{name}.safetensors"))]
    common = ["-o", str(tmp_path / "out"), "-b", "2", "--no-summary"]
    assert main(["archive", "run", str(folder / "in"), *models, *common]) == 2
    assert "no result" in capsys.readouterr().err
    assert not rows_in(tmp_path / "out")


def test_a_model_file_that_changes_while_it_is_loaded_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lightdet.runs.load as loading

    path = Path(shutil.copy(folder / "a.safetensors", tmp_path))
    load = loading.load

    def then_changed(*arguments: Any, **options: Any) -> Any:
        shutil.copy(folder / "b.safetensors", path)
        return load(*arguments, **options)

    monkeypatch.setattr(loading, "load", then_changed)
    with pytest.raises(UserError, match="changed while it was loaded"):
        load_model(path, device="cpu")
