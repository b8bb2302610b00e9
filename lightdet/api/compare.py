"""``lightdet.compare``: several models, the same data and training, one page."""

from __future__ import annotations

import io

from lightdet.assembly.dataset import load_dataset
from lightdet.display.comparing import CompareDisplay
from lightdet.options.base import takes
from lightdet.options.compare import CompareOptions
from lightdet.runs.compare.request import entries_of, task_of_entries
from lightdet.runs.compare.run import ModelComparison, Outcome
from lightdet.tasks import task_of_dataset

LAUNCHER = "lightdet.api.training_process"


@takes(CompareOptions)
def compare(options: CompareOptions) -> Outcome:
    """Train, score and time several detectors, or classifiers, in the same way, as ``lightdet compare`` does.

    The same call again continues an interrupted comparison, and adds new models and seeds.

    Examples:
        >>> done = lightdet.compare("mine.yaml", "ours=best.safetensors", runs=2, output="compared", progress=False)
        >>> [model.name for model in done.comparison.models], done.written.html.name
        (['ours'], 'comparison.html')

    Returns:
        ``comparison`` (models with their runs and metrics), ``written`` (``html``, ``markdown``, ``tables``),
        ``problems`` (trainings that failed or are missing; the page says why).

    Raises:
        UserError: anything wrong with the models, their configurations or the data set.
    """
    return compared(options, CompareDisplay(None if options.progress else io.StringIO()))


def compared(options: CompareOptions, display: CompareDisplay) -> Outcome:
    """Run a comparison, shown by `display`."""
    # Before torch is imported, which takes seconds: most mistakes are reported at once.
    task = task_of_entries(entries_of(options))
    spec = load_dataset(options.data, options.data_root)
    if task is None:  # loading the weights says what is wrong with them
        task = task_of_dataset(spec)
    spec.split(options.split or task.comparing.default_split(spec))
    comparison = ModelComparison(options, task, LAUNCHER)
    with display.working():
        outcome = comparison.run(display)
    display.end(outcome)
    return outcome
