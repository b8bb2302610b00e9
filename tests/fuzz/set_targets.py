"""Data-set YAMLs, lists, tables and class lists over one small folder: whose boxes per picture gets, and their names.

The folder never changes and each of its pictures has one box of its own, so every picture that is accepted can be held
against the box that belongs to it, whatever the file in between looks like.
"""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from fuzz_target import CLASSES, Sound, Target, check_line, check_same, write
from hypothesis import strategies as st
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.config.dataset import check_class_names
from lightdet.data.class_list import read_class_names
from lightdet.data.dataset import read_split
from lightdet.data.formats.coco import write_coco
from lightdet.data.formats.voc import write_voc
from lightdet.data.formats.yolo import write_yolo
from lightdet.data.spec import DatasetSpec, SplitSpec
from lightdet.errors import UserError
from lightdet.structures import Annotation

SIZE = (64, 48)
PICTURES = {
    "train": ("a.png", "b.png", "größe 1.png", "line 1/c.png", "line 2/c.jpg"),
    "val": ("d.png", "e.JPG", "line 1/a.png"),
}
TRUTH = {
    f"{split}/{name}": (index % len(CLASSES), 2.0 * index, 3.0, 2.0 * index + 10, 20.0 + index)
    for index, (split, name) in enumerate((split, name) for split, names in PICTURES.items() for name in names)
}
"""The one box of every picture."""


def world(folder: Path) -> Path:
    """The folder with pictures and labels of every format, made once for each `folder`."""
    root = folder / "set"
    if (root / "made").is_file():
        return root
    for split, names in PICTURES.items():
        found = [_place(root, split, name) for name in names]
        write_coco(found, root / f"{split}.json", CLASSES, names)
        (root / f"{split}.txt").write_text("".join(f"images/{split}/{name}\n" for name in names))
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    write(root, "made", b"")
    return root


def _place(root: Path, split: str, name: str) -> Annotation:
    import numpy as np

    picture = root / "images" / split / name
    picture.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE, (len(name), 9, 200)).save(picture)
    label, *box = TRUTH[f"{split}/{name}"]
    annotation = Annotation(picture, SIZE, np.array([box], np.float32), np.array([label], np.int64))
    write_yolo(annotation, (root / "labels" / split / name).with_suffix(".txt"))
    write_voc(annotation, (root / "annotations" / split / name).with_suffix(".xml"), CLASSES)
    judged = root / "judged" / CLASSES[label] / f"{split} {name.replace('/', ' ')}"
    judged.parent.mkdir(parents=True, exist_ok=True)
    judged.write_bytes(picture.read_bytes())
    return annotation


def _key(path: Path, root: Path) -> str:
    """A picture's name in `TRUTH`; fails if it is none of the folder's."""
    return path.resolve().relative_to((root / "images").resolve()).as_posix()


def check_pictures(annotations: list[Annotation], root: Path) -> list[str]:
    """Each has the one box that is its own; returns their names, none of them twice."""
    keys = [_key(annotation.image, root) for annotation in annotations]
    assert len(set(keys)) == len(keys), "a picture is taken twice"
    for key, annotation in zip(keys, annotations, strict=True):
        found = zip(annotation.labels.tolist(), annotation.boxes.tolist(), strict=True)
        check_same([(label, *box) for label, box in found], [TRUTH[key]])
    return keys


# Data-set YAMLs -----------------------------------------------------------------------------------------------------

_NAMES = "[scratch, dent, größe, class 3]"
_YAMLS = (
    f"format: yolo\nclasses: {_NAMES}\nsplits:\n  train: images/train\n  val: images/val\n",
    f"name: parts\nroot: .\nformat: yolo\nclasses: {_NAMES}\nsplits: {{train: train.txt, val: val.txt}}\n",
    "format: yolo\nclasses: classes.txt\nimages: images\nlabels: labels\nsplits: {train: train.txt}\n",
    "path: .\ntrain: images/train\nval: images/val\ntest:\nnc: 4\n"
    "names:\n  0: scratch\n  1: dent\n  2: größe\n  3: class 3\n",
    f"train: ../images/train\nval: ../images/val\nnc: 4\nnames: {_NAMES}\nroboflow: {{version: 3}}\n",
    f"format: voc\nclasses: {_NAMES}\nfirst_pixel: 1\nsplits:\n  train: {{images: images/train, "
    "labels: annotations/train}\n  val: {images: images/val, unlabelled: error}\n",
    "format: coco\nsplits:\n  train: {images: images/train, labels: train.json}\n"
    "  val: {images: images/val, labels: val.json}\noutside: clip\nbit_depth: 12\n",
    f"classes: &c {_NAMES}\nformat: yolo\nimages: [images/train]\nsplits: {{train: {{unlabelled: background}}}}\n",
)
_KEYS = b"""images: |labels: labels|list: train.txt|root: ..|first_pixel: 0|rows: polygons|val: |kpt_shape: [1, 3]|nc: 3
names: [x]|format: voc|classes: [b, a]|test: images/none|- |images/train|images/val|train.txt|val.json|${HOME}
~|\\|/|..|./
: |extends: a.yaml|path: images|&a [*a]|dent|2024-01-01|010|yes|? |>""".replace(b"\n", b"|").split(b"|")
yamls = st.sampled_from(_YAMLS).map(lambda text: Sound(text.encode(), None, True))


def judge_yaml(data: bytes, _: Any, folder: Path) -> Any:
    root = world(folder)
    if _leads_out(data, root):
        return None
    file = write(root, "fuzzed.yaml", data)
    try:
        spec = load_dataset(file)
        plain_names = _plain_names(data, root)
        assert list(spec.classes) == plain_names, f"classes {spec.classes} instead of {plain_names}"
        found = [read for split in spec.splits for read in _boxes_of_split(spec, split, root)]
    except UserError as error:
        check_line(error)
        return None
    finally:
        file.unlink()
    return found


def _leads_out(data: bytes, root: Path) -> bool:
    """Whether the YAML names a folder that is there and not ours: what lies in it is not for this test to read."""
    try:
        texts = list(_texts(yaml.safe_load(data.decode())))
    except (yaml.YAMLError, ValueError, RecursionError):
        return False
    top = root.resolve()
    for text in texts:
        for base in (root, root / "images"):
            try:
                place = (base / Path(os.path.expandvars(text)).expanduser()).resolve()
                if place.exists() and not place.is_relative_to(top):
                    return True
            except (OSError, ValueError, RuntimeError):
                continue
    return False


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < 8 and isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each, depth + 1)


def _plain_names(data: bytes, root: Path) -> list[str]:
    content = yaml.safe_load(data.decode())
    named = content.get("classes", content.get("names")) if "format" in content else content["names"]
    if isinstance(named, dict):
        named = [name for _, name in sorted((int(number), name) for number, name in named.items())]
    if isinstance(named, str):
        named = (root / named.strip()).read_text().splitlines()
    if named is None:
        named = CLASSES  # those of the COCO files
    return [name.strip() for name in named]


def _boxes_of_split(spec: DatasetSpec, split: str, root: Path) -> list[str]:
    """The split's pictures, checked: a class is looked at by its name where the labels have names."""
    annotations, _ = read_split(spec, split)
    truth: dict[str, list[tuple[float, ...]]] = {}
    for annotation in annotations:
        if annotation.image.is_relative_to(root / "judged"):
            assert not len(annotation) and annotation.source is None
            truth[str(annotation.image)] = []
            continue
        key = _key(annotation.image, root)
        label, x1, y1, x2, y2 = TRUTH[key]
        if spec.format in ("voc", "coco"):
            label = [unicodedata.normalize("NFC", name) for name in spec.classes].index(CLASSES[label])
        if spec.format == "voc" and spec.first_pixel == 0:
            x1, y1 = x1 + 1, y1 + 1
        truth[key] = [(label, x1, y1, x2, y2)]
        found = zip(annotation.labels.tolist(), annotation.boxes.tolist(), strict=True)
        pairs = [(index, *box) for index, box in found]
        place = spec.splits[split]
        unlabelled = annotation.source is None and place.unlabelled != "error" and spec.format != "coco"
        check_same(pairs, [] if unlabelled else truth[key])
    assert len(truth) == len(annotations), "a picture is taken twice"
    return list(truth)


# Lists --------------------------------------------------------------------------------------------------------------


@st.composite
def sound_lists(draw: st.DrawFn) -> Sound:
    form = draw(st.sampled_from(["yolo", "voc", "coco", "folders"]))
    split = draw(st.sampled_from(list(PICTURES)))
    names = draw(st.lists(st.sampled_from(PICTURES[split]), min_size=1, max_size=5, unique=True))
    front = draw(st.sampled_from(["", "./", f"images/{split}/", f"data/obj_train_data/{split}/", f"C:\\me\\{split}\\"]))
    if form == "folders":
        front = ""
        names = [f"judged/{CLASSES[TRUTH[f'{split}/{n}'][0]]}/{split} {n.replace('/', ' ')}" for n in names]
    if "\\" in front:
        names = [name.replace("/", "\\") for name in names]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return Sound(end.join(front + name for name in names).encode(), (form, split), True)


def judge_list(data: bytes, options: Any, folder: Path) -> Any:
    form, split = options
    root = world(folder)
    listing = write(root, "fuzzed.txt", data)
    labels = {"yolo": root / "labels" / split, "voc": root / "annotations" / split, "coco": root / f"{split}.json"}
    images = (root,) if form == "folders" else (root / "images" / split,)
    place = SplitSpec(images, labels.get(form), (listing,))
    spec = DatasetSpec("parts", root, form, CLASSES, {split: place}, path=root / "data.yaml")
    try:
        if form == "folders":
            found = [label.image.relative_to(root).as_posix() for label in _judged(spec, split)]
        else:
            found = check_pictures(read_split(spec, split)[0], root)
    except UserError as error:
        check_line(error)
        return None
    entries = [line.strip() for line in re.split("\r\n|\r|\n", data.decode("utf-8-sig"))]
    entries = [entry.replace("\\", "/") for entry in entries if entry and not entry.startswith("#")]
    assert len(found) == len(entries), f"{len(found)} pictures for {len(entries)} entries"
    if form != "folders":  # a class may stand behind the path there
        for entry, name in zip(entries, found, strict=True):
            ours, theirs = (unicodedata.normalize("NFC", Path(text).name) for text in (name, entry))
            assert theirs in (ours, Path(ours).stem), f"{name} for {entry}"
    return found


def _judged(spec: DatasetSpec, split: str) -> list[Any]:
    """Pictures with one class each; where the list gives another than the folder, it says so in its own line."""
    found, _ = read_split(spec, split)
    for each in found:
        assert each.source is not None
        line = re.split("\r\n|\r|\n", each.source.read_bytes().decode("utf-8-sig"))[each.line - 1]
        said = unicodedata.normalize("NFC", line.strip())
        told = CLASSES[each.label] in said or re.search(rf"[\s,;]{each.label}$", said) is not None
        assert each.image.parent.name == CLASSES[each.label] or told, (each, line)
    return found


# Tables and class lists ---------------------------------------------------------------------------------------------


@st.composite
def sound_tables(draw: st.DrawFn) -> Sound:
    part = draw(st.sampled_from([",", ";", "\t"]))
    keys = draw(st.lists(st.sampled_from(list(TRUTH)), min_size=1, max_size=5, unique=True))
    stream = io.StringIO()
    table = csv.writer(stream, delimiter=part, lineterminator=draw(st.sampled_from(["\n", "\r\n"])))
    table.writerow(["path", "label", "split"])
    for key in keys:
        label = TRUTH[key][0]
        table.writerow([f"images/{key}", draw(st.sampled_from([CLASSES[label], str(label)])), "train"])
    return Sound(stream.getvalue().encode(), None, True)


def judge_table(data: bytes, _: Any, folder: Path) -> Any:
    root = world(folder)
    table = write(root, "fuzzed.csv", data)
    spec = DatasetSpec("parts", root, "csv", CLASSES, {"train": SplitSpec((root,), table)}, path=root / "data.yaml")
    try:
        found, _skipped = read_split(spec, "train")
    except UserError as error:
        check_line(error)
        return None
    text = unicodedata.normalize("NFC", data.decode("utf-8-sig"))
    header = text.split("\n", 1)[0]
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count)))
    cells = [[(cell or "").strip() for cell in row.values() if not isinstance(cell, list)] for row in rows]
    for each in found:
        shown = unicodedata.normalize("NFC", each.image.name)
        mine = [
            row for row in cells if any(Path(cell.replace("\\", "/")).name in (shown, Path(shown).stem) for cell in row)
        ]
        said = {cell for row in mine for cell in row}
        assert said & {CLASSES[each.label], *_numerals(each.label)}, (each, rows)
    return found


def _numerals(number: int) -> list[str]:
    return [f"{'0' * zeros}{number}" for zeros in range(9)]


@st.composite
def sound_class_lists(draw: st.DrawFn) -> Sound:
    form = draw(st.sampled_from(["{name}", "{number} {name}", "{number}: {name}", "{name}: {number}"]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines = [form.format(name=name, number=number) for number, name in enumerate(CLASSES)]
    return Sound(end.join(lines).encode(), draw(st.sampled_from(["yolo", "voc"])), True)


def judge_class_list(data: bytes, form: Any, folder: Path) -> Any:
    path = write(folder, "names.txt", data)
    try:
        found = check_class_names(read_class_names(path, form))
    except ValueError:
        return None
    except UserError as error:
        check_line(error)
        return None
    lines = [line.strip() for line in re.split("\r\n|\r|\n", data.decode("utf-8-sig")) if line.strip()]
    assert len(found) == len(lines), f"{found} for {lines}"
    plain = sorted(range(len(lines)), key=lambda index: _listed_number(lines, index, found))
    assert all(found[place] in lines[index] for place, index in enumerate(plain)), f"{found} for {lines}"
    return found


def _listed_number(lines: list[str], index: int, found: tuple[str, ...]) -> int:
    """Where a line's name belongs: at its number, if the names are not the whole lines."""
    if list(found) == lines:
        return index
    first, last = re.match(r"\d+", lines[index], re.ASCII), re.search(r"\d+$", lines[index], re.ASCII)
    number = first if first and all(re.match(r"\d", line, re.ASCII) for line in lines) else last
    assert number is not None, (found, lines)
    return int(number[0])


_PATHS = (
    """images/train/|a.png|b|line 1/c.png|c.jpg|../|./|C:\\|\\|/|#|e.jpg|größe 1.png|gro\u0308ße 1.png|dent
 scratch
,|;|\t|val|train""".encode()
    .replace(b"\n", b"|")
    .split(b"|")
)
SET_TARGETS = (
    Target("yaml", 0.02, yamls, judge_yaml, _KEYS),
    Target("list", 0.05, sound_lists(), judge_list, _PATHS),
    Target("table", 0.04, sound_tables(), judge_table, (*_PATHS, b"path", b"label", b"split", b'"')),
    Target("classes", 0.04, sound_class_lists(), judge_class_list, (b"0", b"1 ", b"2: ", b": 3", b"=", b"dent")),
)
