"""``lightdet data prelabel``: what the tools get, what comes back through the readers, what is never replaced."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from small_detector import save_small_detector

import lightdet
from lightdet.assembly.dataset import load_dataset
from lightdet.cli.app import main
from lightdet.data.dataset import read_split
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.errors import UserError
from lightdet.models.weights import load_model, save_model
from lightdet.runs.prelabel import Prelabelled, prelabel
from lightdet.structures import Tiling

CLASSES = ["größe", "a & <b>"]
TOOLS = ("label-studio", "cvat", "labelme")
READERS = Path(__file__).parents[1] / "data" / "formats" / "tools_read.py"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector, and ``pictures`` with a sub-folder and a name that an address must quote."""
    folder = tmp_path_factory.mktemp("prelabel")
    write_synthetic(folder / "set", SyntheticPlan(4, 3, 96, val=0))
    pictures = sorted((folder / "set" / "images" / "train").iterdir())
    (folder / "pictures" / "deep").mkdir(parents=True)
    for source, name in zip(pictures, ("a 1+2 ü#%.png", "b.png", "deep/c.png", "deep/d.png"), strict=True):
        source.rename(folder / "pictures" / name)
    save_small_detector(folder / "model.safetensors", CLASSES, bias=-1.0)
    return folder


def run(home: Path, tool: str, output: Path, *more: str) -> int:
    weights = str(home / "model.safetensors")
    always = ["--format", tool, "--output", str(output), "--weights", weights, "--recursive"]
    return main(["data", "prelabel", str(home / "pictures"), *always, *more])


def output_of(tool: str, folder: Path) -> Path:
    return folder if tool == "labelme" else folder / ("all.xml" if tool == "cvat" else "all.json")


def expected(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """The same detector's answer, asked from Python."""
    model = lightdet.load(home / "model.safetensors")
    found = {}
    for path in sorted((home / "pictures").rglob("*.png")):
        each = model(path)
        rows = zip(each.labels.tolist(), each.boxes.tolist(), strict=True)
        found[path.stem] = sorted((CLASSES[label], *box) for label, box in rows)
    assert any(found.values())
    return found


def agree(found: dict[str, list[tuple[object, ...]]], wanted: dict[str, list[tuple[object, ...]]]) -> None:
    assert found.keys() == wanted.keys()
    for name, rows in found.items():
        left = list(wanted[name])
        for label, *box in rows:  # in any order: what is rounded sorts otherwise
            same = [other for other in left if other[0] == label and np.allclose(box, other[1:], atol=0.01)]
            assert same, (name, label, box)
            left.remove(same[0])
        assert not left


@pytest.mark.parametrize("tool", TOOLS)
def test_what_is_written_comes_back_through_the_reader(home: Path, tool: str, tmp_path: Path) -> None:
    before = {
        path: hashlib.sha256(path.read_bytes()).digest() for path in (home / "pictures").rglob("*") if path.is_file()
    }
    assert run(home, tool, output_of(tool, tmp_path / "out")) == 0
    labels = "." if tool == "labelme" else output_of(tool, tmp_path / "out").name
    extra = "predictions: true\n" if tool == "label-studio" else ""
    (tmp_path / "out" / "data.yaml").write_text(
        f"format: {tool}\nclasses: {json.dumps(CLASSES)}\n{extra}"
        f"splits: {{train: {{images: {json.dumps(str(home / 'pictures'))}, labels: {labels}}}}}\n"
    )
    spec = load_dataset(tmp_path / "out" / "data.yaml")
    read = {}
    for each in read_split(spec, "train")[0]:
        rows = zip(each.labels.tolist(), each.boxes.tolist(), strict=True)
        read[each.image.stem] = sorted((CLASSES[label], *box) for label, box in rows)
    agree(dict(sorted(read.items())), expected(home))
    after = {
        path: hashlib.sha256(path.read_bytes()).digest() for path in (home / "pictures").rglob("*") if path.is_file()
    }
    assert before == after


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tool_itself_reads_it(home: Path, tool: str, tmp_path: Path) -> None:
    python = os.environ.get("LIGHTDET_TOOLS")
    if not python:
        pytest.skip("set LIGHTDET_TOOLS to a Python with labelme, datumaro and label-studio-sdk (make_from_tools.py)")
    place = output_of(tool, tmp_path / "out")
    if tool == "cvat":  # datumaro reads only what has its pictures beside it
        shutil.copytree(home / "pictures", tmp_path / "out" / "images")
    assert run(home, tool, place) == 0
    which = {"label-studio": "label-studio-predictions"}.get(tool, tool)
    done = subprocess.run(
        [python, str(READERS), which, str(place)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout.splitlines()[-1])
    agree({name: sorted(tuple(row) for row in rows) for name, rows in sorted(theirs.items())}, expected(home))


@pytest.mark.parametrize("tool", ["label-studio", "cvat"])
def test_a_bucket_gives_what_the_same_files_give_here(home: Path, tool: str, s3: Any, tmp_path: Path) -> None:
    for path in (home / "pictures").rglob("*.png"):
        s3.put_file(path, f"lake/prelabel/{path.relative_to(home / 'pictures').as_posix()}")
    here, there = output_of(tool, tmp_path), tmp_path / f"there{output_of(tool, tmp_path).suffix}"
    assert run(home, tool, here) == 0
    given = ["--weights", str(home / "model.safetensors"), "--recursive", "--format", tool, "--output", str(there)]
    assert main(["data", "prelabel", "s3://lake/prelabel", *given]) == 0
    assert _without_ids(there.read_text()) == _without_ids(here.read_text())


def _without_ids(text: str) -> str:
    return re.sub(r'"id": "[^"]*"|<dumped>.*?</dumped>', "", text)


def test_what_a_store_does_not_go_with(home: Path, s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    s3.put_file(home / "pictures" / "b.png", "lake/once/b.png")
    s3.put_file(home / "pictures" / "b.png", "lake/twice/b.png")
    given = ["--weights", str(home / "model.safetensors"), "--output", str(tmp_path / "out.xml"), "--format"]
    for more, why in (
        (["labelme"], "s3://lake/once: is in an archive or by URL; this command reads files of this computer"),
        (["cvat", "--root", str(home)], "--root names a folder of this computer"),
        (["cvat", str(home / "pictures" / "b.png")], "b.png: is a file of this computer, unlike others"),
        (["cvat", "s3://lake/twice"], "s3://lake/twice/b.png: would be called 'b.png' like another"),
    ):
        assert main(["data", "prelabel", "s3://lake/once", *given, *more]) == 2
        assert why in capsys.readouterr().err
    assert not (tmp_path / "out.xml").exists()


def test_label_studio_gets_scores_addresses_and_an_interface(home: Path, tmp_path: Path) -> None:
    place = tmp_path / "tasks.json"
    assert run(home, "label-studio", place, "--address", "s3://parts/") == 0
    tasks = json.loads(place.read_text(encoding="utf-8"))
    assert {task["data"]["image"] for task in tasks} == {
        "s3://parts/a%201%2B2%20%C3%BC%23%25.png", "s3://parts/b.png", "s3://parts/deep/c.png", "s3://parts/deep/d.png",
    }  # fmt: skip
    for task in tasks:
        assert task["annotations"] == []
        [prediction] = task["predictions"]
        scores = [result["score"] for result in prediction["result"]]
        assert scores == sorted(scores, reverse=True)
        assert all(0.25 <= score <= 1 for score in scores)
    interface = ET.fromstring((tmp_path / "tasks-labels.xml").read_text(encoding="utf-8"))
    assert [label.get("value") for label in interface.iter("Label")] == CLASSES


def test_cvat_is_told_that_a_model_drew_them(home: Path, tmp_path: Path) -> None:
    assert run(home, "cvat", tmp_path / "all.xml") == 0
    boxes = list(ET.fromstring((tmp_path / "all.xml").read_text(encoding="utf-8")).iter("box"))
    assert boxes
    assert {box.get("source") for box in boxes} == {"auto"}


@pytest.mark.parametrize("tool", ["label-studio", "cvat"])
def test_a_file_that_is_there_is_replaced_only_if_told(
    home: Path, tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = output_of(tool, tmp_path)
    place.write_text("corrected")
    assert run(home, tool, place) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert place.read_text() == "corrected"
    assert run(home, tool, place, "--overwrite") == 0
    assert place.read_text() != "corrected"


def test_labelme_files_that_are_there_stay(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.json").write_text("corrected")
    assert run(home, "labelme", tmp_path) == 0
    assert "left as they are: 1 picture" in capsys.readouterr().out
    assert (tmp_path / "deep" / "c.json").read_text() == "corrected"
    assert len(list(tmp_path.rglob("*.json"))) == 4
    assert run(home, "labelme", tmp_path) == 0
    assert "every picture has a file already" in capsys.readouterr().out
    assert run(home, "labelme", tmp_path, "--overwrite") == 0
    assert (tmp_path / "deep" / "c.json").read_text() != "corrected"


def meanwhile(home: Path, tool: str, output: Path, made: list[Path], **more: bool) -> Prelabelled:
    """Propose, while a person makes files."""

    def person(done: int, total: int) -> None:
        for place in made:
            place.parent.mkdir(exist_ok=True)
            place.write_text("corrected")

    sources, weights = [str(home / "pictures")], home / "model.safetensors"
    return prelabel(sources, weights, tool, output, recursive=True, progress=person, **more)  # type: ignore[arg-type]


def test_labelme_files_that_a_person_makes_meanwhile_stay(home: Path, tmp_path: Path) -> None:
    made = [tmp_path / "deep" / "c.json", tmp_path / "b.json"]
    done = meanwhile(home, "labelme", tmp_path, made)
    assert [place.read_text() for place in made] == ["corrected"] * 2
    assert (done.left, done.pictures) == (2, 2) and {place.stem for place in done.files} == {"a 1+2 ü#%", "d"}
    written = [json.loads(place.read_text(encoding="utf-8")) for place in done.files]
    assert sum(done.boxes.values()) == sum(len(each["shapes"]) for each in written)
    assert meanwhile(home, "labelme", tmp_path, made, overwrite=True).left == 0
    assert "corrected" not in [place.read_text() for place in made]


@pytest.mark.parametrize(("tool", "name"), [("label-studio", ""), ("label-studio", "-labels.xml"), ("cvat", "")])
def test_a_file_that_comes_meanwhile_is_replaced_only_if_told(home: Path, tool: str, name: str, tmp_path: Path) -> None:
    output = output_of(tool, tmp_path)
    made = output.with_name(output.stem + name) if name else output
    with pytest.raises(UserError, match=r"exists already; --overwrite replaces it"):
        meanwhile(home, tool, output, [made])
    assert [path.read_text() for path in tmp_path.iterdir()] == ["corrected"]
    meanwhile(home, tool, output, [made], overwrite=True)
    assert made.read_text() != "corrected"


def test_refusals_are_one_line(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.png", "a.bmp", "b.png"):
        (tmp_path / name).write_bytes((home / "pictures" / "b.png").read_bytes())
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.png").write_bytes(b"no picture")
    weights = ["--weights", str(home / "model.safetensors")]
    out = ["--output", str(tmp_path / "out")]
    for arguments, word in (
        ([], "name the pictures"),
        ([str(tmp_path)], "same label file"),
        ([str(tmp_path / "broken")], "x.png"),
        ([str(tmp_path / "broken"), "--on-error", "skip"], "none of 1 picture"),
        ([str(home / "pictures"), "--root", str(tmp_path)], "correct --root"),
        ([str(home / "pictures"), "--format", "cvat"], "proposals.xml"),
    ):
        form = [] if "--format" in arguments else ["--format", "labelme"]
        assert main(["data", "prelabel", *arguments, *weights, *form, *out]) == 2
        told = capsys.readouterr().err
        assert word in told
        assert len(told.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_tiles_propose_what_detect_finds_on_them(home: Path, tmp_path: Path) -> None:
    weights, told = str(home / "model.safetensors"), tmp_path / "found.json"
    tiles = ["--tile", "64", "--overlap", "0.25"]
    assert run(home, "labelme", tmp_path / "out", *tiles) == 0
    picture = str(home / "pictures" / "b.png")
    assert main(["detect", picture, "--weights", weights, *tiles, "--no-images", "--json", str(told)]) == 0
    found = json.loads(told.read_text())["results"][0]["detections"]
    shapes = json.loads((tmp_path / "out" / "b.json").read_text())["shapes"]
    assert len(shapes) == len(found) > 0
    for shape, other in zip(shapes, sorted(found, key=lambda each: -each["score"]), strict=True):
        assert np.allclose([*shape["points"][0], *shape["points"][1]], other["box"], atol=0.02)
        assert shape["description"] == f"score {other['score']:.4f}"


def test_a_model_trained_on_tiles_proposes_on_tiles(home: Path, tmp_path: Path) -> None:
    weights, card = load_model(home / "model.safetensors")
    (tmp_path / "tiled").mkdir()
    save_model(tmp_path / "tiled" / "model.safetensors", weights, replace(card, tiles=Tiling(64, 0.25)))
    (tmp_path / "tiled" / "pictures").symlink_to(home / "pictures")
    assert run(tmp_path / "tiled", "labelme", tmp_path / "trained") == 0
    assert run(home, "labelme", tmp_path / "asked", "--tile", "64", "--overlap", "0.25") == 0
    assert run(home, "labelme", tmp_path / "whole") == 0
    trained, asked, whole = (
        {path.name: json.loads(path.read_text())["shapes"] for path in (tmp_path / each).rglob("*.json")}
        for each in ("trained", "asked", "whole")
    )
    assert trained == asked != whole


@pytest.mark.parametrize("tool", TOOLS)
def test_a_name_whose_bytes_are_not_utf8(home: Path, tool: str, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    name = os.fsdecode(b"M\xfcller.png")
    for each in ("b.png", name):
        shutil.copy(home / "pictures" / "b.png", pictures / each)
    place = output_of(tool, tmp_path if tool != "labelme" else pictures)
    words = ["--format", tool, "--output", str(place), "--weights", str(home / "model.safetensors")]
    assert main(["data", "prelabel", str(pictures), *words]) == 0
    if tool == "labelme":
        held = json.loads((pictures / name).with_suffix(".json").read_text())
        assert (pictures / held["imagePath"]).is_file() and held["shapes"]
    elif tool == "cvat":
        named = [each.get("name", "") for each in ET.parse(place).getroot().iter("image")]
        assert [each for each in named if each.startswith("M\\udcfcller")] and len(named) == 2
    else:
        addresses = [next(iter(task["data"].values())) for task in json.loads(place.read_text())]
        assert [each.rpartition("=")[2] for each in addresses] == ["b.png", "M%FCller.png"]
