"""Make the files in ``from_tools`` anew, each by the tool itself; not run by the tests.

    python -m venv tools-venv && tools-venv/bin/pip install labelme datumaro
    tools-venv/bin/python tests/data/formats/make_from_tools.py

The pictures are drawn here: a gray ground with a bar (``scratch``) and a square (``größe``). Label Studio's exports are
written by its server alone; the one here is typed after its documentation (guide/export, tags/rectanglelabels).
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).with_name("from_tools")
SIZE = (96, 64)
NAMES = ("scratch", "größe")
BOXES = {"a": [(0, 10.5, 20.25, 40.75, 30.5), (1, 60.0, 10.0, 80.0, 30.0)], "b": [(1, 5.0, 5.0, 25.0, 25.0)], "c": []}


def picture(name: str) -> np.ndarray:
    pixels = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    for label, x1, y1, x2, y2 in BOXES[name]:
        pixels[int(y1) : int(y2), int(x1) : int(x2)] = (40, 40, 40) if label == 0 else (200, 200, 200)
    return pixels


def save(folder: Path, turned: str | None = None) -> None:
    """The pictures; `turned` is stored on its side, with the EXIF tag that puts it upright."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in BOXES:
        image = Image.fromarray(picture(name))
        if name == turned:
            exif = Image.Exif()
            exif[274] = 6
            image.transpose(Image.Transpose.ROTATE_90).save(folder / f"{name}.jpg", quality=80, exif=exif)
        else:
            image.save(folder / f"{name}.jpg", quality=80)


def make_labelme() -> None:
    from labelme._label_file import read_image_file, write_label_file

    folder = FOLDER / "labelme"
    save(folder, turned="b")
    for name, boxes in BOXES.items():
        shapes = []
        for label, x1, y1, x2, y2 in boxes:
            square = {"shape_type": "rectangle", "points": [[x2, y2], [x1, y1]]}
            middle, edge = [(x1 + x2) / 2, (y1 + y2) / 2], [x2, (y1 + y2) / 2]
            disc = {"shape_type": "circle", "points": [middle, edge]}
            common = {"label": NAMES[label], "group_id": None, "description": "", "flags": {}, "mask": None}
            shapes.append(common | (disc if label else square))
        data = read_image_file(filename=str(folder / f"{name}.jpg"))
        inside = name == "b"
        shown = Image.open(io.BytesIO(data))
        write_label_file(
            str(folder / f"{name}.json"),
            shapes=shapes,
            image_path=f"{name}.jpg",
            image_height=shown.height,
            image_width=shown.width,
            image_data=data if inside else None,
        )
        if inside:
            (folder / f"{name}.jpg").unlink()


def make_datumaro() -> None:
    from datumaro import Bbox, Dataset, DatasetItem, Mask, Polygon
    from datumaro import Image as Media

    work = FOLDER / "work"
    save(work)
    for form, options in (("cvat", {}), ("coco_instances", {}), ("voc_segmentation", {"label_map": "source"})):
        items = []
        for name, boxes in BOXES.items():
            marks = []
            for number, (label, x1, y1, x2, y2) in enumerate(boxes, start=1):
                if form == "cvat":
                    marks.append(
                        Bbox(x1, y1, x2 - x1, y2 - y1, label=label)
                        if label == 0
                        else Polygon([x1, y1, x2, y1, x2, y2, x1, y2], label=label)
                    )
                elif form == "coco_instances":
                    marks.append(Polygon([x1, y1, x2, y1, x2, y2, x1, y2], label=label, group=number))
                else:
                    where = np.zeros((SIZE[1], SIZE[0]), bool)
                    where[round(y1) : round(y2), round(x1) : round(x2)] = True
                    marks.append(Mask(where, label=label))
            media = Media.from_file(str(work / f"{name}.jpg"))
            items.append(DatasetItem(id=name, annotations=marks, media=media, subset="train"))
        data = Dataset.from_iterable(items, categories=list(NAMES))
        data.export(str(FOLDER / form), form, save_media=True, **options)
    shutil.rmtree(work)
    # An export with outlines alone, as tools without boxes write it.
    for path in (FOLDER / "coco_instances").rglob("*.json"):
        values = json.loads(path.read_text())
        for number, entry in enumerate(values["annotations"]):
            del entry["bbox"]
            if number == 0:
                from pycocotools import mask

                height, width = SIZE[1], SIZE[0]
                (runs,) = mask.frPyObjects(entry["segmentation"], height, width)
                entry["segmentation"] = {"size": runs["size"], "counts": runs["counts"].decode()}
        path.write_text(json.dumps(values, ensure_ascii=False))


if __name__ == "__main__":
    for each in FOLDER.iterdir():
        if each.is_dir() and each.name != "label-studio":
            shutil.rmtree(each)
    make_labelme()
    make_datumaro()
