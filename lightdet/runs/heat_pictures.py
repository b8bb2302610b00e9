"""``detect --explain``: a heat map of the findings beside each marked picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.arrays import Image
from lightdet.decisions.conditions import Conditions
from lightdet.drawing import class_color
from lightdet.explaining.answers import Explainer
from lightdet.explaining.overlay import draw_overlay
from lightdet.geometry.tiles import Tile, plan_tiles
from lightdet.inference.image_writers import write_picture
from lightdet.inference.results import with_zones
from lightdet.inference.run_folder import heat_file
from lightdet.inference.save import Record
from lightdet.options.explain import ExplainOptions
from lightdet.runs.explain import load_explainer

if TYPE_CHECKING:
    from lightdet.options.detect import DetectOptions


class HeatWriter:
    """Writes ``<stem>.heat.jpg`` for every picture; it never gets video frames.

    Args:
        folder: where the marked pictures go.
        explainer: the network.
        conditions: how it looked at the pictures.
        check: refuses a file that may not be written.
    """

    def __init__(
        self, folder: Path, explainer: Explainer, conditions: Conditions, check: Callable[[Path], None]
    ) -> None:
        self.folder, self.check = folder, check
        self.explainer = explainer
        self.conditions = conditions

    def add(self, record: Record) -> None:
        """Explain one picture."""
        picture = record.image
        if picture is None:
            raise ValueError("a record without its picture cannot be explained")
        found = self.explainer.together(picture, record.detections, self._tiles(picture))
        texts, colors, boxes = [], [], None
        if found.detections is not None:
            boxes = found.detections.boxes
            texts = [f"{entry['name']} {entry['score']:.2f}" for entry in found.detections.as_dicts()]
            colors = [class_color(int(label)) for label in found.detections.labels]
        zoned = with_zones(picture, record.detections)
        drawn = draw_overlay(zoned, found.heat, found.caption, boxes=boxes, texts=texts, colors=colors)
        write_picture(heat_file(self.folder, record.stem), drawn, check=self.check)

    def _tiles(self, picture: Image) -> list[Tile]:
        size, seen = (picture.shape[1], picture.shape[0]), self.conditions
        return plan_tiles(size, seen.tile or max(size), seen.overlap or 0.0)

    def close(self, summary: Mapping[str, Any]) -> None:
        """Nothing is left to write."""


def heat_writer(options: DetectOptions, folder: Path, predictor: Any, check: Callable[[Path], None]) -> HeatWriter:
    """Return the writer for a detection run, for the boxes that its `predictor` reports; `check` refuses files.

    Raises:
        UserError: the model has no gradients.
    """
    seen: Conditions = predictor.conditions
    wanted = ExplainOptions(
        sources=options.sources,
        weights=options.weights,
        imgsz=seen.imgsz,
        confidence=seen.confidence,
        iou=seen.iou,
        max_detections=seen.max_detections,
        device=options.device,
    )
    explainer = load_explainer(wanted, rect=bool(seen.rect), agnostic=bool(seen.agnostic))
    return HeatWriter(folder, explainer, seen, check)
