"""Files that the tools wrote (``make_from_tools.py``), read by us; and ours, read by the tools if they are there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lightdet.assembly.dataset import load_dataset
from lightdet.data.convert import convert_dataset
from lightdet.data.dataset import DatasetSpec, read_split

HERE = Path(__file__).parent
FOLDER = HERE / "from_tools"
BOXES = {
    "a": [("größe", 60.0, 10.0, 80.0, 30.0), ("scratch", 10.5, 20.25, 40.75, 30.5)],
    "b": [("größe", 5.0, 5.0, 25.0, 25.0)],
    "c": [],
}
FORMATS = {
    "labelme": "labelme",
    "cvat": "cvat",
    "coco_instances": "coco",
    "label-studio": "label-studio",
    "voc_segmentation": "masks",
}


def boxes(spec: DatasetSpec) -> dict[str, list[tuple[object, ...]]]:
    found = {}
    for split in spec.splits:
        for a in read_split(spec, split, on_error="skip")[0]:
            rows = zip(a.labels.tolist(), a.boxes.tolist(), strict=True)
            found[a.image.stem] = sorted((spec.classes[label], *box) for label, box in rows)
    return dict(sorted(found.items()))


def check(
    found: dict[str, list[tuple[object, ...]]], expected: dict[str, list[tuple[object, ...]]], away: float
) -> None:
    assert list(found) == list(expected)
    for name, rows in found.items():
        assert [row[0] for row in rows] == [row[0] for row in expected[name]]
        for row, other in zip(rows, expected[name], strict=True):
            assert np.allclose(np.array(row[1:], float), np.array(other[1:], float), atol=away)


@pytest.mark.parametrize("name", FORMATS)
def test_what_the_tools_wrote_is_read_without_a_yaml(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(FOLDER / name, folder)
    spec = load_dataset(folder)
    assert spec.format == FORMATS[name] and set(spec.classes) == {"scratch", "größe"}
    if name == "voc_segmentation":  # pixels; and no mask is written for a picture without any mark
        expected = {
            key: [(row[0], *np.round(np.array(row[1:]))) for row in rows] for key, rows in BOXES.items() if rows
        }
        check(boxes(spec), expected, 0.5)
    else:
        # Of COCO's annotations one is a mask, which holds whole pixels.
        check(boxes(spec), BOXES, 0.51 if name == "coco_instances" else 0.01)


TOOLS = {
    "labelme": ("labelme", "images"),
    "cvat": ("cvat", "train.xml"),
    "coco": ("coco_instances", "."),
    "label-studio": ("label-studio", "annotations/train.json"),
}


@pytest.mark.parametrize("form", TOOLS)
def test_what_is_written_is_read_by_the_tools(form: str, yolo_set: Path, tmp_path: Path) -> None:
    python = os.environ.get("LIGHTDET_TOOLS")
    if not python:
        pytest.skip("set LIGHTDET_TOOLS to a Python with labelme, datumaro and label-studio-sdk (make_from_tools.py)")
    source = load_dataset(yolo_set / "data.yaml")
    (yolo_set / "images" / "val").rename(yolo_set / "images" / "rest")
    (yolo_set / "data.yaml").write_text("format: yolo\nclasses: [scratch, dent]\nsplits: {train: images/train}\n")
    source = load_dataset(yolo_set / "data.yaml")
    out = tmp_path / "out"
    convert_dataset(source, out, form)  # type: ignore[arg-type]
    which, place = TOOLS[form]
    if form == "coco":
        (out / "annotations" / "train.json").rename(out / "annotations" / "instances_train.json")
    if form == "cvat":  # datumaro looks for the pictures beside the file
        shutil.copytree(out / "images" / "train", out / "images", dirs_exist_ok=True)
        (out / "annotations" / "train.xml").rename(out / "train.xml")
    command = [python, str(HERE / "tools_read.py"), which, str(out / place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout.splitlines()[-1])
    check(
        {name: sorted(tuple(row) for row in rows) for name, rows in sorted(theirs.items())},
        boxes(source),
        0.01,
    )
