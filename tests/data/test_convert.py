"""From every format to every format and back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.data.convert import convert_dataset
from lightdet.data.dataset import DatasetSpec, Format, SplitSpec, read_split
from lightdet.data.formats.coco import write_coco
from lightdet.errors import UserError
from lightdet.structures import Annotation

FORMATS: tuple[Format, ...] = get_args(Format)
_FIRST = FORMATS[:4]
PAIRS = [*itertools.product(_FIRST, _FIRST), *zip(FORMATS[3:], (*FORMATS[4:], "yolo"), strict=True)]
"""Each of the first four with each; then each as source and as target."""
DATASETS = Path(__file__).resolve().parents[2] / "datasets"
Save = Callable[..., Path]


def content(spec: DatasetSpec) -> dict[str, list[tuple[bytes, tuple[int, int], np.ndarray, list[int]]]]:
    """What a data set says, in the order of its pictures: their bytes, sizes, boxes, labels."""
    return {
        split: [(a.image.read_bytes(), a.size, a.boxes, a.labels.tolist()) for a in read_split(spec, split)[0]]
        for split in spec.splits
    }


def check_same(one: DatasetSpec, other: DatasetSpec, tolerance: float) -> None:
    assert one.classes == other.classes and one.bit_depth == other.bit_depth
    mine, theirs = content(one), content(other)
    assert list(mine) == list(theirs)
    for split in mine:
        ours, found = (sorted(part, key=lambda entry: entry[0]) for part in (mine[split], theirs[split]))
        assert [entry[:2] for entry in ours] == [entry[:2] for entry in found]
        for (_, _, boxes, labels), (_, _, others, other_labels) in zip(ours, found, strict=True):
            assert labels == other_labels
            assert np.abs(boxes - others).max(initial=0) <= tolerance


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_there_and_on_and_back(first: Format, second: Format, yolo_set: Path, tmp_path: Path) -> None:
    source = load_dataset(yolo_set / "data.yaml")
    one = convert_dataset(source, tmp_path / "one", first)
    spec = load_dataset(one.yaml)
    two = load_dataset(convert_dataset(spec, tmp_path / "two", second).yaml)
    back = load_dataset(convert_dataset(two, tmp_path / "three", "yolo").yaml)
    assert spec.format == first and two.format == second
    assert one.pictures == {"train": 3, "val": 2} and one.boxes == {"train": 3, "val": 2}
    check_same(source, back, 1e-3)  # the boxes lie on whole pixels, so no format loses anything


def test_names_survive_deeppcb(yolo_set: Path, save_picture: Save, tmp_path: Path) -> None:
    """Its pictures are called ``*_test`` by custom; a name that ends so already must not be confused with another."""
    save_picture(yolo_set / "images" / "train" / "a_test.png")
    (yolo_set / "labels" / "train" / "a_test.txt").write_text("1 0.5 0.5 0.5 0.5\n")

    def names(spec: DatasetSpec) -> list[str]:
        return [a.image.name for split in spec.splits for a in read_split(spec, split)[0]]

    source = load_dataset(yolo_set / "data.yaml")
    there = load_dataset(convert_dataset(source, tmp_path / "there", "deeppcb").yaml)
    assert all(name.endswith("_test.png") for name in names(there))
    done = convert_dataset(there, tmp_path / "back", "yolo")
    back = load_dataset(done.yaml)
    assert "deeppcb's suffix _test was removed from the names of pictures" in done.notes
    assert names(back) == [name.replace(" ", "_") for name in names(source)]  # its lists part fields by blanks
    check_same(source, back, 1e-3)
    again = convert_dataset(there, tmp_path / "again", "deeppcb")
    assert names(load_dataset(again.yaml)) == names(there)


def test_fractions_of_pixels(yolo_set: Path, tmp_path: Path) -> None:
    (yolo_set / "labels" / "train" / "a.txt").write_text("0 0.503 0.507 0.251 0.499\n")
    source = load_dataset(yolo_set / "data.yaml")
    for form, tolerance in (("coco", 0.0), ("yolo", 1e-5), ("voc", 0.5), ("deeppcb", 0.5)):
        done = convert_dataset(source, tmp_path / form, form)  # type: ignore[arg-type]
        check_same(source, load_dataset(done.yaml), tolerance)
        rounded = [note for note in done.notes if "rounded to whole pixels" in note]
        assert rounded == ([f"1 box rounded to whole pixels, which is what {form} holds"] if tolerance == 0.5 else [])


def test_a_box_of_one_pixel_is_told_from_shares(yolo_set: Path, tmp_path: Path) -> None:
    (yolo_set / "labels" / "train" / "b.txt").write_text("1 0.00625 0.00833333 0.0125 0.0166667\n")  # of 80 x 60
    source = load_dataset(yolo_set / "data.yaml")
    check_same(source, load_dataset(convert_dataset(source, tmp_path / "out", "csv-boxes").yaml), 1e-3)


def test_background_stays_background(yolo_set: Path, tmp_path: Path) -> None:
    for form in FORMATS:
        spec = load_dataset(convert_dataset(load_dataset(yolo_set / "data.yaml"), tmp_path / form, form).yaml)
        sizes = {a.image.name.replace("_test", ""): len(a) for a in read_split(spec, "train")[0]}
        assert sizes == {"a.png": 2, "b.png": 1, "clean.png": 0}


def test_source_is_not_touched(yolo_set: Path, tmp_path: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in yolo_set.rglob("*")}
    convert_dataset(load_dataset(yolo_set / "data.yaml"), tmp_path / "out", "voc")
    assert {p: (p.stat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in yolo_set.rglob("*")} == before


def test_links(yolo_set: Path, tmp_path: Path) -> None:
    done = convert_dataset(load_dataset(yolo_set / "data.yaml"), tmp_path / "out", "coco", link=True)
    picture = tmp_path / "out" / "images" / "train" / "a.png"
    assert picture.is_symlink() and picture.resolve() == (yolo_set / "images" / "train" / "a.png").resolve()
    assert len(read_split(load_dataset(done.yaml), "train")[0]) == 3


@pytest.fixture
def crowded(tmp_path: Path, save_picture: Save) -> DatasetSpec:
    """COCO, 12-bit, with a crowd, a picture turned by EXIF and awkward names."""
    root = tmp_path / "crowded"
    exif = Image.Exif()
    exif[274] = 6
    names = ["sub dir/a b.png", "images/a.jpg", "other/A.png"]
    paths = [save_picture(root / "pics" / name, **({"exif": exif} if "jpg" in name else {})) for name in names]
    boxes = np.array([[1, 2, 30, 40], [5, 5, 10, 10]], np.float32)
    annotations = [
        Annotation(paths[0], (80, 60), boxes, np.array([0, 1]), np.array([False, True])),
        Annotation(paths[1], (60, 80), boxes, np.array([1, 1])),
        Annotation(paths[2], (80, 60), boxes[:0], np.zeros(0, np.int64)),
    ]
    write_coco(annotations, root / "a.json", ("x: y", "'q'"), names)
    split = SplitSpec((root / "pics",), root / "a.json")
    return DatasetSpec("crowded", root, "coco", ("x: y", "'q'"), {"train": split}, bit_depth=12)


@pytest.mark.parametrize("form", FORMATS)
def test_what_cannot_be_held_is_said(form: Format, crowded: DatasetSpec, tmp_path: Path) -> None:
    done = convert_dataset(crowded, tmp_path / "out", form)
    told = "\n".join(done.notes)
    assert ("1 crowd region left out" in told) == (form != "coco")
    assert "1 picture rotated by an EXIF tag" in told
    assert "the bit depth 12 is only in the YAML" in told
    assert ("no spaces" in told) == (form == "deeppcb")
    assert ("in 1 picture boxes of a class touch: a mask cannot tell them apart" in told) == (form == "masks")
    spec = load_dataset(done.yaml)
    assert spec.bit_depth == 12 and spec.classes == crowded.classes
    found, _ = read_split(spec, "train")
    assert sorted((len(a), a.size) for a in found) == sorted(
        [(0, (80, 60)), (1 + (form == "coco"), (80, 60)), (1 + (form != "masks"), (60, 80))]
    )
    if form == "coco":
        check_same(crowded, spec, 0)


def test_equal_names_are_kept_apart(yolo_set: Path, save_picture: Save, tmp_path: Path) -> None:
    extra = tmp_path / "extra" / "images"
    save_picture(extra / "A.jpg")
    (tmp_path / "extra" / "labels").mkdir()
    (tmp_path / "extra" / "labels" / "A.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    source = load_dataset(yolo_set / "data.yaml")
    both = SplitSpec((*source.splits["train"].images, extra))
    done = convert_dataset(replace(source, splits={"train": both}), tmp_path / "out", "voc")
    assert (tmp_path / "out" / "JPEGImages" / "train" / "A_2.jpg").is_file()
    assert any("got a number" in note for note in done.notes)
    assert [len(a) for a in read_split(load_dataset(done.yaml), "train")[0]] == [1, 2, 1, 0]


def test_faults_stop_before_anything_is_written_or_are_listed(yolo_set: Path, tmp_path: Path) -> None:
    (yolo_set / "labels" / "train" / "a.txt").write_text("7 0.5 0.5 0.5 0.5\n")
    source = load_dataset(yolo_set / "data.yaml")
    with pytest.raises(UserError, match=r"a\.txt:1: class id 7 is out of range"):
        convert_dataset(source, tmp_path / "out", "voc")
    assert not any((tmp_path / "out").iterdir())
    done = convert_dataset(source, tmp_path / "out", "voc", on_error="skip")
    assert done.pictures["train"] == 2 and len(done.skipped) == 1
    assert done.as_dict()["skipped"] == [str(done.skipped[0])]


def damage(picture: Path) -> Path:
    """Cut off the second half of a picture's file; its header stays whole."""
    picture.write_bytes(picture.read_bytes()[: picture.stat().st_size // 2])
    return picture


def test_a_damaged_picture_is_refused_or_left_out(yolo_set: Path, tmp_path: Path) -> None:
    """It could not be trained on; its header alone does not show it."""
    bad = damage(yolo_set / "images" / "train" / "b.png")
    source = load_dataset(yolo_set / "data.yaml")
    with pytest.raises(UserError, match=r"b\.png: the picture is truncated"):
        convert_dataset(source, tmp_path / "out", "voc")
    assert not any((tmp_path / "out").iterdir())
    done = convert_dataset(source, tmp_path / "out", "voc", on_error="skip")
    assert [error.path for error in done.skipped] == [bad]
    assert done.pictures == {"train": 2, "val": 2}
    assert not list((tmp_path / "out").rglob("b.*"))


def test_a_split_of_damaged_pictures_is_refused(yolo_set: Path, tmp_path: Path) -> None:
    for picture in (yolo_set / "images" / "val").iterdir():
        damage(picture)
    source = load_dataset(yolo_set / "data.yaml")
    with pytest.raises(UserError, match=r"no picture of the split 'val' can be read; the first fault: .*c\.png: "):
        convert_dataset(source, tmp_path / "out", "voc", on_error="skip")


def test_outputs_that_are_refused(yolo_set: Path, tmp_path: Path) -> None:
    source = load_dataset(yolo_set / "data.yaml")
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").write_text("")
    for output, message in (
        (full, "the folder is not empty"),
        (full / "x", "is a file"),
        (yolo_set, "lies inside the source"),
        (yolo_set / "new", "lies inside the source"),
        (tmp_path / "full" / ".." / "yolo-set" / "new", "lies inside the source"),
        (full / "x" / "y", ": "),
    ):
        with pytest.raises(UserError, match=message):
            convert_dataset(source, output, "voc")
    assert sorted(path.name for path in full.iterdir()) == ["x"]


def test_an_output_filled_meanwhile_is_refused(yolo_set: Path, tmp_path: Path) -> None:
    def another_run(*_: int) -> None:
        (tmp_path / "out" / "classes.txt").write_text("theirs")

    with pytest.raises(UserError, match="out: the folder is not empty"):
        convert_dataset(load_dataset(yolo_set / "data.yaml"), tmp_path / "out", "yolo", progress=another_run)
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["theirs"]


def test_progress_is_told(yolo_set: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    convert_dataset(
        load_dataset(yolo_set / "data.yaml"), tmp_path / "out", "yolo", progress=lambda *step: told.append(step)
    )
    assert told == [(n, 10) for n in range(1, 11)]  # five pictures looked at, then written


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "form"), [("neu-det", "yolo"), ("neu-det", "voc"), ("deeppcb", "coco")])
def test_real_sets_round_trip(name: str, form: Format, real_data: Callable[[str], Path], tmp_path: Path) -> None:
    real_data(name)
    source = load_dataset(DATASETS / f"{name}.yaml")
    done = convert_dataset(source, tmp_path / "out", form, link=True)
    other = load_dataset(done.yaml)
    for split in source.splits:
        ours, found = (
            sorted(read_split(spec, split)[0], key=lambda a: a.image.stem.removesuffix("_test"))
            for spec in (source, other)
        )
        for one, two in zip(ours, found, strict=True):
            assert one.labels.tolist() == two.labels.tolist()
            assert np.abs(one.boxes - two.boxes).max(initial=0) < 1e-4
