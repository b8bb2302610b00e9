"""``lightdet.detect`` and ``lightdet.explain``: pictures through a model, into files."""

from __future__ import annotations

from lightdet.display.detecting import DetectBar
from lightdet.display.progress import Bar
from lightdet.options.base import takes
from lightdet.options.detect import DetectOptions
from lightdet.options.explain import ExplainOptions
from lightdet.runs.detect import Detection, Outcome, check_any_read
from lightdet.runs.explain import Explained, ExplainRun


@takes(DetectOptions)
def detect(options: DetectOptions) -> Outcome:
    """Run a model on pictures, folders, videos or streams and write what it finds, as ``lightdet detect`` does.

    For one picture at a time, and pictures in memory: ``lightdet.load(model)(picture)``.

    Examples:
        >>> done = lightdet.detect("part.png", "best.safetensors", save="json", output="found", progress=False)
        >>> done.totals.pictures, (done.folder / "detections.json").is_file()
        (1, True)

    Returns:
        ``totals`` (counts, times, what was skipped), ``folder``, ``names``, ``decisions`` (OK and NG, with a rule).

    Raises:
        UserError: a source that is missing or cannot be read, results that would be overwritten, a value out of range.
    """
    detection = Detection(options)
    with DetectBar(detection.sources, shown=options.progress) as bar:
        detection.run(bar)
    assert detection.outcome is not None  # noqa: S101 - set by every run that comes to its end
    check_any_read(detection.outcome.totals)
    return detection.outcome


@takes(ExplainOptions)
def explain(options: ExplainOptions) -> Explained:
    """Show where in pictures the evidence is for what a model reports, as ``lightdet explain`` does.

    Examples:
        >>> why = lightdet.explain("part.png", "best.safetensors", class_name="surface", output="heat")
        >>> why.pictures, why.entries[0]["name"]
        (1, 'surface')

    Returns:
        ``folder``, ``pictures``, ``entries`` (one per overlay, plain values), ``empty`` and ``skipped``.

    Raises:
        UserError: a class or box that is not there, options that exclude each other, a file that cannot be read.
    """
    run = ExplainRun(options)
    with Bar("explain", run.sources.total, shown=options.progress) as bar:
        return run.run(lambda _source: bar.step())
