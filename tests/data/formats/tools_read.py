"""Read a data set with a labelling tool's own code, and print its boxes as JSON; runs where the tools are installed.

tools-venv/bin/python tests/data/formats/tools_read.py cvat FOLDER_OR_FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def labelme(path: Path) -> dict[str, list[object]]:
    from labelme._label_file import read_label_file

    found: dict[str, list[object]] = {}
    for file in sorted(path.rglob("*.json")):
        data = read_label_file(filename=str(file))
        found[file.stem] = [[s["label"], *s["points"][0], *s["points"][1]] for s in data.shapes]
    return found


def datumaro(path: Path, form: str) -> dict[str, list[object]]:
    from datumaro import AnnotationType, Dataset

    data = Dataset.import_from(str(path), form)
    names = data.categories()[AnnotationType.label]
    found: dict[str, list[object]] = {}
    for item in data:
        boxes = [a.get_bbox() for a in item.annotations]
        labels = [names[a.label].name for a in item.annotations]
        found[Path(item.id).name] = [[n, x, y, x + w, y + h] for n, (x, y, w, h) in zip(labels, boxes, strict=True)]
    return found


def label_studio(path: Path) -> dict[str, list[object]]:
    from label_studio_sdk.converter import Converter

    config = '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    config += '<Label value="scratch"/><Label value="dent"/></RectangleLabels></View>'
    found: dict[str, list[object]] = {}
    for item in Converter(config, str(path.parent)).iter_from_json_file(str(path)):
        boxes = []
        for region in item["output"].get("label", []):
            width, height = region["original_width"] / 100, region["original_height"] / 100
            x, y, w, h = (region[key] for key in ("x", "y", "width", "height"))
            corners = [x * width, y * height, (x + w) * width, (y + h) * height]
            boxes.append([region["rectanglelabels"][0], *corners])
        found[Path(item["input"]["image"]).stem] = boxes
    return found


def label_studio_predictions(path: Path) -> dict[str, list[object]]:
    """The predictions, checked against the labelling interface beside them as at an import."""
    from urllib.parse import unquote

    from label_studio_sdk.label_interface import LabelInterface

    interface = LabelInterface(path.with_name(f"{path.stem}-labels.xml").read_text(encoding="utf-8"))
    found: dict[str, list[object]] = {}
    for task in json.loads(path.read_text(encoding="utf-8")):
        for prediction in task["predictions"]:
            if faults := interface.validate_prediction(prediction, return_errors=True):
                raise SystemExit(f"Label Studio would refuse task {task['id']}: {faults}")
        boxes = []
        for region in task["predictions"][0]["result"]:
            value, width, height = region["value"], region["original_width"] / 100, region["original_height"] / 100
            x, y, w, h = (value[key] for key in ("x", "y", "width", "height"))
            boxes.append([value["rectanglelabels"][0], x * width, y * height, (x + w) * width, (y + h) * height])
        found[Path(unquote(task["data"]["image"]).rpartition("=")[2]).stem] = boxes
    return found


if __name__ == "__main__":
    which, place = sys.argv[1], Path(sys.argv[2])
    readers = {"labelme": labelme, "label-studio": label_studio, "label-studio-predictions": label_studio_predictions}
    print(json.dumps(readers[which](place) if which in readers else datumaro(place, which)))
