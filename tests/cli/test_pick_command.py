"""``lightdet data pick``: what is listed, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_detector import save_small_detector

from lightdet.cli.app import main
from lightdet.data.synthetic import SyntheticPlan, write_synthetic


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten rendered pictures, five of them labelled; a mirrored copy of a labelled and of an unlabelled one."""
    folder = tmp_path_factory.mktemp("pool")
    write_synthetic(folder / "set", SyntheticPlan(10, 3, 96, val=0.5))
    unlabelled = sorted((folder / "set" / "images" / "val").iterdir())
    labelled = sorted((folder / "set" / "images" / "train").iterdir())
    for source, name in ((labelled[0], "twin_of_labelled"), (unlabelled[0], "twin_of_unlabelled")):
        mirrored = np.ascontiguousarray(cv2.imread(str(source))[:, ::-1])
        cv2.imwrite(str(unlabelled[0].parent / f"{name}.png"), mirrored)
    text = (folder / "set" / "dataset.yaml").read_text()
    (folder / "set" / "labelled.yaml").write_text("".join(s for s in text.splitlines(True) if "val" not in s))
    save_small_detector(folder / "model.safetensors", ["a", "b"], bias=-1.0)
    return folder


def run(pool: Path, *more: str) -> int:
    sources = [str(pool / "set" / "images" / "val"), "--weights", str(pool / "model.safetensors")]
    return main(["data", "pick", *sources, *more])


def test_each_unlabelled_picture_once_and_no_look_alikes(pool: Path, tmp_path: Path) -> None:
    told, listed = tmp_path / "pick.json", tmp_path / "pick.txt"
    labelled = str(pool / "set" / "labelled.yaml")
    assert run(pool, "--data", labelled, "-n", "50", "--json", str(told), "--output", str(listed)) == 0
    found = json.loads(told.read_text())
    names = [Path(entry["path"]).stem for entry in found["picked"]]
    assert found["pool"] == 7
    assert found["labelled"] == 5
    assert len(set(names)) == len(names) == 5
    assert "twin_of_labelled" not in names
    assert listed.read_text().splitlines() == [entry["path"] for entry in found["picked"]]
    assert "look like" in " ".join(found["notes"])
    assert all(0 <= entry["teaches"] <= 1 for entry in found["picked"])


def test_a_bucket_gives_what_the_same_files_give_here(
    pool: Path, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTDET_CACHE", str(tmp_path / "kept"))
    for path in (pool / "set").rglob("*"):
        if path.is_file():
            s3.put_file(path, f"lake/pick/{path.relative_to(pool / 'set').as_posix()}")
    here, there = tmp_path / "here.json", tmp_path / "there.json"
    assert run(pool, "--data", str(pool / "set" / "labelled.yaml"), "--json", str(here)) == 0
    url = "s3://lake/pick"  # those that are labelled are among the sources here
    given = [url + "/images/**/*.*", "--weights", str(pool / "model.safetensors"), "--data", url + "/labelled.yaml"]
    assert main(["data", "pick", *given, "--json", str(there)]) == 0
    first, second = (json.loads(path.read_text()) for path in (here, there))
    assert second["pool"] == first["pool"] == 7 and second["labelled"] == 5
    assert {entry["path"]: entry["uncertainty"] for entry in second["picked"]} == {
        f"{url}/images/val/{Path(entry['path']).name}": entry["uncertainty"] for entry in first["picked"]
    }


def test_fewer_are_the_first_of_more(pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lists = []
    for count in ("2", "4"):
        assert run(pool, "-n", count) == 0
        lists.append(capsys.readouterr().out.splitlines())
    assert len(lists[0]) == 2
    assert lists[1][:2] == lists[0]


def test_refusals_are_one_line(pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = str(pool / "set" / "dataset.yaml")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    broken = ["data", "pick", str(tmp_path), "--weights", str(pool / "model.safetensors")]
    for arguments, word in (
        (["data", "pick", "--weights", str(pool / "model.safetensors")], "name the unlabelled pictures"),
        (["data", "pick", str(pool / "set" / "images" / "train"), *broken[3:], "--data", whole], "labelled already"),
        (broken, "broken.png"),
        ([*broken, "--on-error", "skip"], "no unlabelled picture can be read"),
    ):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert word in said
        assert len(said.strip().splitlines()) == 1
