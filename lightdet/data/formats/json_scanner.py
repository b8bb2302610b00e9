"""JSON of labels read element by element, so that every entry has its line, and no key is given twice."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from lightdet.data.faults import DataError
from lightdet.errors import UserError

_SPACE = re.compile(r"[ \t\r\n]*")

Lists = dict[str, list[tuple[int, dict[str, Any]]]]
"""For each top-level list, its objects with their lines."""


class _RepeatedKeyError(Exception):
    """An object gives a key twice; the text is the key."""


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether `value` can be a coordinate: a whole number with hundreds of digits is neither that nor a float."""
    if isinstance(value, bool):
        return False
    return (isinstance(value, int) and abs(value) < 1e15) or isinstance(value, float)


def _as_it_is(found: dict[str, Any]) -> dict[str, Any]:
    return found


class Scanner:
    """Walks the top-level object or list and notes the line at which each element of its lists begins.

    Attributes:
        names: the lists of the top-level object whose elements are wanted.
        what: what the file should be, for messages.
        values: what else the top-level object holds, once it is read.
    """

    def __init__(
        self,
        text: str,
        path: Path,
        names: Sequence[str] = (),
        what: str = "list",
        reduce: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is,
    ) -> None:
        """`reduce` gets each object once it is read: what it takes out of a large file needs no memory."""
        self.text = text
        self.path = path
        self.names = names
        self.what = what
        self.reduce = reduce
        self.values: dict[str, Any] = {}
        self.decoder = json.JSONDecoder(object_pairs_hook=self._object)
        self.breaks = [match.start() for match in re.finditer("\r\n|\r|\n", text)]

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1)[:40])
        return self.reduce(found)

    def elements(self) -> list[tuple[int, dict[str, Any]]]:
        """Read a top-level list of objects, each with its line; raises what `lists` raises."""
        if self._peek(0) != "[":
            message = f"not a {self.what}: the file must begin with '['"
            raise UserError(message, path=self.path, line=1)
        found, position = self._objects(self.what, 0)
        self._nothing_behind(position, "]")
        return found

    def lists(self) -> Lists:
        """Read all of a top-level object.

        Raises:
            UserError: a list that is none, a key given twice, more than one data set.
            json.JSONDecodeError: not JSON.
        """
        found: Lists = {}
        seen = set[str]()
        if self._peek(0) == "[":
            message = f'not a {self.what}: it holds a list; the top level must be {{"{self.names[0]}": ..., ...}}'
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
            if key in self.names and self._peek(position) == "[":
                found[key], position = self._objects(key, position)
            elif key in self.names:
                raise UserError(f"'{key}' must be a list", path=self.path, line=self._line(position))
            else:
                self.values[key], position = self._value(self._skip(position))
            if self._peek(position) == "}":
                return self._at_end(found, position)
            position = self._expect(",", position)

    def _at_end(self, found: Lists, position: int) -> Lists:
        """Return `found` if nothing follows the ``}`` at `position`: a second data set would be ignored."""
        self._nothing_behind(self._expect("}", position), "}")
        return found

    def _nothing_behind(self, position: int, end: str) -> None:
        behind = self._skip(position)
        if behind < len(self.text):
            message = f"the file continues after its last '{end}'; are these two files in one?"
            raise UserError(message, path=self.path, line=self._line(behind))

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


def read_json(scan: Callable[[], Any], path: Path, what: str) -> Any:
    """Return what `scan` returns, with every error of JSON as one line.

    Raises:
        DataError: not JSON, a number or a nesting beyond any label's, or what a `Scanner` refuses.
    """
    try:
        return scan()
    except UserError as error:
        raise DataError(error.message, "format", path=error.path, line=error.line) from None
    except json.JSONDecodeError as error:
        raise DataError(f"not valid JSON: {error.msg}", "format", path=path, line=error.lineno) from None
    except (RecursionError, ValueError):
        raise DataError(f"not a {what}: nested too deeply or a number too long", "format", path=path) from None
