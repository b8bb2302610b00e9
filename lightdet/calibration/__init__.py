"""Thresholds with a promise: how many bad parts escape, how many good ones are rejected, with what confidence."""

from lightdet.calibration.judgement import ImageJudgement, judge
from lightdet.calibration.proportions import Proportion, clopper_pearson, pictures_needed, proportion, upper_bound
from lightdet.calibration.thresholds import Choice, threshold_for_escapes, threshold_for_false_rejects

__all__ = [
    "Choice",
    "ImageJudgement",
    "Proportion",
    "clopper_pearson",
    "judge",
    "pictures_needed",
    "proportion",
    "threshold_for_escapes",
    "threshold_for_false_rejects",
    "upper_bound",
]
