"""A trained classifier and pictures it has not seen → a decision rule with a promise, kept in the model's card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.calibration import Choice, judge
from lightdet.data.bad_classes import bad_classes
from lightdet.data.dataset import DatasetSpec
from lightdet.decisions import ClassRule, bad_probability
from lightdet.errors import UserError
from lightdet.runs.calibrate import Calibrated, Calibration, CalibrationRequest, check_request, split_request
from lightdet.runs.validate import Watcher
from lightdet.runs.validate_classes import ClassFound, ClassValidation
from lightdet.structures import Classification


class ClassCalibration(Calibration):
    """One request, in two steps: made (checked; quick), then run. A picture's score is the probability that it is bad.

    Raises:
        UserError: as `ClassValidation`; a target or confidence outside 0-1; flags that belong to boxes; classes of
            which it cannot be told which are bad.
    """

    unseen = "the model is sure of nothing bad in"
    certain = "the model is sure of a defect in"

    def __init__(self, request: CalibrationRequest) -> None:
        self.request = request
        check_request(request)
        if request.min_size:
            raise UserError(f"--min-size belongs to detectors, and {request.weights} is a classifier: leave it out")
        self.classes = ClassValidation(split_request(request))
        bad, self.told = bad_classes(self.classes.spec, request.bad)
        self.rule = ClassRule(bad)

    @property
    def spec(self) -> DatasetSpec:
        """The data set."""
        return self.classes.spec

    def run(self, watcher: Watcher) -> Calibrated:
        """Look at every picture of the split, choose the threshold, write the record.

        Raises:
            UserError: the promise cannot be given with these pictures or this model; otherwise as
                `ClassValidation.run`.
        """
        given = self.classes.find(watcher)
        names = [self.spec.classes[each.label] for each in given.labels]
        bad = np.array([name in self.rule.bad for name in names])
        scores = np.array([self.rule.score(each) for each in given.found])
        rule, choices = self._chosen(given, names, bad, scores)
        judgement = judge(bad, [not rule.ok(each) for each in given.found], scores, self.request.confidence)
        return self._finished(rule, choices, judgement, given.skipped)

    def _chosen(
        self, given: ClassFound, names: Sequence[str], bad: AnyArray, scores: AnyArray
    ) -> tuple[ClassRule, dict[str, Choice]]:
        request = self.request
        if not request.per_class:
            choice = self._one(scores[bad] if request.kind == "escape_rate" else scores[~bad], "")
            return replace(self.rule, threshold=choice.threshold), {"": choice}
        choices = {
            name: self._one(_scores(given.found, name)[np.array([each == name for each in names])], name)
            for name in self.rule.bad
        }
        thresholds = {name: choice.threshold for name, choice in choices.items()}
        return replace(self.rule, threshold=min(thresholds.values()), thresholds=thresholds), choices


def _scores(found: Sequence[Classification], name: str) -> AnyArray:
    """The probability of one class for each picture, float64 ``[N]``."""
    return np.array([bad_probability(each.probabilities, [each.names.index(name)]) for each in found])
