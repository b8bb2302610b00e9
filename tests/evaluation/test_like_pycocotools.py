"""A COCO data set with every field that COCO has gives pycocotools' own numbers."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lightdet.data.formats.coco import parse_coco, read_coco
from lightdet.evaluation.average_precision import evaluate
from lightdet.evaluation.predictions import coco_ids, read_predictions

SIDE = 256
quarter = st.integers(0, 4 * SIDE - 8).map(lambda n: n / 4)  # exact in float32
NUMBERS = ("map50_95", "map50", "map75", "map_small", "map_medium", "map_large", None, None, "average_recall")
"""Ours, in the order of `COCOeval.stats`."""


@st.composite
def boxes(draw):
    x, y = draw(quarter), draw(quarter)
    sides = st.sampled_from([2.0, 20.25, 32.0, 96.0, 150.5])
    return [x, y, min(draw(sides), SIDE - x), min(draw(sides), SIDE - y)]


truths = st.fixed_dictionaries(
    {
        "image_id": st.integers(1, 3),
        "category_id": st.sampled_from([2, 5]),
        "bbox": boxes(),
        "area": st.sampled_from([0, 7.5, 1023.999, 1024, 1024.001, 9216, 9216.5, 40000]),
        "iscrowd": st.sampled_from([0, 0, 0, 1]),
    },
    optional={"ignore": st.integers(0, 1), "segmentation": st.just([[0, 0, 9, 0, 9, 9]]), "score": st.just(0.5)},
)


@st.composite
def sets(draw):
    """Ground truth and detections, many of them on it."""
    truth = draw(st.lists(truths, max_size=8))
    shift = st.sampled_from([0.0, 0.25, 1.0, 4.0])
    found = [
        {
            "image_id": entry["image_id"],
            "category_id": draw(st.sampled_from([entry["category_id"], 2])),
            "bbox": [entry["bbox"][0] + draw(shift), entry["bbox"][1], *entry["bbox"][2:]],
            "score": draw(st.integers(1, 64)) / 64,
        }
        for entry in truth
        for _ in range(draw(st.integers(0, 2)))
    ]
    other = st.fixed_dictionaries(
        {
            "image_id": st.integers(1, 3),
            "category_id": st.sampled_from([2, 5]),
            "bbox": boxes(),
            "score": st.integers(1, 64).map(lambda n: n / 64),
        }
    )
    return truth, draw(st.permutations(found + draw(st.lists(other, min_size=1, max_size=5))))


@settings(deadline=None, max_examples=150)
@given(given=sets())
def test_every_field(given, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder: Path = tmp_path_factory.mktemp("coco")
    truth, found = given
    content = {
        "info": {},
        "images": [{"id": i, "file_name": f"{i}.png", "width": SIDE, "height": SIDE} for i in (1, 2, 3)],
        "categories": [{"id": 2, "name": "b"}, {"id": 5, "name": "a"}],
        "annotations": [{"id": i, **entry} for i, entry in enumerate(truth, start=1)],
    }
    (folder / "val.json").write_text(json.dumps(content))
    (folder / "p.json").write_text(json.dumps(found))
    names = parse_coco(folder / "val.json").class_names()
    annotations = read_coco(folder / "val.json", Path(), names)
    predictions, _ = read_predictions(folder / "p.json", annotations, names, ids=coco_ids(folder / "val.json"))
    ours = evaluate(predictions, annotations, names, sizes=True).as_dict()
    with contextlib.redirect_stdout(io.StringIO()):
        job = COCO(str(folder / "val.json"))
        theirs = COCOeval(job, job.loadRes(str(folder / "p.json")), "bbox")
        theirs.evaluate()
        theirs.accumulate()
        theirs.summarize()
    for name, number in zip(NUMBERS, theirs.stats, strict=False):
        if name is not None:
            value = ours[name]
            assert (-1.0 if value is None else value) == pytest.approx(number, abs=1e-9), name
