"""A model's file: which copy of it answers, and whether another one lies there."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from lightdet.errors import UserError
from lightdet.files import write_text
from lightdet.service.model_copy import ModelCopy, copy_model, identify

log = logging.getLogger("lightdet.line")

LOOK = 2.0
"""Seconds between two looks at the file; it must be the same in both."""
AGAIN = 30.0
"""Seconds until a file that could not be copied is tried again."""

Mark = tuple[tuple[int, int] | None, ...]
"""Size in bytes and time of change in nanoseconds of the model file and what may be its weights; None: not there."""


class ModelFile:
    """Keeps the copy that answers, and notices another content of the file.

    Args:
        name: the model's name.
        file: the model file.
        folder: where this model's copies are.
        verified: another content takes over only after a proof, also at a start: then the last one that was accepted
            begins.

    Raises:
        UserError: the file cannot be read, and none was accepted before.
    """

    def __init__(self, name: str, file: Path, folder: Path, *, verified: bool) -> None:
        self.name, self.file, self._folder = name, file, folder
        self._note = folder / "accepted.txt"
        self._files = file, file.with_suffix(".bin")  # the weights of an OpenVINO model may come later
        self._mark: Mark | None = None
        self._seen: Mark | None = None
        self._look_at, self._noted = 0.0, False
        accepted = self._accepted() if verified else None
        self.copy = accepted or copy_model(file, folder)
        self.verified_before = accepted is not None

    def accept(self, copy: ModelCopy) -> None:
        """This copy answers from now on; others are deleted."""
        if self._noted and copy is self.copy:
            return
        self.copy, self._noted, self.verified_before = copy, True, True
        try:
            write_text(self._note, f"{copy.model.sha256}/{copy.file.name}\n")
        except UserError as error:
            log.error("model %s: %s", self.name, error)
        for other in self._folder.iterdir():
            if other.is_dir() and other != copy.file.parent:
                shutil.rmtree(other, ignore_errors=True)

    def other(self) -> ModelCopy | None:
        """Return a copy of the file if it has another content since the last look that saw one; None: it has not.

        Raises:
            UserError: it has, and cannot be used.
        """
        now = time.monotonic()
        if now < self._look_at:
            return None
        self._look_at = now + LOOK
        mark, before = self._stat(), self._seen
        self._seen = mark
        if mark is None or mark != before or mark == self._mark:
            return None
        self._look_at = now + AGAIN
        copy = copy_model(self.file, self._folder)
        self._mark, self._look_at = mark, now + LOOK
        if copy.model.sha256 == self.copy.model.sha256:
            return None
        if not copy.sealed:
            raise UserError("holds no check sum; train, calibrate or export it again", path=self.file)
        return copy

    def _stat(self) -> Mark | None:
        marks = tuple(map(_mark_of, self._files))
        return None if marks[0] is None else marks

    def _accepted(self) -> ModelCopy | None:
        """The copy that was accepted last, if it is there and whole."""
        try:
            sha256, _, name = self._note.read_text(encoding="utf-8").strip().partition("/")
            copy = self._folder / sha256 / Path(name).name
            model = identify(self.file, copy)
        except (OSError, UserError, UnicodeDecodeError):
            return None
        return ModelCopy(copy, model, True) if model.sha256 == sha256 else None


def _mark_of(file: Path) -> tuple[int, int] | None:
    try:
        facts = file.stat()
    except OSError:  # between two versions; what answers is the copy
        return None
    return facts.st_size, facts.st_mtime_ns
