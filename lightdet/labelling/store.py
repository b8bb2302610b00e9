"""The labels of a folder: read, changed one at a time, undone; what two windows and other programs do is kept apart."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lightdet.data.formats.label_file import MIN_SIDE
from lightdet.errors import UserError
from lightdet.labelling.folder import Folder
from lightdet.labelling.history import History, Kind, Step
from lightdet.labelling.marks import Box, Content, Mark, State, fingerprint, same_box
from lightdet.labelling.pictures import Picture, Prepared

MOST_MARKS = 10_000


class StaleError(Exception):
    """A change was made to labels that are not the present ones: another window or program came first."""


class NothingError(Exception):
    """There is nothing to undo, or to redo."""


@dataclass(frozen=True)
class Drawn:
    """A box as the page sends it: `origin` is the number of the mark that it was in the version it knows, or None."""

    box: Box
    name: str
    origin: int | None = None


@dataclass(frozen=True)
class View:
    """A picture as it is now. `fault`: why it cannot be labelled, empty if it can."""

    picture: Picture
    version: int
    state: State
    content: Content
    can_undo: bool
    can_redo: bool
    fault: str = ""


class Store:
    """All that is known and done about a folder's labels; safe to call from several threads.

    Args:
        folder: its pictures and classes.
        history: its changes.
        progress: is called with the number of pictures read so far.

    Raises:
        UserError: a change that was interrupted cannot be completed.
    """

    def __init__(self, folder: Folder, history: History, progress: Callable[[int], None] = lambda _: None) -> None:
        self.folder, self.history = folder, history
        self._lock = threading.RLock()
        self._states: list[State] = []
        self._names: list[Counter[str]] = []
        self._read: dict[str, str] = {}
        self._ids = {picture.id: index for index, picture in enumerate(folder.pictures)}
        self._complete()
        for index in range(len(folder.pictures)):
            self._states.append("unlabelled")
            self._names.append(Counter())
            self.view(index)
            progress(index + 1)

    def index(self, id_: str) -> int | None:
        """Return the number of the picture with an id; None if there is none."""
        return self._ids.get(id_)

    def view(self, index: int) -> View:
        """Return picture `index` as it is now; a change by another program becomes a step of its history."""
        with self._lock:
            picture = self.folder.pictures[index]
            content, fault = self._content(picture)
            now, known = fingerprint(content), self.history.known(picture.name)
            before = self._read.setdefault(picture.name, now) if known is None else known
            if not fault and before != now:
                doubted = self.history.state(picture.name) == "doubtful"  # who wrote them need not have looked at it
                state: State = "doubtful" if doubted else _plain_state(content)
                self.history.add(picture.name, Step("outside", state, content, before))
            state = self.history.state(picture.name) or _plain_state(content)
            self._states[index], self._names[index] = state, Counter(mark.name for mark in content or ())
            return View(
                picture,
                self.history.version(picture.name),
                state,
                content,
                self.history.can_undo(picture.name),
                self.history.can_redo(picture.name),
                fault,
            )

    def counts(self) -> tuple[Counter[str], Counter[str]]:
        """Return how many pictures are in each state, and how many boxes each class has."""
        with self._lock:
            return Counter(self._states), sum(self._names, Counter())

    def listing(self) -> list[tuple[Picture, State, int]]:
        """Return each picture with its state and its number of boxes, as last seen."""
        with self._lock:
            return [
                (picture, state, names.total())
                for picture, state, names in zip(self.folder.pictures, self._states, self._names, strict=True)
            ]

    def save(self, index: int, version: int, drawn: Sequence[Drawn], state: State) -> View:
        """Replace the labels of a picture.

        Args:
            index: which picture.
            version: what the labels were when the change began.
            drawn: all boxes that the picture has from now on.
            state: what it counts as from now on. Without boxes, ``labelled`` says that it is free of defects, and
                ``unlabelled`` does not: it counts as before there were any. With boxes it is not ``unlabelled``.

        Raises:
            StaleError: they are no longer what they were then.
            UserError: a box or a class cannot be, the picture cannot be labelled, or the files cannot be written.
        """
        with self._lock:
            view = self._now(index, version)
            marks = tuple(self._mark(view, each) for each in drawn)
            free = not marks and (state == "labelled" or self._confirmed(view))
            if state == "unlabelled" and (marks or free):
                state = "labelled"
            return self._apply(view, index, "change", marks if marks or free else None, state)

    def undo(self, index: int, version: int) -> View:
        """Go back to the step before; raises as `save`, and NothingError."""
        with self._lock:
            view = self._now(index, version)
            if not view.can_undo:
                raise NothingError
            step = self.history.undone(view.picture.name)
            return self._apply(view, index, "undo", self._meant(view.picture, step, "undo"), step.state)

    def redo(self, index: int, version: int) -> View:
        """Go forward to the step that was undone; raises as `save`, and NothingError."""
        with self._lock:
            view = self._now(index, version)
            if not view.can_redo:
                raise NothingError
            step = self.history.redone(view.picture.name)
            return self._apply(view, index, "redo", self._meant(view.picture, step, "redo"), step.state)

    def add_class(self, name: str) -> None:
        """Add a class at the end of the list.

        Raises:
            UserError: it is there already, is no name, or the classes are listed where this does not write.
        """
        with self._lock:
            self.folder.check_new_class(name)
            self._remember_format()
            if self.folder.listed_in is None:  # where the labels name them, their order is kept here
                for each in [*self.folder.classes, name]:
                    if each not in self.history.classes:
                        self.history.add_class(each)
            self.folder.add_class(name)

    def _content(self, picture: Picture) -> tuple[Content, str]:
        if picture.fault:
            return None, picture.fault
        try:
            self.folder.check_list()
            return picture.labels.read(picture), ""
        except UserError as error:
            return None, str(error)

    def _now(self, index: int, version: int) -> View:
        view = self.view(index)
        if view.fault:
            raise UserError(view.fault)
        if view.version != version:
            raise StaleError
        return view

    def _mark(self, view: View, drawn: Drawn) -> Mark:
        box = _within(drawn.box, view.picture.size)
        self._check_class(drawn.name)
        if drawn.origin is None:
            return Mark(box, drawn.name)
        before = view.content or ()
        if not 0 <= drawn.origin < len(before):
            raise UserError(f"there is no box {drawn.origin} in version {view.version}")
        old = before[drawn.origin]
        moved, renamed = not same_box(box, old.box), drawn.name != old.name
        name, place = drawn.name if renamed else None, box if moved else None
        element = view.picture.labels.restated(view.picture, old.element, name=name, box=place)
        return Mark(box if moved else old.box, drawn.name, element)

    def _check_class(self, name: str) -> None:
        if name not in self.folder.classes:
            raise UserError(f"there is no class '{name}'; add it first")

    def _confirmed(self, view: View) -> bool:
        """Whether the picture counts as free of defects once it has no boxes."""
        return self.history.confirmed(view.picture.name) if view.version else view.content is not None

    def _meant(self, picture: Picture, step: Step, kind: Kind = "change") -> Content:
        """What is written for a step: a format may read no boxes as no labels, whether they were confirmed or not."""
        return () if step.content is None and self.history.confirmed(picture.name, kind) else step.content

    def _apply(self, view: View, index: int, kind: Kind, content: Content, state: State) -> View:
        picture = view.picture
        prepared = self._prepared(picture, content)
        before = fingerprint(view.content)
        first = [] if view.version else [Step("begin", view.state, view.content, before)]
        self._remember_format()
        self.history.add(picture.name, *first, Step(kind, state, prepared.content, before))
        prepared.write()
        return self.view(index)

    def _remember_format(self) -> None:
        """A mere look at a folder binds nobody: labels may come in later."""
        if self.folder.begin not in (None, self.history.format):
            self.history.choose(self.folder.begin)

    def _prepared(self, picture: Picture, content: Content) -> Prepared:
        for name in dict.fromkeys(mark.name for mark in content or ()):
            self._check_class(name)  # it may be gone since the step that is undone
        return picture.labels.prepare(picture, content)

    def _complete(self) -> None:
        """Write the labels of a last step if the process died between the history and the label file."""
        there = {picture.name: picture for picture in (*self.folder.pictures, *self.folder.left_out)}
        names = dict.fromkeys([*self.history.waiting, self.history.last or ""])
        for name in filter(self.history.version, names):
            step, picture = self.history.latest(name), there.get(name)
            content, fault = (None, "not there") if picture is None else self._content(picture)
            changes = step.kind != "outside" and step.before != step.after
            if picture is not None and not fault and changes and fingerprint(content) == step.before:
                try:
                    self._prepared(picture, self._meant(picture, step)).write()
                except UserError as error:
                    message = f"the last change of {name} cannot be completed: {error.message}"
                    raise UserError(message, path=self.history.path) from None
            if changes:
                self.history.wait(name, done=not fault)


def _plain_state(content: Content) -> State:
    return "unlabelled" if content is None else "labelled"


def _within(box: Sequence[float], size: tuple[int, int]) -> Box:
    """The box cut at the picture's border."""
    if not all(math.isfinite(value) for value in box):
        raise UserError("a coordinate is not a number")
    x1, y1 = max(0.0, box[0]), max(0.0, box[1])
    x2, y2 = min(float(size[0]), box[2]), min(float(size[1]), box[3])
    if x2 - x1 < MIN_SIDE or y2 - y1 < MIN_SIDE:
        raise UserError("a box has no area within the picture")
    return x1, y1, x2, y2
