"""Comparisons between pictures: the same one in two splits, copies, near copies, the odd one out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightdet.arrays import IntArray
from lightdet.data.audit.duplicates import THUMBNAIL, identical, near_matches
from lightdet.data.audit.findings import Finding, Severity
from lightdet.data.audit.pictures import PictureCheck

_FEW_COLOURED, _COLOURED = 0.05, 0.0005


@dataclass(frozen=True)
class Member:
    """A picture of the set: its first split, its description, and its boxes with labels for comparison.

    With `whole` the labels describe the whole picture, so similar pictures should have the same.
    """

    split: str
    check: PictureCheck
    labels: tuple[tuple[float, ...], ...] | None
    whole: bool = False


def check_shared(splits: Mapping[str, Sequence[Path]]) -> Iterator[Finding]:
    """The same file in two splits: an error if one of them is for training, otherwise a warning, one for each pair."""
    names = list(splits)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            inside = set(splits[first])
            shared = [path for path in splits[second] if path in inside]
            for path in shared:
                yield Finding("shared", _leak(first, second), f"is in '{first}' and in '{second}'", second, path)


def check_copies(members: Sequence[Member]) -> tuple[list[Finding], list[int]]:
    """Identical files or pixels; also returns the members that represent their group in further comparisons."""
    findings, kept = [], set(range(len(members)))
    for by_pixels, digests in (
        (False, [member.check.bytes_digest for member in members]),
        (True, [member.check.pixels_digest for member in members]),
    ):
        for equal in identical(digests):
            group = [index for index in equal if index in kept]
            for index in group[1:]:
                findings.append(_copy(members[group[0]], members[index], by_pixels))
            kept -= set(group[1:])
    return findings, sorted(kept)


def check_near(members: Sequence[Member], splits: Sequence[str]) -> Iterator[Finding]:
    """Near copies within and between splits, one finding for each picture with its most alike partner."""
    usable = [member for member in members if member.check.thumbnail is not None]
    stack = np.array([member.check.thumbnail for member in usable], np.float32).reshape(-1, THUMBNAIL, THUMBNAIL)
    groups: IntArray = np.array([splits.index(member.split) for member in usable], np.int64)
    matches = near_matches(stack, groups, len(splits))
    for index, member in enumerate(usable):
        if matches.flat[index]:
            yield Finding("flat", "note", "almost without contrast", member.split, member.check.path)
        for group, split in enumerate(splits):
            partner = int(matches.partner[index, group])
            # Between splits the finding is at the later one (train comes first); within one, at the later of the pair.
            within = group == groups[index]
            mutual = within and matches.partner[partner, group] == index and partner > index
            if partner < 0 or group > groups[index] or mutual:
                continue
            other = usable[partner].check.path
            text = f"looks like {_called(other, member.check.path)}{'' if within else f' of {split!r}'}"
            # Boxes in two shots of one part always differ; the class of a whole picture should not.
            differ = member.whole and member.labels != usable[partner].labels
            tail = ", but their classes differ" if differ else ""
            message = f"{text} (correlation {matches.correlation[index, group]:.3f}){tail}"
            kind = "duplicate-near" if within else "leak-near"
            yield Finding(kind, "warning", message, member.split, member.check.path, other=other, first=differ)


def check_colours(members: Sequence[Member]) -> Iterator[Finding]:
    """A few coloured pictures in a gray set, for example with labels drawn on them."""
    checks = [member for member in members if member.check.facts is not None]
    coloured = [member for member in checks if member.check.colour > _COLOURED]
    if len(coloured) > max(1, _FEW_COLOURED * len(checks)) or len(checks) < 10:
        return
    for member in coloured:
        message = f"is coloured ({100 * member.check.colour:.2g} % of its pixels), nearly all others are gray"
        yield Finding("colour", "warning", message, member.split, member.check.path)


def _leak(first: str, second: str) -> Severity:
    """Known pictures in training falsify every score; between val and test only the choice of the best model."""
    return "warning" if {first, second} == {"val", "test"} else "error"


def _copy(first: Member, second: Member, by_pixels: bool) -> Finding:
    what = "has exactly the pixels of" if by_pixels else "is byte for byte"
    called = _called(first.check.path, second.check.path)
    differ = None not in (first.labels, second.labels) and first.labels != second.labels
    tail = ", but their labels differ" if differ else ""
    path, other = second.check.path, first.check.path
    if first.split == second.split:
        return Finding("duplicate", "warning", f"{what} {called}{tail}", second.split, path, other=other, first=differ)
    message = f"{what} {called} of '{first.split}'{tail}"
    return Finding("leak", _leak(first.split, second.split), message, second.split, path, other=other, first=differ)


def _called(other: Path, path: Path) -> str:
    """The other's name, with as many of its folders as needed to distinguish the two."""
    parts = 1
    while other.parts[-parts:] == path.parts[-parts:] and parts < len(other.parts):
        parts += 1
    return "/".join(other.parts[-parts:])
