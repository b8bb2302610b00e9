"""COCO's JSON read element by element, so that every entry has its line."""

from __future__ import annotations

import bisect
import json
import re
from pathlib import Path
from typing import Any

from lightdet.data.formats.coco_outlines import has_points, is_outline
from lightdet.errors import UserError

LISTS = ("images", "categories", "annotations")
_SPACE = re.compile(r"[ \t\r\n]*")

Lists = dict[str, list[tuple[int, dict[str, Any]]]]
"""For each top-level list, its objects with their lines."""


class _RepeatedKeyError(Exception):
    """An object gives a key twice; the text is the key."""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; of outlines, which make up most of a large file, only whether there are any besides the box."""
    found = dict(pairs)
    if "segmentation" in found:
        found["segmentation"] = is_outline(found["segmentation"], found.get("bbox"))
    if "keypoints" in found:
        found["keypoints"] = has_points(found["keypoints"])
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1)[:40])
    return found


class Scanner:
    """Walks the top-level object and notes the line at which each element of its lists begins."""

    def __init__(self, text: str, path: Path) -> None:
        self.text = text
        self.path = path
        self.decoder = json.JSONDecoder(object_pairs_hook=_without_repeats)
        self.breaks = [match.start() for match in re.finditer("\r\n|\r|\n", text)]

    def lists(self) -> Lists:
        """Read all of it.

        Raises:
            UserError: a list that is none, a key given twice, more than one data set.
            json.JSONDecodeError: not JSON.
        """
        found: Lists = {}
        seen = set[str]()
        if self._peek(0) == "[":
            message = 'not a COCO data set: it holds a list; the top level must be {"images": ..., ...}'
            raise UserError(message, path=self.path, line=1)
        position = self._expect("{", 0)
        if self._peek(position) == "}":
            return self._at_end(found, position)
        while True:
            start = self._skip(position)
            key, position = self._value(start)
            if not isinstance(key, str):
                raise json.JSONDecodeError("expected a key in double quotes", self.text, start)
            position = self._expect(":", position)
            if key in seen:
                raise UserError(f"'{key}' is given twice; keep one of them", path=self.path, line=self._line(position))
            seen.add(key)
            if key in LISTS and self._peek(position) == "[":
                found[key], position = self._objects(key, position)
            elif key in LISTS:
                raise UserError(f"'{key}' must be a list", path=self.path, line=self._line(position))
            else:
                _, position = self._value(self._skip(position))
            if self._peek(position) == "}":
                return self._at_end(found, position)
            position = self._expect(",", position)

    def _at_end(self, found: Lists, position: int) -> Lists:
        """Return `found` if nothing follows the ``}`` at `position`: a second data set would be ignored."""
        behind = self._skip(self._expect("}", position))
        if behind < len(self.text):
            message = "the file continues after its last '}'; are these two files in one?"
            raise UserError(message, path=self.path, line=self._line(behind))
        return found

    def _value(self, position: int) -> tuple[Any, int]:
        """Decode the value that begins at `position`; returns it and the position after it."""
        try:
            return self.decoder.raw_decode(self.text, position)
        except _RepeatedKeyError as error:
            message = f"'{error}' is given twice in one object; keep one of them"
            raise UserError(message, path=self.path, line=self._line(position)) from None

    def _objects(self, key: str, position: int) -> tuple[list[tuple[int, dict[str, Any]]], int]:
        """Return (line, object) of each element of the list at `position`, and the position after the list."""
        found: list[tuple[int, dict[str, Any]]] = []
        position = self._expect("[", position)
        if self._peek(position) == "]":
            return found, self._expect("]", position)
        while True:
            start = self._skip(position)
            value, position = self._value(start)
            if not isinstance(value, dict):
                message = f"an entry of '{key}' is not an object {{...}}"
                raise UserError(message, path=self.path, line=self._line(start))
            found.append((self._line(start), value))
            if self._peek(position) == "]":
                return found, self._expect("]", position)
            position = self._expect(",", position)

    def _skip(self, position: int) -> int:
        match = _SPACE.match(self.text, position)
        return match.end() if match else position

    def _peek(self, position: int) -> str:
        start = self._skip(position)
        return self.text[start : start + 1]

    def _expect(self, character: str, position: int) -> int:
        if self._peek(position) != character:
            raise json.JSONDecodeError(f"expected '{character}'", self.text, self._skip(position))
        return self._skip(position) + 1

    def _line(self, position: int) -> int:
        return bisect.bisect_left(self.breaks, position) + 1
