"""Label Studio's JSON: a list of tasks, each with a picture, its annotations and perhaps its predictions.

Coordinates are per cent of the picture's sides, of the picture as shown: browsers apply the EXIF rotation. Rectangles,
polygons and ellipses are read as the boxes around them. Choices, texts and ratings mark no place and are left out;
key points, brush strokes, videos and pictures turned in the tool are refused. JSON-MIN
(`lightdet.data.formats.label_studio_min`) is read as well. Predictions are no labels: they are read only if the YAML
says so.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import quoteattr

from lightdet.data.faults import DataError
from lightdet.data.formats.enclosing import ShapeError
from lightdet.data.formats.json_scanner import Scanner, read_json
from lightdet.data.formats.label_file import read_bounded
from lightdet.data.formats.label_studio_min import min_results
from lightdet.data.formats.label_studio_regions import add_region, regions_of, targets
from lightdet.data.formats.listed import ListedFile, ListedImage
from lightdet.data.formats.rules import PLAIN_RULES, Rules
from lightdet.files import write_text
from lightdet.structures import Annotation

MAX_JSON_BYTES = 256 << 20
_UPLOAD = re.compile(r"[0-9a-f]{8}-(.+)", re.DOTALL)
"""Label Studio puts eight letters before the name of an uploaded picture."""
_SUFFIX = re.compile(r"\.(jpe?g|png|bmp|tiff?|webp|gif|jfif|jp2|heic|avif|p[bgpn]m)\Z", re.IGNORECASE)

PER_CENT = {"coordinates": "per cent"}
"""What our own tasks say of themselves."""


def parse_label_studio(path: Path, rules: Rules = PLAIN_RULES) -> ListedFile:
    """Read a file; entries that cannot be used are listed with their lines.

    Raises:
        DataError: missing, too large, not JSON, or none of Label Studio.
    """
    try:
        text = read_bounded(path, MAX_JSON_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("not UTF-8 text; is this a Label Studio file?", "format", path=path) from None
    scanner = Scanner(text, path, (), "Label Studio file")
    tasks = read_json(scanner.elements, path, "Label Studio file")
    found = ListedFile(path)
    for line, task in tasks:
        try:
            found.images.append(_task(task, line, found, rules))
        except DataError as error:
            found.problems.append(error)
    _refuse_shares(found, [task for _, task in tasks])
    return found


def read_label_studio(
    path: Path, images: Path, sizes: Sequence[tuple[int, int]], classes: Sequence[str]
) -> list[Annotation]:
    """Read a whole file whose pictures, of these sizes (width, height), are in the folder `images`.

    Raises:
        UserError: the first thing that is wrong, with its line. Pictures are not opened.
    """
    file = parse_label_studio(path)
    if file.problems:
        raise file.problems[0]
    return [
        file.labels_of(image, size, classes).annotation(images / image.file_name)
        for image, size in zip(file.images, sizes, strict=True)
    ]


def label_studio_text(
    annotations: Sequence[Annotation],
    classes: Sequence[str],
    file_names: Sequence[str],
    predicted_by: str | None = None,
    scores: Sequence[Sequence[float]] = (),
) -> str:
    """Return the JSON of tasks, one per line, with annotations for controls called ``label`` and ``image``.

    Args:
        annotations: one per task.
        classes: their class names.
        file_names: what each task's ``image`` says.
        predicted_by: the name of a model: then the boxes are predictions, to be corrected in the tool.
        scores: with `predicted_by`, the score (0-1) of each box of each task.
    """
    tasks = []
    for number, (annotation, name) in enumerate(zip(annotations, file_names, strict=True)):
        results = _results(annotation, classes, number, scores[number] if scores else ())
        task: dict[str, Any] = {"id": number + 1, "data": {"image": name}, "meta": PER_CENT}
        task |= {"annotations": [], "predictions": []}
        if predicted_by is None:
            task["annotations"] = [{"id": number + 1, "result": results, "was_cancelled": False}]
        else:
            mean = {"score": sum(scores[number]) / len(scores[number])} if scores and len(scores[number]) else {}
            task["predictions"] = [{"model_version": predicted_by, "result": results, **mean}]
        tasks.append(json.dumps(task, ensure_ascii=False))
    return "[\n" + ",\n".join(tasks) + "\n]\n"


def label_studio_config(classes: Sequence[str]) -> str:
    """Return the labelling interface that such tasks are made for: rectangles with these classes."""
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in classes)
    picture = '  <Image name="image" value="$image" zoom="true"/>\n'
    return f'<View>\n{picture}  <RectangleLabels name="label" toName="image">\n{labels}  </RectangleLabels>\n</View>\n'


def write_label_studio(
    annotations: Sequence[Annotation], path: Path, classes: Sequence[str], names: Sequence[str]
) -> None:
    """Write a whole data set as annotated tasks (they cannot hold crowd flags); `names` are their ``image`` entries."""
    write_text(path, label_studio_text(annotations, classes, names))


def _results(
    annotation: Annotation, classes: Sequence[str], number: int, scores: Sequence[float]
) -> list[dict[str, Any]]:
    results = []
    for index, (box, label) in enumerate(zip(annotation.boxes.tolist(), annotation.labels.tolist(), strict=True)):
        identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{number} {index}").hex[:10]
        result = rectangle_result(box, annotation.size, classes[label], identity)
        results.append(result | ({"score": float(scores[index])} if len(scores) else {}))
    return results


def rectangle_result(
    box: Sequence[float],
    size: tuple[int, int],
    name: str,
    identity: str,
    controls: tuple[str, str] = ("label", "image"),
) -> dict[str, Any]:
    """Return the region of a box ``x1, y1, x2, y2`` in pixels of a picture of `size` (width, height).

    `controls` are the names of the interface's rectangles and of its picture.
    """
    (x1, y1, x2, y2), (width, height) = box, size
    value = {
        "x": x1 / width * 100,
        "y": y1 / height * 100,
        "width": (x2 - x1) / width * 100,
        "height": (y2 - y1) / height * 100,
        "rotation": 0,
        "rectanglelabels": [name],
    }
    return {
        "id": identity,
        "type": "rectanglelabels",
        "from_name": controls[0],
        "to_name": controls[1],
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": value,
    }


def _task(task: dict[str, Any], line: int, file: ListedFile, rules: Rules) -> ListedImage:
    """One task; raises a DataError for one whose picture or whose labels are not clear."""
    data = task.get("data", task)
    pictures = _pictures(data)
    path, others = _names(pictures[_picture(pictures, line, file)])
    image = ListedImage(path, None, line, others)
    results = _chosen(task, data, line, file, rules)
    _check_target(results, pictures, line, file)
    regions = regions_of(results)
    for number, result in enumerate(results, start=1):
        if not isinstance(result, dict):
            raise file.fault(f"result {number} is not an object {{...}}", line)
        try:
            add_region(result, regions, image)
        except ShapeError as error:
            what = f"result {result.get('id', number)!s:.40} of '{image.file_name}'"
            image.problems.append(file.fault(f"{what} {error}; correct or remove it", line, "value"))
    return image


def _pictures(data: object) -> dict[str, str]:
    """The entries that are pictures, each once: ``image``, which comes first, and those that look like one."""
    entries = {key: value for key, value in (data if isinstance(data, dict) else {}).items() if isinstance(value, str)}
    found = {"image": entries["image"]} if entries.get("image") else {}
    for key, value in entries.items():
        if value not in found.values() and _SUFFIX.search(_plain_path(value)[0]):
            found[key] = value
    return found


def _picture(pictures: Mapping[str, str], line: int, file: ListedFile) -> str:
    """The task's picture: ``image``, or the only one."""
    if len(pictures) != 1 and "image" not in pictures:
        several = "the picture could be '{}' or '{}'".format(*pictures) if pictures else "the task has no picture"
        raise file.fault(f"{several}; call its entry in 'data' 'image'", line, "missing-picture")
    return next(iter(pictures))


def _check_target(results: Sequence[object], pictures: Mapping[str, str], line: int, file: ListedFile) -> None:
    """Refuse regions on several pictures, or on one of which nothing says that it is the task's."""
    found = targets(results)
    named = [target for target in found if target is not None]
    first, second = [*pictures, ""][:2]
    if len(named) > 1:
        message = f"the task has regions on '{named[0]}' and on '{named[1]}'; give each picture a task of its own"
    elif not found or not second or found == [first]:
        return
    elif None in found:
        message = f"nothing says whether its regions are on '{first}' or on '{second}'; keep one of them in 'data'"
    elif named[0] in pictures:
        message = f"the task has regions on '{named[0]}', and its picture is '{first}'; keep one of them in 'data'"
    else:
        message = f"nothing says whether '{named[0]}' is '{first}' or '{second}'; keep one of them in 'data'"
    raise file.fault(message, line, "missing-picture")


def _names(text: str) -> tuple[str, tuple[str, ...]]:
    """What the picture is called, and what else it may be called on this computer."""
    path, loose = _plain_path(text)
    name = PurePosixPath(path).name
    upload = _UPLOAD.fullmatch(name)
    others = [name] * loose + ([upload.group(1)] if upload is not None and loose else [])
    return path, tuple(dict.fromkeys(other for other in others if other and other != path))


def _plain_path(text: str) -> tuple[str, bool]:
    """The path of a picture, and whether it is a URL: then the folders in front may exist on a server alone."""
    try:
        parts = urlsplit(text)
        local = parse_qs(parts.query).get("d", [])
    except ValueError:
        return text, False
    if parts.path.endswith("/local-files/") and local:
        return local[0], True
    if parts.scheme in ("http", "https", "s3", "gs", "azure-blob", "file") or text.startswith("/data/"):
        return unquote(parts.path).lstrip("/"), True
    return text, False


def _chosen(task: dict[str, Any], data: object, line: int, file: ListedFile, rules: Rules) -> list[Any]:
    """The results of the annotation that counts, or of the prediction if the YAML says that these are labels."""
    if data is task:  # JSON-MIN
        return min_results(task, line, file)
    found = _entries(task, "annotations", line, file) or _entries(task, "completions", line, file)
    found = [entry for entry in found if not entry.get("was_cancelled")]
    truths = [entry for entry in found if entry.get("ground_truth") is True]
    if len(found) > 1 and len(truths) != 1:
        message = f"the task has {len(found)} annotations; keep one, or mark one as ground truth"
        raise file.fault(message, line, "repeated")
    if not found and rules.predictions:
        found = _entries(task, "predictions", line, file)
        if len(found) > 1:
            raise file.fault(f"the task has {len(found)} predictions; keep one", line, "repeated")
    if not found:
        some = " (its predictions are no labels; 'predictions: true' in the YAML reads them)"
        told = some if task.get("predictions") and not rules.predictions else ""
        raise file.fault(f"the task is not annotated{told}; annotate it or remove it", line, "missing-label")
    results = (truths or found)[0].get("result")
    if not isinstance(results, list):
        raise file.fault("the task's annotation has no list 'result'", line)
    return results


def _entries(task: dict[str, Any], key: str, line: int, file: ListedFile) -> list[dict[str, Any]]:
    entries = task.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise file.fault(f"'{key}' must be a list of objects with 'result': export the project as JSON", line)
    return entries


def _refuse_shares(file: ListedFile, tasks: Sequence[dict[str, Any]]) -> None:
    """Refuse a file whose numbers are all below 1: shares that some script wrote, or specks in one corner?

    One or two specks may be, in a file whose tasks were drawn in Label Studio, and any number in one of ours.
    """
    marks = [mark for image in file.images for mark in image.marks]
    if not marks or any(max(mark.box) > 1 for mark in marks) or all(task.get("meta") == PER_CENT for task in tasks):
        return
    if len(marks) > 2 or not any(map(_drawn, tasks)):
        message = "every coordinate is at most 1: these look like shares, and Label Studio writes per cent (0-100)"
        file.problems.append(file.fault(message, marks[0].line, "value"))


def _drawn(task: dict[str, Any]) -> bool:
    """Whether somebody drew in the tool, which writes down how long it took."""
    entries = task.get("annotations")
    return any(
        "lead_time" in each
        for each in [task, *(entries if isinstance(entries, list) else [])]
        if isinstance(each, dict)
    )
