"""The result of a detection run: what was found in how many pictures, in which time, and what was left out."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lightdet.arrays import IntArray

STAGES = ("read", "preprocess", "network", "postprocess", "draw", "write")


class Found(Protocol):
    """The result for a picture: `Detections`, or a `Classification`."""

    @property
    def labels(self) -> IntArray:
        """The classes in it, int64 ``[N]``."""

    @property
    def milliseconds(self) -> Mapping[str, float]:
        """Time by stage."""


@dataclass
class Totals:
    """The result of a run.

    Attributes:
        pictures: pictures processed, each page of a file being one.
        frames: frames of videos and streams processed.
        per_class: detections, or judged pictures, by label.
        times: milliseconds by stage, one for each picture or frame.
        dropped: frames of live streams that were dropped in favour of newer ones.
        skipped: source and reason of what was left out (a video's readable frames still count).
        complete: the run was not interrupted.
        outside: detections that zones left out; None: there are no zones.
    """

    pictures: int = 0
    frames: int = 0
    dropped: int = 0
    per_class: Counter[int] = field(default_factory=Counter)
    times: dict[str, array[float]] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = False
    outside: int | None = None

    @property
    def seen(self) -> int:
        """Pictures and frames processed."""
        return self.pictures + self.frames

    def count(self, detections: Found, milliseconds: Mapping[str, float], *, moving: bool) -> None:
        """Add one picture, or one frame of a `moving` source: the result, and further times by stage."""
        self.frames += moving
        self.pictures += not moving
        self.per_class.update(detections.labels.tolist())
        if (outside := getattr(detections, "outside", None)) is not None:
            self.outside = (self.outside or 0) + outside
        for stage, value in {**detections.milliseconds, **milliseconds}.items():
            self.times.setdefault(stage, array("d")).append(value)

    def medians(self) -> dict[str, float]:
        """Return the median milliseconds by stage, in the order of the work."""
        return {s: round(statistics.median(self.times[s]), 3) for s in STAGES if s in self.times}

    def as_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the summary for JSON."""
        return {
            "complete": self.complete,
            "pictures": self.pictures,
            "frames": self.frames,
            "dropped_frames": self.dropped,
            "detections": self.per_class.total(),
            **({} if self.outside is None else {"outside_zones": self.outside}),
            "per_class": {name: self.per_class[label] for label, name in enumerate(names)},
            "milliseconds": self.medians(),
            "skipped": [{"source": source, "reason": reason} for source, reason in self.skipped],
        }
