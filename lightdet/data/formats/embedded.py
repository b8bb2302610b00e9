"""Pictures inside LabelMe's JSON files: ``imageData`` is the picture's file in base64."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import MAX_LABEL_BYTES, read_bounded

SUFFIX = ".json"
MAX_BYTES = 128 << 20
"""Largest JSON with a picture in it."""
_PICTURE = re.compile(rb'"imageData"\s*:\s*"((?:[A-Za-z0-9+/=]|\\/)*)"')
"""In valid JSON no other text looks like this: a quotation mark within a string follows a backslash."""


def text_without_picture(path: Path) -> str:
    """The text of a JSON file with its picture left out, so that it need not be decoded.

    Raises:
        DataError: missing, unreadable, too large (with or without the picture), or not UTF-8.
    """
    text = _PICTURE.sub(b'"imageData": ""', read_bounded(path, MAX_BYTES))
    if len(text) > MAX_LABEL_BYTES:
        limit = MAX_LABEL_BYTES >> 20
        raise DataError(f"larger than {limit} MiB without its picture; is this the right file?", "format", path=path)
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("not UTF-8 text; is this a LabelMe file?", "format", path=path) from None


def holds_picture(path: Path) -> bool:
    """Whether a JSON file has a picture in it; False for files that cannot be read."""
    try:
        found = _PICTURE.search(read_bounded(path, MAX_BYTES))
    except DataError:
        return False
    return found is not None and found.end(1) > found.start(1)


def embedded_picture(path: Path) -> bytes:
    """The file of the picture in a JSON file.

    Raises:
        DataError: the JSON is missing, unreadable or too large, or there is no picture in it, or more than one.
    """
    found = _PICTURE.findall(read_bounded(path, MAX_BYTES))
    if len(found) != 1 or not found[0]:
        raise DataError("has no picture in it ('imageData' of LabelMe)", "picture", path=path)
    try:
        return base64.b64decode(found[0].replace(b"\\", b""), validate=True)
    except (binascii.Error, ValueError):
        raise DataError("its 'imageData' is not a picture in base64; export it again", "picture", path=path) from None
