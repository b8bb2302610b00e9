"""``lightdet.cross_validate``: more from few pictures."""

from __future__ import annotations

import io

from lightdet.display.crossval import CrossvalDisplay
from lightdet.options.base import takes
from lightdet.options.crossval import CrossvalOptions
from lightdet.runs.crossval.run import CrossValidated, CrossValidation

LAUNCHER = "lightdet.api.training_process"


@takes(CrossvalOptions)
def cross_validate(options: CrossvalOptions) -> CrossValidated:
    """Train with each fold of the pictures left out in turn, as ``lightdet crossval`` does: numbers with their spread.

    With a rate, the scores of all folds together choose the threshold of a model trained on all pictures. That is an
    estimate, not a promise (docs/crossval.md). The same call again continues an interrupted one.

    Examples:
        >>> small = {"epochs": 1, "imgsz": 64, "final": False, "progress": False}
        >>> done = lightdet.cross_validate("mine.yaml", folds=2, output="cv", **small)
        >>> [fold.label for fold in done.result.folds], done.html.name
        (['fold 1', 'fold 2'], 'crossval.html')

    Returns:
        ``result`` (``folds``, ``together``, ``figures`` with ``mean`` and ``deviation``, ``calibration``, …),
        ``html``, ``json``, ``model`` (trained on all pictures), ``to_dict()``.

    Raises:
        UserError: anything wrong with configuration or data set; too few pictures for so many folds, or for the rate.
    """
    return cross_validated(options, CrossvalDisplay(None if options.progress else io.StringIO()))


def cross_validated(options: CrossvalOptions, display: CrossvalDisplay) -> CrossValidated:
    """Run a cross-validation, shown by `display`."""
    validation = CrossValidation(options, LAUNCHER)
    display.note(validation.pictures_used())
    with display.working():
        done = validation.run(display)
    display.end(done)
    return done
