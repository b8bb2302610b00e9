"""The check of an export: on the same pictures, the checkpoint's detections, within a stated tolerance.

If two overlapping boxes have almost equal scores, it is chance which one survives NMS, even between two runs of one
network on two machines. So a detection counts as shared if the other network has it among its candidates before NMS:
the same class, box and score. Nothing else is excused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lightdet.arrays import BoolArray, FloatArray, IntArray
from lightdet.geometry.nms import overlap_areas
from lightdet.inference.runtime import RawDetections

FLOORS = (0.25, 0.1, 0.03, 0.01, 0.003, 0.001, 1e-4, 1e-5, 1e-6)
"""The comparison is made at the highest of these scores above which the checkpoint finds enough to compare."""
ENOUGH = 10
OVERLAP_SLACK = 0.01
COMPARED = 100
"""How many detections per picture are looked for, best first."""


@dataclass(frozen=True)
class Tolerance:
    """The tolerance within which detections are equal.

    Attributes:
        score: largest difference of two scores.
        box: largest difference of two corners, as a share of the box's longer side (never below `pixels`).
        pixels: see `box`; in pixels of the network's input.
        unmatched: share of the detections that may have no match: rounding moves some across a threshold.
    """

    score: float
    box: float
    pixels: float
    unmatched: float = 0.0


TOLERANCES = {
    "fp32": Tolerance(score=0.002, box=0.002, pixels=0.1),
    # 11 and 8 bits per number, through some 70 layers
    "fp16": Tolerance(score=0.02, box=0.03, pixels=1.0, unmatched=0.02),
    "bf16": Tolerance(score=0.08, box=0.1, pixels=3.0, unmatched=0.08),
}


@dataclass(frozen=True)
class Side:
    """One network's results for each picture.

    Attributes:
        detections: after suppression.
        candidates: the best `most` before it; None if NMS is in the network.
    """

    detections: Sequence[RawDetections]
    candidates: Sequence[RawDetections] | None
    most: int = 2000


@dataclass(frozen=True)
class Parity:
    """How two networks compare.

    Attributes:
        pictures: compared.
        floor: lowest score compared.
        detections: of the checkpoint, above the floor, at most 100 per picture.
        unmatched: detections of either that the other does not have.
        score: largest difference between matched scores.
        pixels: largest difference of a corner, in input pixels.
    """

    pictures: int
    floor: float
    detections: int
    unmatched: int
    score: float
    pixels: float

    def holds(self, tolerance: Tolerance) -> bool:
        """Whether there was something to compare, and it matched."""
        return self.detections > 0 and self.unmatched <= tolerance.unmatched * self.detections

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def choose_floor(reference: Sequence[RawDetections]) -> float:
    """Return the score above which a checkpoint's detections are compared (see `FLOORS`)."""
    scores = np.concatenate([scores for _, scores, _ in reference]) if reference else np.zeros(0)
    return next((floor for floor in FLOORS if (scores >= floor).sum() >= ENOUGH), FLOORS[-1])


def compare(
    ours: Side, theirs: Side, tolerance: Tolerance, *, floor: float, iou: float, agnostic: bool = False
) -> Parity:
    """Look for each detection of a checkpoint in its export, and the other way round.

    Args:
        ours: the checkpoint, with candidates.
        theirs: the export. If it has no candidates, a detection of ours that it lacks may overlap a better one of its
            own, which is looked for among ours like all others.
        tolerance: within which detections are equal.
        floor: lowest score that counts. All lists reach down to ``floor - tolerance.score``.
        iou: threshold of the suppression.
        agnostic: boxes of different classes also suppressed each other.
    """
    count, unmatched = 0, 0
    differences = [(0.0, 0.0)]
    for index, (own, other) in enumerate(zip(ours.detections, theirs.detections, strict=True)):
        there = other if theirs.candidates is None else theirs.candidates[index]
        here = own if ours.candidates is None else ours.candidates[index]
        strong = _only(own, own[1] >= max(floor, _cut(there, theirs, tolerance)))
        found = _look_up(strong, there, tolerance)
        lacking = np.isnan(found[:, 0])
        if theirs.candidates is None:
            lacking &= ~_suppressed(strong, other, iou, tolerance, agnostic)
        seen = _only(other, other[1] >= max(floor, _cut(here, ours, tolerance)))
        back = _look_up(seen, here, tolerance)
        same = _in_both(seen, own, tolerance)
        count += len(strong[1])
        unmatched += int(lacking.sum() + np.isnan(back[:, 0]).sum()) + _overlapping(seen, same, iou, agnostic)
        differences += [(float(s), float(p)) for s, p in np.concatenate((found, back)) if not np.isnan(s)]
    score, pixels = (max(values) for values in zip(*differences, strict=True))
    return Parity(len(ours.detections), floor, count, unmatched, score, pixels)


def _cut(there: RawDetections, side: Side, tolerance: Tolerance) -> float:
    """The score above which a full list of candidates is certain to hold everything."""
    full = side.candidates is not None and len(there[1]) >= side.most
    return float(there[1].min()) + tolerance.score if full else 0.0


def _only(found: RawDetections, kept: BoolArray) -> RawDetections:
    return found[0][kept][:COMPARED], found[1][kept][:COMPARED], found[2][kept][:COMPARED]


def _look_up(wanted: RawDetections, there: RawDetections, tolerance: Tolerance) -> FloatArray:
    """Differences ``[N, 2]`` of score and corner to the nearest of `there` within the tolerance; NaN if none."""
    differences = np.full((len(wanted[1]), 2), np.nan, np.float32)
    for index in range(len(wanted[1])):
        scores, corners, fits = _nearness(wanted, index, there, tolerance)
        if len(fits):
            best = fits[np.argmin(corners[fits])]
            differences[index] = scores[best], corners[best]
    return differences


def _in_both(seen: RawDetections, own: RawDetections, tolerance: Tolerance) -> BoolArray:
    """For each of `seen`: is it among `own`, each of which counts once?"""
    same = np.zeros(len(seen[1]), np.bool_)
    free = np.ones(len(own[1]), np.bool_)
    for index in range(len(same)):
        _, corners, fits = _nearness(seen, index, own, tolerance)
        fits = fits[free[fits]]
        if len(fits):
            same[index], free[fits[np.argmin(corners[fits])]] = True, False
    return same


def _nearness(
    wanted: RawDetections, index: int, there: RawDetections, tolerance: Tolerance
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Of one of `wanted`: the differences of scores and of corners ``[M]`` from `there`, and which are within the
    tolerance (int64 indices)."""
    box, score, label = (part[index] for part in wanted)
    scores = np.abs(there[1] - score)
    corners = np.abs(there[0] - box).max(axis=1, initial=0.0)
    allowed = max(tolerance.pixels, tolerance.box * float((box[2:] - box[:2]).max()))
    return scores, corners, np.flatnonzero((there[2] == label) & (scores <= tolerance.score) & (corners <= allowed))


def _suppressed(
    wanted: RawDetections, kept: RawDetections, iou: float, tolerance: Tolerance, agnostic: bool
) -> BoolArray:
    """For each of `wanted`: does one of `kept` of its class (or of any), no worse, overlap it enough to suppress it?"""
    found = np.zeros(len(wanted[1]), np.bool_)
    for index, (box, score, label) in enumerate(zip(*wanted, strict=True)):
        rivals = (agnostic | (kept[2] == label)) & (kept[1] >= score - tolerance.score)
        found[index] = bool((_ious(box, kept[0][rivals]) > iou - OVERLAP_SLACK).any())
    return found


def _overlapping(kept: RawDetections, same: BoolArray, iou: float, agnostic: bool) -> int:
    """How many of `kept` overlap a better one of their class (or of any) so that they should have been suppressed.

    Two that the checkpoint reports as well (`same`) may: the boxes' vote moves them after the suppression.
    """
    count = 0
    for index, (box, label) in enumerate(zip(kept[0], kept[2], strict=True)):
        rivals = (agnostic | (kept[2][:index] == label)) & ~(same[:index] & same[index])
        count += bool((_ious(box, kept[0][:index][rivals]) > iou + OVERLAP_SLACK).any())
    return count


def _ious(box: FloatArray, boxes: FloatArray) -> FloatArray:
    shared = overlap_areas(box, boxes)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    union = (box[2] - box[0]) * (box[3] - box[1]) + areas - shared
    ious: FloatArray = shared / np.maximum(union, 1e-9)
    return ious
