"""How results are saved and drawn: boxes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.wording import counted

if TYPE_CHECKING:
    from lightdet.arrays import Image
    from lightdet.decisions import DecisionRule
    from lightdet.inference.predictor import Predictor
    from lightdet.inference.save import Writer
    from lightdet.inference.save_decisions import DecisionWriter
    from lightdet.inference.tiled import TiledPredictor
    from lightdet.structures import Detections


class DetectionResults:
    """See `lightdet.tasks.results.Results`."""

    formats = ("json", "csv", "yolo", "coco")
    count_heading = "found"

    def tell_count(self, total: int) -> str:
        """How many detections."""
        return f": {counted(total, 'detection')}"

    def writer(self, form: Any, folder: Path, names: tuple[str, ...], rule: DecisionRule | None) -> Writer:
        """JSON, CSV, YOLO's labels or COCO."""
        from lightdet.inference.save import make_writer  # noqa: PLC0415

        return make_writer(form, folder, names, rule)

    def json_writer(self, path: Path, rule: DecisionRule | None) -> Writer:
        """Boxes by picture."""
        from lightdet.inference.save import JsonWriter  # noqa: PLC0415

        return JsonWriter(path, rule)

    def decision_writer(self, rule: DecisionRule, path: Path | None, *, promise: Callable[[], str]) -> DecisionWriter:
        """With the number of defects, and the best score."""
        from lightdet.inference.save_decisions import DecisionWriter  # noqa: PLC0415

        return DecisionWriter(rule, path, promise=promise)

    def drawing(self, rule: DecisionRule | None) -> Callable[[Image, Detections, bool], Image]:
        """Boxes with their names; for a small picture, with a strip of names."""
        from lightdet.inference.results import draw_boxes_found  # noqa: PLC0415

        return lambda image, found, still: draw_boxes_found(image, found, rule, still=still)

    def marked(self, image: Image, found: Detections, rule: DecisionRule) -> Image:
        """The boxes that count."""
        import numpy as np  # noqa: PLC0415

        from lightdet.drawing import draw_detections  # noqa: PLC0415
        from lightdet.inference.results import with_zones  # noqa: PLC0415

        counting = np.isin(np.arange(len(found)), rule.decide(found).defects)
        return draw_detections(with_zones(image, found), found.only(counting))

    def header(self, predictor: Predictor | TiledPredictor) -> dict[str, Any]:
        """Thresholds, tiles and zones."""
        return {
            "confidence": predictor.confidence,
            "agnostic": predictor.agnostic,
            "tile": getattr(predictor, "tile", None),
            "overlap": getattr(predictor, "overlap", None),
            **({} if (zones := getattr(predictor, "zones", None)) is None else {"zones": zones.as_dict()}),
        }
