"""What stands beside the network in an exported file: all that is needed to use it, as one line of JSON."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from lightdet.card import TaskName
from lightdet.errors import UserError
from lightdet.structures import Preprocessing

WEIGHTS_KEY = "lightdet_weights"
"""Where an ``.xml`` keeps the check sum of the ``.bin`` that belongs to it."""
FORMAT = 1

Layout = Literal["planar", "interleaved"]
"""Order of the input's bytes: ``[B, 3, H, W]`` or ``[B, H, W, 3]``; uint8 RGB, 0-255, letterboxed."""
Outputs = Literal["grids", "candidates", "detections", "probabilities"]
"""What the file's network gives.

- ``grids``: raw ``[B, A * (5 + C), H/s, W/s]``, one a stride, as `lightdet.models.heads.decode_grids` decodes them;
  of an interleaved input ``[B, H/s, W/s, A * (5 + C)]``.
- ``candidates``: ``[B, N, 5 + C]`` centre x, centre y, width, height in input pixels, objectness, class probabilities.
- ``detections``: ``[M, 7]`` picture, x1, y1, x2, y2 in input pixels, score, label; by picture, best score first.
- ``probabilities``: of a classifier, ``[B, C]`` by class.
"""
FilePrecision = Literal["fp32", "bf16", "fp16", "int8"]


@dataclass(frozen=True)
class ExportCard:
    """What an exported file says of itself.

    Attributes:
        names: class names by label.
        preprocessing: how pictures become input; `scale` is part of the network in the file.
        layout: see `Layout`.
        outputs: see `Outputs`.
        anchors: ``[strides][A][2]`` width and height in input pixels, for ``grids``.
        strides: pixels a cell, for ``grids``.
        confidence: lowest score reported, unless asked otherwise; ``detections`` cannot go below it.
        iou: NMS threshold, unless asked otherwise; fixed in ``detections``.
        agnostic: boxes of different classes suppress each other, too, unless asked otherwise; never in the network.
        max_detections: most boxes a picture, unless asked otherwise; ``detections`` cannot give more.
        batch: pictures that the file takes at once; None: any number.
        dynamic_size: it takes any sides in multiples of 32, not `preprocessing.imgsz` alone.
        precision: number format that the file was made for and proved in.
        version: of the lightdet that wrote it.
        facts: what is worth keeping: how it was proved, the checkpoint's own facts.
        decision: the checkpoint's rule by which pictures are OK or NG, if it was calibrated.
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

    @property
    def task(self) -> TaskName:
        """What the network does: ``detect`` or ``classify``."""
        return "classify" if self.outputs == "probabilities" else "detect"

    def as_json(self) -> str:
        """Return the card as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False)


def weights_checksum(path: Path) -> str:
    """Return the check sum of a ``.bin``, as text."""
    return f"{zlib.crc32(path.read_bytes()):08x}"


def parse_card(text: str | None, path: str | Path) -> ExportCard:
    """Read a card; `path` is the file that it stands in, for messages.

    Raises:
        UserError: none there, or not one of ours, or of a newer version.
    """
    if text is None:
        raise UserError("was not exported by lightdet: it does not tell its classes; export a checkpoint", path=path)
    try:
        values = json.loads(text)
        if values.pop("format") > FORMAT:
            raise UserError("was written by a newer lightdet; upgrade to read it", path=path)
        values["names"] = tuple(values["names"])
        values["preprocessing"] = Preprocessing(**values["preprocessing"])
        values["anchors"] = tuple(tuple((float(w), float(h)) for w, h in level) for level in values["anchors"])
        values["strides"] = tuple(int(stride) for stride in values["strides"])
        card = ExportCard(**values)
        _check(card)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError("its model card is damaged; export it again", path=path) from None
    return card


def _check(card: ExportCard) -> None:
    """Raise ValueError where a card cannot be true."""
    known = card.layout in get_args(Layout) and card.outputs in get_args(Outputs)
    named = bool(card.names) and all(isinstance(name, str) for name in card.names)
    sizes = [side for level in card.anchors for pair in level for side in pair]
    grids = card.outputs != "grids" or (
        len(card.anchors) == len(card.strides) > 0
        and all(card.anchors)
        and all(math.isfinite(side) and side > 0 for side in sizes)
        and min(card.strides) > 0
    )
    named = named and isinstance(card.agnostic, bool)
    shares = 0.0 <= card.confidence <= 1.0 and 0.0 <= card.iou <= 1.0 and card.max_detections >= 1
    if not (known and named and grids and shares and (card.batch is None or card.batch >= 1)):
        raise ValueError("damaged")
