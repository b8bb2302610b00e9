"""The check of an export: on the same pictures it gives the checkpoint's results, within a stated tolerance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import numpy as np

from lightdet.arrays import FloatArray
from lightdet.errors import UserError
from lightdet.exporting.parity import FLOORS, TOLERANCES, Side, choose_floor, compare
from lightdet.inference.export_card import ExportCard
from lightdet.inference.runtime import RawDetections

CANDIDATES = 10_000
PROBABILITY_TOLERANCES = {"fp32": 0.002, "fp16": 0.02, "bf16": 0.08}
"""Largest difference of a probability that still counts as equal; the same as for a detector's scores."""
Which = Literal["checkpoint", "draft"]
Proof = tuple[dict[str, Any], str]
"""The figures, and a line about them."""


class Detect(Protocol):
    """Runs a detector with these thresholds on the pictures of the check."""

    def __call__(
        self, which: Which, *, confidence: float, iou: float, max_detections: int, agnostic: bool
    ) -> list[RawDetections]:
        """One result per picture."""
        ...


class NothingFound(Exception):  # noqa: N818 - told by who knows where the pictures are from
    """The checkpoint finds nothing in the pictures, so there is nothing to compare.

    Attributes:
        floor: the lowest score considered.
    """

    def __init__(self, floor: float) -> None:
        self.floor = floor


def prove_detections(detect: Detect, card: ExportCard, precision: str) -> Proof:
    """Compare the detections of checkpoint and draft, with the tolerance for `precision`.

    Raises:
        NothingFound: there is nothing to compare.
        UserError: they differ.
    """
    tolerance = TOLERANCES[precision]
    own_nms = card.outputs == "detections"
    lowest = card.confidence if own_nms else FLOORS[-1]

    def found(which: Which, confidence: float, **other: Any) -> list[RawDetections]:
        own = {"iou": card.iou, "max_detections": card.max_detections, "agnostic": card.agnostic}
        return detect(which, confidence=confidence, **(own | other))

    floor = max(choose_floor(found("checkpoint", lowest)), lowest)
    # A match may lie below the floor by the tolerance, except if NMS in the network cuts off at the floor.
    below = lowest if own_nms else max(0.0, floor - tolerance.score)
    if own_nms:
        floor = max(floor, lowest + tolerance.score)

    def side(which: Which, *, bare: bool = False) -> Side:
        candidates = None if bare else found(which, below, iou=1.0, max_detections=CANDIDATES)
        return Side(found(which, below), candidates, CANDIDATES)

    ours, theirs = side("checkpoint"), side("draft", bare=own_nms)
    parity = compare(ours, theirs, tolerance, floor=floor, iou=card.iou, agnostic=card.agnostic)
    if not parity.detections:
        raise NothingFound(parity.floor)
    if not parity.holds(tolerance):
        raise UserError(
            f"not exported: {parity.unmatched} of {parity.detections} detections on {parity.pictures} pictures "
            f"differ from the checkpoint's by more than {tolerance.score:g} in score or "
            f"{100 * tolerance.box:g} % of the box"
        )
    return parity.as_dict(), (
        f"verified on {parity.pictures} pictures: {parity.detections} detections from score {parity.floor:g} on, "
        f"{parity.unmatched} unmatched; scores differ by at most {parity.score:.2g}, "
        f"corners by {parity.pixels:.2g} pixels"
    )


def prove_probabilities(classify: Callable[[Which], Sequence[FloatArray]], precision: str) -> Proof:
    """Compare the probabilities of checkpoint and draft, with the tolerance for `precision`.

    Raises:
        UserError: they differ.
    """
    wanted, given = (np.stack(classify(which)) for which in ("checkpoint", "draft"))
    difference, count = float(np.abs(wanted - given).max()), len(wanted)
    tolerance = PROBABILITY_TOLERANCES[precision]
    if not difference <= tolerance:  # also if it is not a number
        raise UserError(
            f"not exported: probabilities of {count} pictures differ from the checkpoint's by up to {difference:.2g}, "
            f"more than {tolerance:g}"
        )
    told = f"verified on {count} pictures: probabilities differ by at most {difference:.2g}"
    return {"pictures": count, "probability": difference}, told
