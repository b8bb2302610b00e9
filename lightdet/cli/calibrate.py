"""``lightdet calibrate``: a threshold with a promise on bad parts that escape, or on good ones that are rejected."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from lightdet.cli.common import ALL, Words, needed, skipped_lines
from lightdet.options.calibrate import CalibrationOptions
from lightdet.wording import watch_lines

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.calibration import ImageJudgement
    from lightdet.runs.calibrate import Calibrated

LARGE_SHARE = 0.2
"""If this share of good pictures is rejected, or of bad ones passed, the promise is hardly worth its price."""


def calibrate(*overrides: Words, options: Annotated[CalibrationOptions | None, ALL] = None) -> None:
    """Choose the threshold at which a picture is NG, so that a rate is kept with a stated confidence.

    Use pictures that the model was not trained on, good and bad ones as they come from the line. The record is
    written into the model file; val, detect and serve then apply it.
    """
    from rich.console import Console

    from lightdet.display.progress import Bar
    from lightdet.runs.calibrate import Calibration

    options = replace(needed(options, "--data"), overrides=overrides)
    calibration = Calibration(options)
    with Bar("evaluate") as bar:
        outcome = calibration.run(bar)
    _show(Console(), options, outcome)


def price(kind: str, judged: ImageJudgement) -> list[str]:
    """Warn if keeping the promise about one kind of pictures costs a large share of the other kind."""
    other = judged.false_rejects if kind == "escape_rate" else judged.escapes
    if other.rate is None or other.rate < LARGE_SHARE:
        return []
    if kind == "escape_rate":
        paid, flag = "good pictures are rejected for it", "--escape-rate"
    else:
        paid, flag = "bad pictures are passed for it", "--false-reject-rate"
    return [
        f"warning: {other.rate:.0%} of the {paid}: the model does not separate good from bad well enough for this "
        f"promise; train it longer or on more pictures, or allow a higher {flag}"
    ]


def _show(console: Console, options: CalibrationOptions, outcome: Calibrated) -> None:
    from lightdet.decisions.promise import WORDS

    lines = []
    bad = outcome.record["rule"].get("bad")
    if bad:
        lines.append(f"bad: {', '.join(bad)} ({outcome.origin})")
    if outcome.zones:
        lines.append(f"zones: {outcome.zones}")
    for name, found in outcome.record["evidence"].items():
        of = "" if name == "all" else f" of '{name}'"
        lines.append(
            f"threshold{of} {found['threshold']:.4f}: {found['errors']} of {found['pictures']} wrong, "
            f"{WORDS[options.kind]} at most {found['bound']:.2%} with {options.confidence:.0%} confidence, a one-sided "
            f"bound (promised {options.target:.2%})"
        )
    judged = outcome.judgement
    lines += [
        "on these pictures, on which the threshold was chosen:",
        f"  escapes {judged.escapes}",
        f"  false rejects {judged.false_rejects}",
    ]
    lines += price(options.kind, judged)
    if judged.auc is not None:
        lines.append(f"  area under the ROC curve {judged.auc:.4f}")
    lines += skipped_lines(outcome.skipped)
    lines += outcome.notes
    lines.append("the promise holds for pictures from the same line as these; calibrate again when that changes")
    lines += watch_lines(outcome.record.get("reference"))
    if outcome.written is not None:
        lines.append(f"written to {outcome.written}")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
