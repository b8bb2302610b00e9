"""Several models over one archive: a row for each picture and model, and each file decoded once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from small_detector import save_small_detector

from lightdet.cli.app import main
from lightdet.runs.archive import judging
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
