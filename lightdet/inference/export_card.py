"""The card of an exported file: everything needed to use the network, as one line of JSON."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from lightdet.card import DAMAGED, FORMAT, TaskName, card_tiles, card_values, class_names
from lightdet.errors import UserError
from lightdet.inference.formats import FilePrecision
from lightdet.structures import MAX_IMGSZ, Preprocessing, Tiling

WEIGHTS_KEY = "lightdet_weights"
"""Where an ``.xml`` stores the checksum of its ``.bin``."""

Layout = Literal["planar", "interleaved"]
"""Order of the input's bytes: ``[B, 3, H, W]`` or ``[B, H, W, 3]``; uint8 RGB, 0-255, letterboxed."""
Outputs = Literal["grids", "candidates", "detections", "probabilities"]
"""The output of the file's network.

- ``grids``: raw ``[B, A * (5 + C), H/s, W/s]``, one per stride, as `lightdet.models.heads.decode_grids` decodes them;
  for an interleaved input ``[B, H/s, W/s, A * (5 + C)]``.
- ``candidates``: ``[B, N, 5 + C]`` centre x, centre y, width, height in input pixels, objectness, class probabilities.
- ``detections``: ``[M, 7]`` picture, x1, y1, x2, y2 in input pixels, score, label; by picture, best score first.
- ``probabilities``: for a classifier, ``[B, C]`` by class.
"""
MAX_BATCH = 1024
"""Largest batch that a file may take."""
MAX_DETECTIONS = 1_000_000
MAX_COST = 10**18
"""Largest number of parameters or FLOPs of a network."""


@dataclass(frozen=True)
class ExportCard:
    """What an exported file says about itself.

    Attributes:
        names: class names by label.
        preprocessing: how pictures become input; `scale` is part of the network in the file.
        layout: see `Layout`.
        outputs: see `Outputs`.
        anchors: ``[strides][A][2]`` width and height in input pixels, for ``grids``.
        strides: pixels per cell, for ``grids``.
        confidence: default lowest score reported; ``detections`` cannot go below it.
        iou: default NMS threshold; fixed for ``detections``.
        agnostic: boxes of different classes also suppress each other; the default, and fixed for ``detections``.
        max_detections: default most boxes per picture; ``detections`` cannot give more.
        batch: batch size of the file; None: any.
        dynamic_size: it takes any sides in multiples of 32, not only `preprocessing.imgsz`.
        precision: number format that the file was made for and verified in.
        version: of the lightdet that wrote it.
        facts: anything worth keeping: how it was verified, the checkpoint's own facts.
        decision: the checkpoint's OK/NG rule, if it was calibrated.
        tiles: as in `lightdet.card.ModelCard`.
    """

    names: tuple[str, ...]
    preprocessing: Preprocessing
    layout: Layout
    outputs: Outputs
    anchors: tuple[tuple[tuple[float, float], ...], ...] = ()
    strides: tuple[int, ...] = ()
    confidence: float = 0.25
    iou: float = 0.55
    agnostic: bool = False
    max_detections: int = 300
    batch: int | None = 1
    dynamic_size: bool = False
    precision: FilePrecision = "fp32"
    version: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    decision: dict[str, Any] | None = None
    tiles: Tiling | None = None

    @property
    def task(self) -> TaskName:
        """What the network does: ``detect`` or ``classify``."""
        return "classify" if self.outputs == "probabilities" else "detect"

    def as_json(self) -> str:
        """Return the card as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False)


def weights_checksum(weights: bytes) -> str:
    """Return the check sum of a ``.bin``'s bytes, as text."""
    return f"{zlib.crc32(weights):08x}"


def parse_card(text: str | None, path: str | Path) -> ExportCard:
    """Read a card; `path` is its file, for messages.

    Raises:
        UserError: there is none, or not one of ours, or it is from a newer version.
    """
    if text is None:
        raise UserError("was not exported by lightdet: it does not name its classes; export a checkpoint", path=path)
    try:
        values = card_values(text, path)
        values["names"] = class_names(values["names"])
        values["preprocessing"] = Preprocessing(**values["preprocessing"])
        values["anchors"] = tuple(tuple((float(w), float(h)) for w, h in level) for level in values["anchors"])
        values["strides"] = tuple(values["strides"])
        if values.get("decision") is None:  # the first exports stored it among the facts
            values["decision"] = values.get("facts", {}).get("decision")
        values["tiles"] = card_tiles(values.get("tiles"))
        card = ExportCard(**values)
        _check(card)
    except DAMAGED:
        raise UserError("its model card is damaged; export it again", path=path) from None
    return card


def _check(card: ExportCard) -> None:
    """Raise ValueError if a card cannot be true, or asks for more than any picture needs."""
    known = (
        card.layout in get_args(Layout)
        and card.outputs in get_args(Outputs)
        and card.precision in get_args(FilePrecision)
    )
    switches = isinstance(card.agnostic, bool) and isinstance(card.dynamic_size, bool)
    held = isinstance(card.facts, dict) and _has_sound_cost(card.facts) and isinstance(card.version, str)
    shares = all(_is_number(share) and 0.0 <= share <= 1.0 for share in (card.confidence, card.iou))
    counts = _is_count(card.max_detections, MAX_DETECTIONS) and (card.batch is None or _is_count(card.batch, MAX_BATCH))
    if not (known and switches and held and shares and counts and _has_grids(card)):
        raise ValueError("damaged")


def _has_sound_cost(facts: dict[str, Any]) -> bool:
    """Whether parameters and FLOPs are counts, or not given."""
    cost = facts.get("complexity", {})
    return cost == {} or (
        isinstance(cost, dict) and all(_is_count(cost.get(name), MAX_COST) for name in ("params", "flops"))
    )


def _has_grids(card: ExportCard) -> bool:
    """Whether anchors and strides fit a network with grids, or a network without."""
    sizes = [side for level in card.anchors for pair in level for side in pair]
    if not all(0 < side <= MAX_IMGSZ for side in sizes):  # NaN is not
        return False
    if not all(_is_count(stride, MAX_IMGSZ) for stride in card.strides):
        return False
    return card.outputs != "grids" or (len(card.anchors) == len(card.strides) > 0 and all(card.anchors))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most
