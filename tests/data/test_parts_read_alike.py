"""A split that is put together from others reads the same labels as those: in folds, and drawn from a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lightdet.assembly.dataset import load_dataset
from lightdet.data.dataset import DatasetSpec, read_split
from lightdet.data.drawn import with_validation
from lightdet.data.fold_file import Folds
from lightdet.data.paths import below_root

Save = Callable[..., Path]
SPLITS = ("train", "val", "test")
XML = (
    "<annotation><object><name>dent</name><bndbox><xmin>{0}</xmin><ymin>5</ymin><xmax>20</xmax><ymax>20</ymax></bndbox>"
    "</object></annotation>"
)


def picture_sets(root: Path, save_picture: Save, labels: str, suffix: str, text: Callable[[str, int], str]) -> None:
    """Three pictures for each split in ``images``, with their labels below `labels` (``{}`` is the split)."""
    for split in SPLITS:
        for number in range(3):
            save_picture(root / "images" / split / f"{split}{number}.png")
            label = root / labels.format(split) / f"{split}{number}.{suffix}"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(text(split, number))


@pytest.fixture(params=["yolo flat", "yolo own", "voc train", "voc test"])
def spec(request: pytest.FixtureRequest, tmp_path: Path, save_picture: Save) -> DatasetSpec:
    """YOLO with one folder of labels or with those beside the pictures; VOC of which one split shows edges from 0."""
    form, kind = request.param.split()
    where = "flat" if kind == "flat" else "labels/{}" if form == "yolo" else "Annotations/{}"
    if form == "yolo":
        picture_sets(tmp_path, save_picture, where, "txt", lambda _, number: f"0 .5 .5 .{number + 2} .4\n")
    else:
        picture_sets(
            tmp_path, save_picture, where, "xml", lambda split, number: XML.format(5 * (split != kind or number > 0))
        )
    images = "JPEGImages" if form == "voc" else "images"
    (tmp_path / "images").rename(tmp_path / images)
    splits = ", ".join(f"{split}: {images}/{split}" for split in SPLITS)
    flat = "labels: flat\n" if kind == "flat" else ""
    (tmp_path / "d.yaml").write_text(f"format: {form}\nclasses: [dent]\n{flat}splits: {{{splits}}}\n")
    return load_dataset(tmp_path / "d.yaml")


def boxes(spec: DatasetSpec, *splits: str) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = {}
    for split in splits:
        annotations, skipped = read_split(spec, split)
        assert not skipped
        found |= {below_root(each.image, spec.root): each.boxes.tolist() for each in annotations}
    return found


@pytest.mark.parametrize("pooled", [("train", "val"), SPLITS])
def test_folds_read_what_the_splits_read(pooled: tuple[str, ...], spec: DatasetSpec) -> None:
    plain = boxes(spec, *pooled)
    names = sorted(plain)
    folds = Folds(pooled, (tuple(names[::2]), tuple(names[1::2])))
    assert boxes(folds.training(spec, None), "train") == plain
    for fold in range(2):
        assert boxes(folds.training(spec, fold), "train") | boxes(folds.held_out(spec, fold), "held out") == plain


def test_a_drawn_validation_reads_what_its_source_reads(spec: DatasetSpec) -> None:
    spec = replace(spec, splits={name: place for name, place in spec.splits.items() if name != "val"})
    for label in (spec.root / "flat").glob("val*"):
        label.unlink()
    drawn = with_validation(spec, 0.4)
    plain = boxes(spec, "train", "test")
    assert "val" in drawn.splits and boxes(drawn, "train", "val", "test") == plain
    names = tuple(sorted(boxes(spec, "train")))
    folds = Folds(("train", "val"), (names[:1], names[1:]))
    assert boxes(folds.training(drawn, 0), "train") | boxes(folds.held_out(drawn, 0), "held out") == {
        name: plain[name] for name in names
    }
