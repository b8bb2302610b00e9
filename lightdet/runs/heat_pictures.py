"""``detect --explain``: a heat map of the findings beside each marked picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.drawing import class_color
from lightdet.explaining.answers import Explainer
from lightdet.explaining.overlay import draw_overlay
from lightdet.inference.image_writers import write_picture
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
    """

    def __init__(self, folder: Path, explainer: Explainer) -> None:
        self.folder = folder
        self.explainer = explainer

    def add(self, record: Record) -> None:
        """Explain one picture."""
        picture = record.image
        if picture is None:
            raise ValueError("a record without its picture cannot be explained")
        found = self.explainer.together(picture)
        texts, colors, boxes = [], [], None
        if found.detections is not None:
            boxes = found.detections.boxes
            texts = [f"{entry['name']} {entry['score']:.2f}" for entry in found.detections.as_dicts()]
            colors = [class_color(int(label)) for label in found.detections.labels]
        drawn = draw_overlay(picture, found.heat, found.caption, boxes=boxes, texts=texts, colors=colors)
        write_picture(heat_file(self.folder, record.stem), drawn)

    def close(self, summary: Mapping[str, Any]) -> None:
        """Nothing is left to write."""


def heat_writer(options: DetectOptions, folder: Path) -> HeatWriter:
    """Return the writer for a detection run, with the boxes that it reports.

    Raises:
        UserError: the model has no gradients.
    """
    wanted = ExplainOptions(
        sources=options.sources,
        weights=options.weights,
        imgsz=options.imgsz,
        confidence=options.confidence,
        iou=options.iou,
        max_detections=options.max_detections,
        device=options.device,
    )
    return HeatWriter(folder, load_explainer(wanted, rect=options.rect))
