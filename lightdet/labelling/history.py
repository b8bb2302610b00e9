"""Every change of a folder's labels, one line each, in a file that only grows.

A line is written, and on the disk, before the label file is. So a change that was interrupted is completed at the next
start (`Step.before` says whether the label file is still as it was), and undo works after a restart: the steps of a
picture say what can be undone.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.labelling.marks import Content, Mark, State, fingerprint

Kind = Literal["begin", "change", "outside", "undo", "redo"]
"""What a line tells: how the labels were found, a change made here, one made by another program, undo and redo."""


@dataclass(frozen=True)
class Step:
    """A picture's labels at a time.

    Attributes:
        kind: how they came to be so.
        state: what the picture counts as.
        content: the labels.
        before: the fingerprint of the labels that they replaced.
    """

    kind: Kind
    state: State
    content: Content
    before: str

    @property
    def after(self) -> str:
        """The fingerprint of the labels."""
        return fingerprint(self.content)


@dataclass
class _Steps:
    """Where the steps of a picture are in the file: those that may be undone, the last of them valid, and redone."""

    version: int = 0
    done: list[tuple[int, int]] = field(default_factory=list)
    undone: list[tuple[int, int]] = field(default_factory=list)
    state: State = "unlabelled"
    last: str = ""
    latest: tuple[int, int] = (0, 0)

    def add(self, kind: Kind, place: tuple[int, int]) -> None:
        self.version += 1
        self.latest = place
        if kind == "undo":
            self.undone.append(self.done.pop())
        elif kind == "redo":
            self.done.append(self.undone.pop())
        else:
            self.done.append(place)
            self.undone.clear()


class History:
    """The file of a folder's changes.

    Args:
        path: the file; made with its folder at the first change.

    Attributes:
        format: the format of a folder that had no labels, None if it had some.
        classes: classes that were added, in their order.
        last: the picture of the last step, None without any.
        waiting: pictures whose last step may have to be completed once they are there.
        unread: how many lines cannot be read, beside one at the end that was being written when the process died.

    Raises:
        UserError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.format: str | None = None
        self.classes: list[str] = []
        self.last: str | None = None
        self.waiting: dict[str, None] = {}
        self.unread = 0
        self._steps: dict[str, _Steps] = defaultdict(_Steps)
        self._texts: dict[str, str] = {}
        self._whole = True
        try:
            self._read()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", path=path) from None

    def version(self, picture: str) -> int:
        """The number of steps of a picture; 0: it was never changed here."""
        return self._steps[picture].version if picture in self._steps else 0

    def state(self, picture: str) -> State | None:
        """What a picture counts as; None: it was never changed here."""
        return self._steps[picture].state if self.version(picture) else None

    def known(self, picture: str) -> str | None:
        """The fingerprint of a picture's labels after its last step; None: it was never changed here."""
        return self._steps[picture].last if self.version(picture) else None

    def can_undo(self, picture: str) -> bool:
        """Whether an earlier step is there."""
        return self.version(picture) > 0 and len(self._steps[picture].done) > 1

    def can_redo(self, picture: str) -> bool:
        """Whether a step was undone."""
        return self.version(picture) > 0 and bool(self._steps[picture].undone)

    def latest(self, picture: str) -> Step:
        """The last step of a picture that was changed here."""
        return self._at(self._steps[picture].latest)

    def undone(self, picture: str) -> Step:
        """The step before the present one."""
        return self._at(self._steps[picture].done[-2])

    def redone(self, picture: str) -> Step:
        """The step that was undone last."""
        return self._at(self._steps[picture].undone[-1])

    def confirmed(self, picture: str, kind: Kind = "change") -> bool:
        """Whether a picture counts as free of defects once it has no boxes, after a step of `kind`.

        Somebody said so, or its labels were made elsewhere. Boxes that were drawn here do not say it.
        """
        steps = self._steps[picture]
        done = {"undo": steps.done[:-1], "redo": [*steps.done, *steps.undone[-1:]]}.get(kind, steps.done)
        for step in map(self._at, reversed(done)):
            if step.kind in ("begin", "outside"):
                return step.content is not None or step.state == "labelled"
            if step.state == "unlabelled" or (step.state == "labelled" and not step.content):
                return step.state == "labelled"
        return False

    def add(self, picture: str, *steps: Step) -> None:
        """Append steps and see them on the disk.

        Raises:
            UserError: they cannot be written.
        """
        self._append([(picture, step, _line(picture, step, self.version(picture) + 1 + i, self._texts))
                      for i, step in enumerate(steps)])  # fmt: skip

    def add_class(self, name: str) -> None:
        """Append a class.

        Raises:
            UserError: it cannot be written.
        """
        self._append([(None, None, {"class": name, "time": _now()})])
        self.classes.append(name)

    def choose(self, form: str) -> None:
        """Append the format in which labels are written from now on.

        Raises:
            UserError: it cannot be written.
        """
        self._append([(None, None, {"format": form, "time": _now()})])
        self.format = form

    def wait(self, picture: str, *, done: bool = False) -> None:
        """Append that the last step of a picture is to be completed once it is there, or that it is `done`.

        Raises:
            UserError: it cannot be written.
        """
        if done == (picture in self.waiting):
            line = {"waiting": picture, "done": done, "time": _now()}
            self._append([(None, None, line)])
            self._take(line, (0, 0))

    def _append(self, lines: list[tuple[str | None, Step | None, dict[str, Any]]]) -> None:
        make_folder(self.path.parent)
        try:
            with self.path.open("ab") as file:
                if not self._whole:
                    file.write(b"\n")
                    self._whole = True
                places = []
                for _, _, line in lines:
                    data = json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
                    places.append((file.tell(), len(data)))
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self._whole = False
            raise UserError(f"cannot be written: {error.strerror}", path=self.path) from None
        for (picture, step, line), place in zip(lines, places, strict=True):
            self._texts.update(line.get("elements", {}))
            if picture is not None and step is not None:
                self._note(picture, step, place)

    def _note(self, picture: str, step: Step, place: tuple[int, int]) -> None:
        steps = self._steps[picture]
        steps.add(step.kind, place)
        steps.state, steps.last = step.state, step.after
        self.last = picture
        self.waiting.pop(picture, None)

    def _read(self) -> None:
        with self.path.open("rb") as file:
            place = 0
            for data in file:
                self._whole = data.endswith(b"\n")
                try:
                    self._take(json.loads(data), (place, len(data)))
                except (ValueError, KeyError, TypeError, IndexError):
                    self.unread += self._whole
                place += len(data)

    def _take(self, line: dict[str, Any], place: tuple[int, int]) -> None:
        if "class" in line:
            self.classes.append(str(line["class"]))
            return
        if "format" in line:
            self.format = str(line["format"])
            return
        if "waiting" in line:
            self.waiting.pop(line["waiting"], None)
            self.waiting |= {} if line["done"] else {str(line["waiting"]): None}
            return
        self._texts.update(line.get("elements", {}))
        self._note(line["picture"], _step(line, self._texts), place)

    def _at(self, place: tuple[int, int]) -> Step:
        with self.path.open("rb") as file:
            file.seek(place[0])
            return _step(json.loads(file.read(place[1])), self._texts)


def _line(picture: str, step: Step, version: int, texts: Mapping[str, str]) -> dict[str, Any]:
    """A step as JSON; elements that an earlier line holds are named by their key alone."""
    rows, elements = [], {}
    for mark in step.content or ():
        key = None
        if mark.element is not None:
            key = hashlib.sha256(mark.element.encode("utf-8", "surrogatepass")).hexdigest()[:20]
            if key not in texts:
                elements[key] = mark.element
        rows.append([*mark.box, mark.name, key, mark.outline])
    return {
        "picture": picture,
        "version": version,
        "time": _now(),
        "kind": step.kind,
        "state": step.state,
        "before": step.before,
        "marks": None if step.content is None else rows,
        **({"elements": elements} if elements else {}),
    }


def _step(line: Mapping[str, Any], texts: Mapping[str, str]) -> Step:
    rows = line["marks"]
    content = None if rows is None else tuple(_mark(row, texts) for row in rows)
    return Step(line["kind"], line["state"], content, line["before"])


def _mark(row: list[Any], texts: Mapping[str, str]) -> Mark:
    x1, y1, x2, y2, name, key, outline = row
    return Mark((x1, y1, x2, y2), name, None if key is None else texts[key], outline)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
