"""What becomes of each picture: labelled, to be labelled, or left out, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from lightdet.data.headers import checked_facts
from lightdet.data.images import READ
from lightdet.errors import UserError
from lightdet.service.collecting.copies import LocalPictures
from lightdet.service.collecting.gather import Gathered, Seen
from lightdet.service.collecting.truth import Truth
from lightdet.service.picture_folder import identity_of

Reason: TypeAlias = Literal["not kept", "deleted", "missing", "changed", "unusable"]


@dataclass(frozen=True)
class Taken:
    """A picture whose file is the one that was inspected."""

    seen: Seen
    path: Path
    truth: Truth

    @property
    def name(self) -> str:
        """The name of its file in the data set: the record's id with the picture's ending."""
        return self.path.name


@dataclass(frozen=True)
class LeftOut:
    """A picture that cannot be used; `message` says more where the reason alone does not."""

    seen: Seen
    reason: Reason
    message: str = ""


@dataclass
class Plan:
    """What becomes of the pictures.

    Attributes:
        gathered: what the records hold.
        labelled: pictures whose boxes are known.
        to_label: pictures whose boxes are not.
        left_out: pictures that cannot be used.
        beyond: how many more there are than wanted.
        classes: the class names, by label.
    """

    gathered: Gathered
    labelled: list[Taken] = field(default_factory=list)
    to_label: list[Taken] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    beyond: int = 0
    classes: tuple[str, ...] = ()

    @property
    def taken(self) -> list[Taken]:
        """All that can be used."""
        return [*self.labelled, *self.to_label]

    def out(self, reason: Reason) -> list[LeftOut]:
        """Those left out for a reason."""
        return [each for each in self.left_out if each.reason == reason]


def make_plan(
    gathered: Gathered,
    folder: LocalPictures | None,
    deleted_until: str,
    *,
    limit: int = 0,
    classes: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Plan:
    """Look at the file of each picture, and compare its hash with the record.

    Args:
        gathered: the pictures.
        folder: gives the kept pictures as files; None: none is there any more.
        deleted_until: the id up to which retention has deleted pictures.
        limit: most pictures to take, corrected ones first, then the newest; 0: all.
        classes: the class names in their order; none: those of the records.
        progress: called with (pictures looked at, pictures in all).

    Raises:
        UserError: a picture has a box of a class that `classes` lacks, or a file cannot be read.
    """
    plan, pictures = Plan(gathered), gathered.pictures
    for done, seen in enumerate(pictures):
        if limit and len(plan.taken) == limit:
            plan.beyond = len(pictures) - done
            break
        found = _look(seen, folder, deleted_until)
        if isinstance(found, LeftOut):
            plan.left_out.append(found)
        elif found.truth.boxes is None:
            plan.to_label.append(found)
        else:
            plan.labelled.append(found)
        progress(done + 1, len(pictures))
    plan.classes = _classes(plan, classes)
    return plan


def _look(seen: Seen, folder: LocalPictures | None, deleted_until: str) -> Taken | LeftOut:
    if not seen.originals:
        return LeftOut(seen, "not kept", str(seen.record["not_kept"] or ""))
    if folder is None:
        return LeftOut(seen, "deleted", seen.originals[0])
    changed = False
    for name in seen.originals:
        try:
            data = folder.read(name)
        except ValueError:
            return LeftOut(seen, "unusable", "its record names no file of a kept picture")
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror or error}", path=folder.path(name)) from None
        if data is not None and hashlib.sha256(data).hexdigest() == seen.sha256:
            return _usable(seen, folder.path(name))
        changed |= data is not None
    gone = all(identity_of(name) <= deleted_until for name in seen.originals)
    return LeftOut(seen, "changed" if changed else "deleted" if gone else "missing", seen.originals[0])


def _usable(seen: Seen, path: Path) -> Taken | LeftOut:
    """Leave out what no data set can hold: a file with several pictures, a format that folders are not searched for."""
    if path.suffix not in READ:
        return LeftOut(seen, "unusable", f"{path.name}: pictures of this format are not read from folders")
    try:
        size = checked_facts(path).size
    except UserError as error:
        return LeftOut(seen, "unusable", f"{path.name}: {error.message}")
    if list(size) != list(seen.record["size"]):
        return LeftOut(seen, "unusable", f"{path.name}: has {size[0]} x {size[1]} pixels, its record says otherwise")
    return Taken(seen, path, seen.truth)


def _classes(plan: Plan, given: Sequence[str]) -> tuple[str, ...]:
    """The classes given, or those of the records in the order of the models' numbers."""
    used = {box["name"] for each in plan.labelled for box in each.truth.boxes or ()}
    if given:
        for name in sorted(used - set(given)):
            raise UserError(f"a correction has the class '{name}'; the data set's are {', '.join(given)}")
        return tuple(given)
    labels: dict[str, Any] = {name: len(plan.gathered.labels) for name in used} | plan.gathered.labels
    return tuple(sorted(labels, key=lambda name: (labels[name], name)))
