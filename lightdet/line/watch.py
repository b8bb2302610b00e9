"""The watch over a model's promise in a line: which pictures are compared, and where its state is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lightdet.drift.kept import StateError
from lightdet.errors import UserError
from lightdet.files import write_json
from lightdet.inference.watching import SPACING

MOST_STATES = 20
"""So many versions of a model are remembered, those that were watched last."""


class Spacing:
    """Which pictures are compared: each file, and of the frames of a source those that are `SPACING` apart."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def takes(self, source: str, moment: float | None) -> bool:
        """Whether this one is; `moment` as in `lightdet.line.messages.Picture`."""
        if moment is None:
            return True
        if abs(moment - self._last.get(source, -SPACING)) < SPACING:  # it goes back where a source begins again
            return False
        self._last[source] = moment
        return True


class FileStates:
    """States as files in a folder (`lightdet.drift.kept.States`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        """The file of a model."""
        return self._folder / f"watch-{sha256}.json"

    def read(self, sha256: str) -> Any:
        """Return what was kept; None: nothing. Raises `StateError`."""
        try:
            return json.loads(self.path(sha256).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise StateError(f"{self.path(sha256)}: {error}") from None

    def keep(self, sha256: str, state: dict[str, Any], *, anew: bool = False) -> None:
        """Keep this instead of what was kept, and forget the versions beyond `MOST_STATES`. Raises `StateError`."""
        try:
            write_json(self.path(sha256), state)
            files = sorted(self._folder.glob("watch-*.json"), key=lambda each: each.stat().st_mtime_ns)
            for file in files[:-MOST_STATES]:
                file.unlink(missing_ok=True)
        except (OSError, UserError) as error:
            raise StateError(str(error)) from None

    def close(self) -> None:
        """Nothing is open."""
