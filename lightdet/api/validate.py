"""``lightdet.validate`` and ``lightdet.calibrate``: how good a model is, and from which score on a part is NG."""

from __future__ import annotations

from lightdet.display.progress import Bar
from lightdet.options.base import takes
from lightdet.options.calibrate import CalibrationOptions
from lightdet.options.val import ValOptions
from lightdet.runs.calibrate import Calibrated, Calibration
from lightdet.runs.validate import Outcome, Validation


@takes(ValOptions)
def validate(options: ValOptions) -> Outcome:
    """Measure a model on a data set and write the report, as ``lightdet val`` does.

    Examples:
        >>> report = lightdet.validate("best.safetensors", "mine.yaml", output="report")
        >>> 0 <= report.metrics.map50 <= 1, report.html.name
        (True, 'report.html')

    Returns:
        The evaluation: ``metrics`` (of a detector ``map50``, ``map50_95``, …, each in [0, 1]; of a classifier
        ``accuracy``, … with ``value``, ``low`` and ``high``), ``html`` and ``json`` (files), ``to_dict()``.

    Raises:
        UserError: a file that cannot be read, a model with other classes than the data set, a value out of range.
    """
    validation = Validation(options)
    with Bar("evaluate", shown=options.progress) as bar:
        return validation.run(bar)


@takes(CalibrationOptions)
def calibrate(options: CalibrationOptions) -> Calibrated:
    """Choose the threshold at which a part is NG, so that a rate is kept, as ``lightdet calibrate`` does.

    The rule is written into the model file; models from `lightdet.load` then apply it.

    Examples:
        >>> promise = {"false_reject_rate": 0.9}
        >>> calibrated = lightdet.calibrate("best.safetensors", "mine.yaml", **promise, output="ng.safetensors")
        >>> calibrated.written.name, 0 <= calibrated.rule.threshold <= 1
        ('ng.safetensors', True)

    Returns:
        ``rule``, ``record`` (plain values: what it promises and rests on), ``judgement``, ``written`` (the model file).

    Raises:
        UserError: neither or both rates; the promise cannot be given with these pictures or this model.
    """
    calibration = Calibration(options)
    with Bar("evaluate", shown=options.progress) as bar:
        return calibration.run(bar)
