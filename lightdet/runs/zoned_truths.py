"""Labels under zones: what would not count as a detection is no defect to be found either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightdet.decisions.zones import Zones
from lightdet.errors import UserError
from lightdet.structures import Annotation


@dataclass
class ZonedLabels:
    """Keeps the labels that count in zones, by the same test as detections, and counts the others.

    Attributes:
        zones: where is looked.
        names: the data set's classes.
        outside: labelled boxes left out so far.
    """

    zones: Zones
    names: Sequence[str]
    outside: int = 0

    def of(self, truth: Annotation) -> Annotation:
        """Return a picture's labels without those that do not count."""
        places = self.zones.of(truth.boxes, truth.labels, self.names, truth.size)
        kept = np.array([place is not None for place in places], bool)
        self.outside += int((~kept).sum())
        return truth.only(kept)


def fitting(zones: Zones, truths: list[Annotation], *, skip: bool) -> tuple[list[Annotation], list[str]]:
    """Return the pictures that zones in pixels fit, and what is wrong with the others.

    Raises:
        UserError: one does not fit, unless such are skipped.
    """
    kept, faults = [], []
    for truth in truths:
        try:
            zones.check_size(truth.size)
        except UserError as error:
            fault = UserError(error.message, path=truth.image)
            if not skip:
                raise fault from None
            faults.append(str(fault))
        else:
            kept.append(truth)
    if not kept and faults:
        raise UserError(f"the zones fit none of the pictures; the first: {faults[0]}")
    return kept, faults
