"""A split's labels, and a data set's YAML, in the format that the data set is written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from lightdet.data.dataset import DatasetSpec, Format
from lightdet.data.formats.box_csv import box_csv_text
from lightdet.data.formats.coco import coco_text
from lightdet.data.formats.cvat import cvat_text
from lightdet.data.formats.deeppcb import deeppcb_text
from lightdet.data.formats.label_studio import label_studio_text
from lightdet.data.formats.labelme import labelme_text
from lightdet.data.formats.masks import write_mask
from lightdet.data.formats.voc import voc_text
from lightdet.data.formats.yolo import yolo_text
from lightdet.data.label_places import LABEL_SUFFIX
from lightdet.errors import UserError
from lightdet.files import make_folder, write_text
from lightdet.structures import Annotation

FOLDERS = {
    "yolo": ("images", "labels"),
    "voc": ("JPEGImages", "Annotations"),
    "coco": ("images", "annotations"),
    "deeppcb": ("images", "labels"),
    "labelme": ("images", "images"),
    "cvat": ("images", "annotations"),
    "label-studio": ("images", "annotations"),
    "csv-boxes": ("images", "annotations"),
    "masks": ("images", "masks"),
}
"""Names of the picture and the label folder of each format, with one folder per split below them."""
_SET_TEXTS: dict[str, tuple[str, Callable[[Sequence[Annotation], Sequence[str], Sequence[str]], str]]] = {
    "coco": ("json", coco_text),
    "cvat": ("xml", cvat_text),
    "label-studio": ("json", label_studio_text),
    "csv-boxes": ("csv", box_csv_text),
}
"""Of formats with one file per split: its ending, and what makes its text."""


def write_labels(
    output: Path,
    form: Format,
    split: str,
    pairs: Sequence[tuple[Annotation, PurePosixPath]],
    spec: DatasetSpec,
) -> None:
    """Write the labels of a split's pictures, each with its path below the split's picture folder.

    Raises:
        UserError: a file cannot be written.
    """
    folder, classes = output / FOLDERS[form][1], spec.classes
    if form in _SET_TEXTS:
        ending, text_of = _SET_TEXTS[form]
        annotations = [a if form == "coco" else _without_crowd(a) for a, _ in pairs]
        write_text(folder / f"{split}.{ending}", text_of(annotations, classes, [str(name) for _, name in pairs]))
        return
    if form == "masks":
        for annotation, name in pairs:
            write_mask(_without_crowd(annotation), folder / split / name.with_suffix(LABEL_SUFFIX[form]))
        return
    listed = []
    for annotation, name in pairs:
        kept = _without_crowd(annotation)
        if form == "yolo":
            text, label = yolo_text(kept), name.with_suffix(LABEL_SUFFIX[form])
        elif form == "voc":
            text = voc_text(kept, classes, name.name, first_pixel=1 if spec.first_pixel is None else spec.first_pixel)
            label = name.with_suffix(LABEL_SUFFIX[form])
        elif form == "labelme":
            text, label = labelme_text(kept, classes, name.name), name.with_suffix(LABEL_SUFFIX[form])
        else:
            text, label = deeppcb_text(kept), name.with_name(f"{name.stem.removesuffix('_test')}.txt")
            listed.append(f"images/{split}/{name.with_name(label.stem + name.suffix)} labels/{split}/{label}\n")
        target = folder / split / label
        make_folder(target.parent)
        try:  # not synced one by one: the YAML, written last, says that all files exist
            target.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror}", path=target) from None
    if listed:
        write_text(output / f"{split}.txt", "".join(listed))


def _without_crowd(annotation: Annotation) -> Annotation:
    if annotation.crowd is None or not annotation.crowd.any():
        return annotation
    kept = ~annotation.crowd
    lines = tuple(np.array(annotation.lines)[kept].tolist()) if annotation.lines else ()
    area = None if annotation.area is None else annotation.area[kept]
    boxes, labels = annotation.boxes[kept], annotation.labels[kept]
    return replace(annotation, boxes=boxes, labels=labels, crowd=None, lines=lines, area=area)


def yaml_text(spec: DatasetSpec, form: Format) -> str:
    """Return the YAML that describes the data set `spec` once it is written as `form`."""
    pictures, labels = FOLDERS[form]
    splits: dict[str, object] = {}
    for name in spec.splits:
        if form == "deeppcb":
            splits[name] = f"{name}.txt"
        elif form in _SET_TEXTS:
            splits[name] = {"images": f"{pictures}/{name}", "labels": f"{labels}/{name}.{_SET_TEXTS[form][0]}"}
        else:
            splits[name] = {"images": f"{pictures}/{name}", "labels": f"{labels}/{name}"}
    values: dict[str, object] = {"name": spec.name, "root": ".", "format": form, "classes": list(spec.classes)}
    values["splits"] = splits
    if spec.bit_depth != 16:
        values["bit_depth"] = spec.bit_depth
    if form == "voc" and spec.first_pixel == 0:
        values["first_pixel"] = 0
    if form == "csv-boxes":  # a box in the first pixel could be in shares as well
        values["coordinates"] = "pixels"
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
