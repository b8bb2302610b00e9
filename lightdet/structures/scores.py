"""Scores as they are reported, and what counts as reaching a threshold.

A calibrated threshold is the reported score of a picture. If a score were cut as the network gave it, 0.15947 would
fall short of a threshold of 0.1595, and yet be reported, and counted at the calibration, as 0.1595.
"""

from __future__ import annotations

import numpy as np

from lightdet.arrays import AnyArray, BoolArray

SCORE_DIGITS = 4
_MARGIN = 0.6 * 10.0**-SCORE_DIGITS
"""Half a step, by which a score may be rounded up, and a little more: networks compare in single precision."""


def reported(score: float) -> float:
    """Return a score as it is reported: to four decimals."""
    return round(score, SCORE_DIGITS)


def reaches(scores: AnyArray, threshold: float) -> BoolArray:
    """Say which scores ``[N]``, as reported, are at least `threshold`: bool ``[N]``."""
    reached: BoolArray = np.asarray(scores, np.float64).round(SCORE_DIGITS) >= threshold
    return reached


def raw_floor(threshold: float) -> float:
    """Return a score in [0, 1] below which no score as a network gives it reaches `threshold`.

    Some above it do not either: where boxes leave a network, they are cut with this, and by `reaches` afterwards.
    """
    return max(0.0, threshold - _MARGIN)
