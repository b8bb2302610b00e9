"""Models, pictures and data sets by URL give what the same files give here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import lightdet
from lightdet.cli.app import main


@pytest.fixture
def lake(made: Path, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a copy of `made` in a bucket."""
    monkeypatch.setenv("LIGHTDET_CACHE", str(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path)
    for name in ("best.safetensors", "part.png"):
        s3.put_file(made / name, f"lake/made/{name}")
    for path in (made / "set").rglob("*"):
        if path.is_file():
            s3.put_file(path, f"lake/made/set/{path.relative_to(made / 'set').as_posix()}")
    return "s3://lake/made"


def test_a_model_by_url(made: Path, lake: str) -> None:
    here = lightdet.load(made / "best.safetensors")(made / "part.png").to_dict()
    there = lightdet.load(f"{lake}/best.safetensors")(made / "part.png").to_dict()
    assert there["detections"] == here["detections"]
    done = lightdet.detect(f"{lake}/part.png", f"{lake}/best.safetensors", output="found", progress=False)
    assert done.totals.per_class.total() == len(here["detections"]) and Path("found/part.jpg").is_file()


def test_val_and_audit_of_a_data_set_by_url(
    made: Path, lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = f"{lake}/best.safetensors"
    here = lightdet.validate(made / "best.safetensors", made / "set" / "dataset.yaml", output="a", progress=False)
    there = lightdet.validate(model, f"{lake}/set/dataset.yaml", output="b", progress=False)
    assert there.metrics.as_dict() == here.metrics.as_dict()
    written = json.loads(Path("b/metrics.json").read_text())
    assert written["data"]["yaml"] == f"{lake}/set/dataset.yaml" and written["data"]["folder"].startswith(f"{lake}/set")
    assert written["weights"] == model
    assert str(tmp_path / "kept") not in json.dumps([written["data"], written["weights"]])
    shutil.make_archive("set", "zip", made / "set")
    Path("mine.yaml").write_text(
        (made / "mine.yaml").read_text().replace(f"root: {made / 'set'}", f"root: {lake}/set"), encoding="utf-8"
    )
    told = []
    for data in (made / "set" / "dataset.yaml", f"{lake}/set", "set.zip", "mine.yaml"):
        capsys.readouterr()
        assert main(["data", "audit", "--data", str(data), "--examples", "1"]) in (0, 1)
        told.append(capsys.readouterr().out.partition("pictures")[2][:200])
    assert told[0] and len(set(told)) == 1


def test_what_is_not_there_is_told_in_one_line(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    for args in (
        ["detect", f"{lake}/part.png", "--weights", f"{lake}/gone.safetensors"],
        ["val", "--weights", f"{lake}/best.safetensors", "--data", f"{lake}/gone/x.yaml"],
        ["data", "audit", "--data", f"{lake}/gone.zip"],
    ):
        assert main(args) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and f"{lake}/gone" in told
