"""What Label Studio asks a model: its labelling interface, its tasks' pictures, and boxes as its regions.

No address is ever fetched: a picture is in the task itself (``data:``) or in a folder that was named at the start.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, unquote_to_bytes, urlsplit

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import read_bounded
from lightdet.data.formats.label_studio import rectangle_result
from lightdet.data.formats.xml_tree import Element, parse_xml
from lightdet.service.inspection import Inspection
from lightdet.web.errors import RefusalError

NO_FOLDER = "this service has no folder of pictures: start it with --label-studio-folder DIR, or send data: URIs"


@dataclass(frozen=True)
class Interface:
    """The rectangles of a project's labelling interface.

    Attributes:
        controls: the names of the rectangles' control and of the picture.
        entry: which entry of a task's data holds the picture.
        labels: by class name, what a region says (a label's ``alias``, if it has one).
    """

    controls: tuple[str, str]
    entry: str
    labels: Mapping[str, str]


def read_interface(text: object) -> Interface:
    """Read a labelling interface.

    Raises:
        RefusalError: no XML, or no rectangles on a picture in it (422).
    """
    try:
        root = parse_xml(text.encode() if isinstance(text, str) else b"", Path("interface"))
    except DataError as error:
        raise RefusalError(422, "bad_interface", f"the labelling interface cannot be read: {error.message}") from None
    every = list(_all(root))
    pictures = {each.attributes.get("name", ""): each for each in every if each.tag == "Image"}
    for control in every:
        picture = pictures.get(control.attributes.get("toName", ""))
        if control.tag == "RectangleLabels" and picture is not None:
            named = [label.attributes for label in _all(control) if label.tag == "Label"]
            labels = {each["value"]: each.get("alias") or each["value"] for each in named if each.get("value")}
            names = (control.attributes.get("name", ""), picture.attributes.get("name", ""))
            return Interface(names, picture.attributes.get("value", "").strip().lstrip("$"), labels)
    message = "the labelling interface has no <RectangleLabels> for an <Image>; add one with the model's classes"
    raise RefusalError(422, "bad_interface", message)


def check_classes(interface: Interface, classes: Iterable[str]) -> None:
    """Refuse an interface with none of the model's classes.

    Raises:
        RefusalError: 422.
    """
    known = list(classes)
    if not set(interface.labels) & set(known):
        message = f"none of the interface's labels is a class of the model: {', '.join(known)[:500]}"
        raise RefusalError(422, "bad_interface", message)


def picture_of(task: object, interface: Interface, folder: Path | None, most: int) -> tuple[bytes, str]:
    """Return the bytes of a task's picture, at most `most`, and its name.

    Raises:
        RefusalError: the task names none (422), it would have to be fetched or is outside the folder (403), is not
            there (404) or too large (413).
    """
    data = task.get("data") if isinstance(task, dict) else None
    value = data.get(interface.entry) if isinstance(data, dict) else None
    if not isinstance(value, str) or not value:
        raise RefusalError(422, "bad_request", f"the task has no text '{interface.entry[:100]}' in its data")
    if value[:5].lower() == "data:":
        return _inline(value), ""
    place = _place(value)
    if folder is None:
        raise RefusalError(403, "no_folder", NO_FOLDER)
    return _read(place, folder, most), place.rpartition("/")[2]


def regions(found: Inspection, interface: Interface) -> dict[str, Any]:
    """Return what was found and counts as a defect as a prediction; classes without a label are left out."""
    results, scores = [], []
    for each in found.detections:
        label = interface.labels.get(each["name"])
        if not each["defect"] or label is None:
            continue
        region = rectangle_result(each["box"], found.size, label, uuid.uuid4().hex[:10], interface.controls)
        results.append(region | {"score": each["score"]})
        scores.append(each["score"])
    mean = {"score": sum(scores) / len(scores)} if scores else {}
    return {"model_version": version_of(found.model.name, found.model.version), "result": results, **mean}


def version_of(name: str, version: str) -> str:
    """What Label Studio calls the model."""
    return f"{name} {version}"


def _all(element: Element) -> Iterable[Element]:
    yield element
    for child in element.children:
        yield from _all(child)


def _inline(value: str) -> bytes:
    head, comma, body = value[5:].partition(",")
    try:
        if not comma:
            raise ValueError
        coded = head.lower().rstrip().endswith(";base64")
        return base64.b64decode(unquote_to_bytes(body), validate=True) if coded else unquote_to_bytes(body)
    except (ValueError, binascii.Error):
        raise RefusalError(422, "bad_picture", "the data: URI holds no picture in base64") from None


def _place(value: str) -> str:
    """The path in an address of Label Studio's own, or a plain path."""
    try:
        parts = urlsplit(value)
        local = parse_qs(parts.query).get("d", [])
    except ValueError:
        parts, local = urlsplit(""), []
    if parts.path.endswith("/data/local-files/") and len(local) == 1:
        return local[0]
    if parts.scheme in ("", "http", "https") and parts.path.startswith("/data/upload/"):
        return unquote(parts.path).removeprefix("/data/")
    if parts.scheme or parts.netloc:
        message = (
            "this service fetches no pictures from addresses; use local files (--label-studio-folder) or data: URIs"
        )
        raise RefusalError(403, "no_fetching", message)
    return value


def _read(place: str, folder: Path, most: int) -> bytes:
    """The bytes of a file below the folder; links that lead out of it do not count as below."""
    try:
        path = (folder / place).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise RefusalError(403, "outside_folder", "the task's picture lies outside --label-studio-folder")
        if not path.is_file():
            raise RefusalError(404, "not_found", "the task's picture is not in --label-studio-folder")
        if path.stat().st_size > most:
            raise RefusalError(413, "picture_too_large", "the task's picture is larger than --max-mib")
        return read_bounded(path, most)
    except (OSError, ValueError, DataError):
        raise RefusalError(404, "not_found", "the task's picture cannot be read") from None
