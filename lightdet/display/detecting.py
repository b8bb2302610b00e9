"""Progress of `lightdet.detect`: one line for all sources, one for a video's frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from lightdet.display.progress import new_progress

if TYPE_CHECKING:
    from lightdet.inference.source import Source
    from lightdet.inference.sources import Sources


class DetectBar:
    """A bar on stderr where that is a terminal, or below a notebook's cell; a watcher of `lightdet.runs.detect`."""

    def __init__(self, sources: Sources, *, shown: bool = True) -> None:
        self.progress = new_progress(Console(stderr=True, quiet=not shown), transient=False)
        self.whole = self.progress.add_task("detect", total=sources.total)
        self.frames: Any = None

    def __enter__(self) -> DetectBar:
        self.progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.progress.stop()

    def begin(self, source: Source, frames: int) -> None:
        """A video or stream begins."""
        self.frames = self.progress.add_task(Path(source.name).name[-40:], total=frames or None)

    def step(self, source: Source) -> None:
        """A picture or frame is done."""
        if self.frames is not None:
            self.progress.advance(self.frames)

    def end(self, source: Source) -> None:
        """A source is done."""
        if self.frames is not None:
            self.progress.remove_task(self.frames)
            self.frames = None
        self.progress.advance(self.whole)
