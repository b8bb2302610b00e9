"""The file that lists a data set's classes: one name per line, or names with their numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import read_lines

_NUMBER_FIRST = re.compile(r"([0-9]+)(?:\s*[:,=;.)]\s*|\s+)(\S.*)")
_NUMBER_LAST = re.compile(r"(\S.*?)\s*[:,=;\t]\s*([0-9]+)")  # 'type 1' is a name: a space alone does not separate
_FIRST_NUMBER = {"yolo": 0, "deeppcb": 1}
"""What a format's labels count from; other formats name the classes."""


def read_class_names(path: Path, form: str) -> tuple[str, ...]:
    """Read class names from a text file, in the order of their numbers.

    Lines are names, or all of them are ``0 scratch``, ``0: scratch``, ``scratch: 0`` with the numbers from 0 or 1
    without a gap. Otherwise the lines are taken as names.

    Args:
        path: the file.
        form: the data set's format, which may determine what labels count from.

    Raises:
        UserError: a missing or unreadable file, one of another kind, or numbers that contradict the format.
    """
    if path.suffix.lower() in (".yaml", ".yml", ".json", ".pbtxt", ".xml", ".csv"):
        message = "the list of classes must be a text file with one name per line; or list the names in the YAML"
        raise DataError(message, "format", path=path)
    lines = read_lines(path)
    numbered = numbered_names([line for _, line in lines])
    if numbered is None:
        if lines and all(line.isdigit() for _, line in lines):
            raise DataError("holds numbers instead of class names", "format", path=path)
        return tuple(line for _, line in lines)
    begin = min(numbered)
    wanted = _FIRST_NUMBER.get(form, begin)
    if begin != wanted:
        message = f"numbers its classes from {begin}, but {form} labels count from {wanted}: which is right? "
        raise DataError(f"{message}List only the names, one per line, in the order of the labels", "format", path=path)
    return tuple(numbered[number] for number in sorted(numbered))


def numbered_names(lines: Sequence[str]) -> dict[int, str] | None:
    """Names by number, if each line has one, they run from 0 or 1 without a gap, and the names differ."""
    for pattern, number, name in ((_NUMBER_FIRST, 1, 2), (_NUMBER_LAST, 2, 1)):
        found = [pattern.fullmatch(line) for line in lines]
        names = {int(match[number]): match[name].strip() for match in found if match}
        if not names or len(names) < len(lines) or len(set(names.values())) < len(names):
            continue
        if min(names) in (0, 1) and max(names) - min(names) == len(names) - 1:
            return names
    return None
