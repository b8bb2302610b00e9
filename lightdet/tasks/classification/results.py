"""How results are saved and drawn: classes of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightdet.arrays import Image
    from lightdet.decisions import ClassRule
    from lightdet.inference.classifier import ClassifierPredictor
    from lightdet.inference.save import Writer
    from lightdet.inference.save_decisions import ClassDecisionWriter
    from lightdet.structures import Classification as ClassProbabilities


class ClassificationResults:
    """See `lightdet.tasks.results.Results`."""

    formats = ("json", "csv")
    count_heading = "pictures"

    def tell_count(self, total: int) -> str:
        """Each picture has one class, so there is no other number."""
        return " judged"

    def writer(self, form: str, folder: Path, names: tuple[str, ...], rule: ClassRule | None) -> Writer:
        """JSON or CSV."""
        from lightdet.inference.save_classes import ClassCsvWriter  # noqa: PLC0415

        path = folder / f"detections.{form}"
        return self.json_writer(path, rule) if form == "json" else ClassCsvWriter(path, names, rule)

    def json_writer(self, path: Path, rule: ClassRule | None) -> Writer:
        """Probabilities by picture."""
        from lightdet.inference.save_classes import ClassJsonWriter  # noqa: PLC0415

        return ClassJsonWriter(path, rule)

    def decision_writer(self, rule: ClassRule, path: Path | None, *, promise: Callable[[], str]) -> ClassDecisionWriter:
        """With the bad class that matters, and its probability."""
        from lightdet.inference.save_decisions import ClassDecisionWriter  # noqa: PLC0415

        return ClassDecisionWriter(rule, path, promise=promise)

    def drawing(self, rule: ClassRule | None) -> Callable[[Image, ClassProbabilities, bool], Image]:
        """A frame in the colour of the class, or of OK and NG, with the reason."""
        from lightdet.inference.results import draw_class_found  # noqa: PLC0415

        return lambda image, found, still: draw_class_found(image, found, rule)

    def marked(self, image: Image, found: ClassProbabilities, rule: ClassRule) -> Image:
        """A frame with OK or NG, and the reason."""
        return self.drawing(rule)(image, found, True)

    def header(self, predictor: ClassifierPredictor) -> dict[str, Any]:
        """The task, so that a reader knows what each result holds."""
        return {"task": "classify"}
