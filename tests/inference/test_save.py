"""The files that detection writes, read again by other means."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.data.formats.yolo import read_yolo
from lightdet.errors import UserError
from lightdet.inference.formats import FORMATS
from lightdet.inference.save import CSV_COLUMNS, Record, make_writer
from lightdet.structures import Detections

NAMES = ("Kratzer", "Loch, rund")


def detections(*rows: tuple[float, float, float, float, float, int], size: tuple[int, int] = (200, 100)) -> Detections:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, :4].astype(np.float32),
        table[:, 4].astype(np.float32),
        table[:, 5].astype(np.int64),
        NAMES,
        size,
        {"network": 1.25},
    )


RECORDS = [
    Record('in/Prüf "1",\n☃.png', Path("Prüf 1"), detections((10, 20, 50, 40, 0.9, 1), (0, 0, 200, 100, 0.5, 0))),
    Record("in/clean.png", Path("sub/clean"), detections()),
    Record("clip.avi", Path("clip"), detections((1, 2, 3.5, 4.25, 0.75, 0)), frame=7, time=0.28),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for format_ in FORMATS:
        writer = make_writer(format_, tmp_path, NAMES)
        for record in RECORDS:
            writer.add(record)
        assert format_ == "yolo" or not any(tmp_path.glob(f"*{format_}*"))  # nothing half-done under its name
        writer.close({"complete": True, "skipped": []})
    return tmp_path


def test_json(folder: Path) -> None:
    document = json.loads((folder / "detections.json").read_text(encoding="utf-8"))
    assert document["complete"] is True
    first, clean, frame = document["results"]
    assert first["source"] == RECORDS[0].source and first["frame"] is None
    assert (first["width"], first["height"], first["milliseconds"]) == (200, 100, {"network": 1.25})
    assert first["detections"][0] == {"box": [10, 20, 50, 40], "score": 0.9, "label": 1, "name": "Loch, rund"}
    assert clean["detections"] == []
    assert (frame["frame"], frame["time_s"]) == (7, 0.28)


def test_csv(folder: Path) -> None:
    with (folder / "detections.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["source"] for row in rows] == [RECORDS[0].source] * 2 + ["clip.avi"]
    assert [float(rows[0][key]) for key in ("x1", "y1", "x2", "y2", "score")] == [10, 20, 50, 40, 0.9]
    assert (rows[0]["name"], rows[0]["frame"], rows[2]["frame"], rows[2]["time_s"]) == ("Loch, rund", "", "7", "0.28")


def test_csv_names_the_zones(tmp_path: Path) -> None:
    found = detections((10, 20, 50, 40, 0.9, 1), (60, 20, 80, 40, 0.8, 0), (90, 20, 99, 40, 0.7, 0))
    zoned = replace(found, zones=(("thread", "rim, left"), ("rim, left",), ()), outside=2)
    writer = make_writer("csv", tmp_path, NAMES)
    for each in (found, zoned):
        writer.add(Record("part.png", Path("part"), each))
    writer.close({})
    with (tmp_path / "detections.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["zone"] for row in rows] == ["", "", "", "thread, rim, left", "rim, left", ""]


def test_yolo(folder: Path) -> None:
    labels = folder / "labels"
    assert (labels / "classes.txt").read_text(encoding="utf-8").splitlines() == list(NAMES)
    assert (labels / "Prüf 1.txt").read_text(encoding="utf-8").splitlines() == [
        "1 0.15000000 0.30000000 0.20000000 0.20000000",
        "0 0.50000000 0.50000000 1.00000000 1.00000000",
    ]
    assert (labels / "sub" / "classes.txt").read_text(encoding="utf-8").splitlines() == list(NAMES)
    assert (labels / "sub" / "clean.txt").read_text(encoding="utf-8") == ""
    assert (labels / "clip_000007.txt").read_text(encoding="utf-8").startswith("0 0.01125000 0.03125000 ")


def test_coco_as_pycocotools_reads_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pycocotools = pytest.importorskip("pycocotools.coco")
    coco = pycocotools.COCO(str(folder / "coco.json"))
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(NAMES)
    assert [i["file_name"] for i in coco.loadImgs(coco.getImgIds())] == [r.source for r in RECORDS]
    found = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert [(a["bbox"], a["category_id"], a["score"]) for a in found] == [
        ([10, 20, 40, 20], 2, 0.9),
        ([0, 0, 200, 100], 1, 0.5),
    ]
    assert len(coco.loadRes(coco.dataset["annotations"]).anns) == 3


def test_nothing_found_is_still_a_whole_file(tmp_path: Path) -> None:
    for format_ in FORMATS:
        make_writer(format_, tmp_path, NAMES).close({"complete": False})
    assert json.loads((tmp_path / "detections.json").read_text())["results"] == []
    assert json.loads((tmp_path / "coco.json").read_text())["annotations"] == []
    assert (tmp_path / "detections.csv").read_text() == ",".join(CSV_COLUMNS) + "\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["coco.json", "detections.csv", "detections.json", "labels"]


def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for format_ in FORMATS:
        with pytest.raises(UserError, match="file"):
            make_writer(format_, tmp_path / "file", NAMES)


corner = st.floats(0, 1, width=32)


@given(
    rows=st.lists(st.tuples(corner, corner, corner, corner, st.integers(0, 1)), max_size=6), side=st.integers(1, 9000)
)
def test_our_own_reader_takes_what_detection_writes(
    rows: list[tuple[float, float, float, float, int]], side: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("out")
    found = detections(
        *((min(a, c) * side, min(b, d) * side, max(a, c) * side, max(b, d) * side, 0.5, n) for a, b, c, d, n in rows),
        size=(side, side),
    )
    writer = make_writer("yolo", folder, NAMES)
    writer.add(Record("a.png", Path("a"), found))
    writer.close({})
    read = read_yolo(folder / "labels" / "a.txt", Path("a.png"), (side, side), NAMES)
    kept = (found.boxes[:, 2:] - found.boxes[:, :2]).min(axis=1, initial=np.inf) >= 0.01
    assert len(read) == kept.sum() and np.abs(read.boxes - found.boxes[kept]).max(initial=0) < 0.01
    assert all(len(line.split()) == 5 for line in (folder / "labels" / "a.txt").read_text().splitlines())


def test_a_picture_called_classes_does_not_lose_its_labels(tmp_path: Path) -> None:
    writer = make_writer("yolo", tmp_path, NAMES)
    with pytest.raises(UserError, match="rename the picture"):
        writer.add(Record("in/classes.png", Path("classes"), detections()))
