"""What a run over pictures needs from a task: files, decisions, drawing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lightdet.arrays import Image
    from lightdet.inference.save import Writer


class Results(Protocol):
    """How results are saved and drawn; see `lightdet.tasks.task.Task`."""

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats in which results can be saved."""
        ...

    @property
    def count_heading(self) -> str:
        """What is counted by class, as a column heading."""
        ...

    def tell_count(self, total: int) -> str:
        """What a run found in all, to follow the number of pictures."""
        ...

    def writer(self, form: str, folder: Path, names: tuple[str, ...], rule: Any) -> Writer:
        """Return a writer for results in `folder` in one of `formats`; with the decisions of a `rule`, if any."""
        ...

    def json_writer(self, path: Path, rule: Any) -> Writer:
        """Return a writer for results as JSON in a file of any name."""
        ...

    def decision_writer(self, rule: Any, path: Path | None, *, promise: Callable[[], str]) -> Any:
        """Return a writer that counts the decisions of a rule, and writes them as a table if `path` is given."""
        ...

    def drawing(self, rule: Any) -> Callable[[Image, Any, bool], Image]:
        """Return a function that marks a picture, uint8 RGB ``[H, W, 3]``: (picture, result, not a frame) → a copy.

        With a `rule` it shows OK or NG.
        """
        ...

    def marked(self, image: Image, found: Any, rule: Any) -> Image:
        """Return a copy of a picture, uint8 RGB ``[H, W, 3]``, with what counts as a defect under `rule` marked."""
        ...

    def header(self, predictor: Any) -> dict[str, Any]:
        """What saved results say about how they were made, besides the model."""
        ...
