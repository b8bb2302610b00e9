"""``lightdet.tune``: search for better settings, one training per trial."""

from __future__ import annotations

import io

from rich.console import Console

from lightdet.display.tuning import TuneDisplay, show_search
from lightdet.options.base import takes
from lightdet.options.tune import TuneOptions
from lightdet.runs.tune.tuning import TuneOutcome, Tuning
from lightdet.training.interrupt import stop_on_signal


@takes(TuneOptions)
def tune(options: TuneOptions) -> TuneOutcome:
    """Search for better settings of a detector or classifier, as ``lightdet tune`` does: best.yaml, and a page.

    The same call again continues the study; processes and machines share it through `storage`.

    Examples:
        >>> small = {"trials": 1, "epochs": 1, "imgsz": 64, "progress": False}
        >>> found = lightdet.tune("mine.yaml", "space.yaml", output="search", **small)
        >>> found.results.complete, found.page.name
        (1, 'tune.html')

    Returns:
        ``results`` (trials, the best of them, what mattered), ``best`` (the configuration), ``page``, ``stopped``.

    Raises:
        UserError: Optuna is missing; anything wrong with space, configuration or data set; every trial fails.
    """
    console = Console() if options.progress else Console(file=io.StringIO())
    return searched(Tuning(options), console)


def searched(tuning: Tuning, console: Console) -> TuneOutcome:
    """Run a search, shown on `console`."""
    display = TuneDisplay(console, tuning.score_name, tuning.trials)
    with stop_on_signal() as stop, display.shown():
        outcome = tuning.run(display, stop)
    show_search(console, tuning, outcome)
    return outcome
