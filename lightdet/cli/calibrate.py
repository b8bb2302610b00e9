"""``lightdet calibrate``: a threshold with a promise on bad parts that escape, or on good ones that are rejected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightdet.cli.common import (
    Batch,
    Data,
    DataRoot,
    Device,
    Imgsz,
    Json,
    OnError,
    OnErrorOption,
    OptionalWeights,
    Overrides,
)
from lightdet.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.calibration import ImageJudgement
    from lightdet.runs.calibrate import Calibrated, CalibrationRequest, Kind

LARGE_SHARE = 0.2
"""From this share on of good pictures rejected, or bad ones passed, a promise is hardly worth its price."""
SHOWN_SKIPPED = 20


def calibrate(
    data: Data,
    overrides: Overrides = None,
    weights: OptionalWeights = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", metavar="FILE", help="Instead of --weights: detections as COCO JSON."),
    ] = None,
    escape_rate: Annotated[
        float | None,
        typer.Option("--escape-rate", metavar="SHARE", help="Promise: at most this share of bad parts is passed."),
    ] = None,
    false_reject_rate: Annotated[
        float | None,
        typer.Option("--false-reject-rate", metavar="SHARE", help="Or: at most this share of good ones is rejected."),
    ] = None,
    confidence: Annotated[
        float, typer.Option("--confidence", metavar="SHARE", help="Confidence of the promise.")
    ] = 0.95,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="One threshold a class, each with the promise for its own defects.")
    ] = False,
    min_size: Annotated[
        float, typer.Option("--min-size", metavar="PIXELS", help="Defects whose longer side is shorter do not count.")
    ] = 0.0,
    bad: Annotated[
        list[str] | None,
        typer.Option(
            "--bad", metavar="NAME", help="Of a classifier: a class of bad parts (several: again, or commas)."
        ),
    ] = None,
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="Which split of the data set.")] = "val",
    data_root: DataRoot = None,
    imgsz: Imgsz = None,
    batch: Batch = None,
    device: Device = "auto",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Model file to write; default: the --weights themselves."),
    ] = None,
    on_error: OnErrorOption = OnError.fail,
    json: Json = None,
) -> None:
    """Choose the threshold from which a picture is NG, so that a rate is kept with a stated confidence.

    Take pictures that the model was not trained on, good ones and bad ones as the line brings them. The record is
    written into the model file; val, detect and serve then judge pictures by it.
    """
    from rich.console import Console

    from lightdet.display.progress import Bar
    from lightdet.runs.calibrate import Calibration, CalibrationRequest

    if (escape_rate is None) == (false_reject_rate is None):
        raise UserError("give either --escape-rate or --false-reject-rate, such as --escape-rate 0.01")
    kind: Kind = "false_reject_rate" if escape_rate is None else "escape_rate"
    target = escape_rate if escape_rate is not None else false_reject_rate
    assert target is not None  # noqa: S101 - for the type checker
    request = CalibrationRequest(
        data=data,
        kind=kind,
        target=target,
        weights=weights,
        predictions=predictions,
        confidence=confidence,
        per_class=per_class,
        min_size=min_size,
        split=split,
        data_root=data_root,
        imgsz=imgsz,
        batch=batch,
        device=device,
        output=output,
        skip_bad=on_error is OnError.skip,
        bad=bad or (),
        overrides=overrides or (),
        json=json,
    )
    calibration = Calibration(request)
    with Bar("evaluate") as bar:
        outcome = calibration.run(bar)
    _show(Console(), request, outcome)


def price(kind: Kind, judged: ImageJudgement) -> list[str]:
    """Warn where the promise about one kind of pictures is paid with a large share of the other kind."""
    other = judged.false_rejects if kind == "escape_rate" else judged.escapes
    if other.rate is None or other.rate < LARGE_SHARE:
        return []
    if kind == "escape_rate":
        paid, flag = "good pictures are rejected for it", "--escape-rate"
    else:
        paid, flag = "bad pictures are passed for it", "--false-reject-rate"
    return [
        f"warning: {other.rate:.0%} of the {paid}: the model tells good from bad too badly for this promise; train it "
        f"longer or on more pictures, or allow a larger {flag}"
    ]


def _show(console: Console, request: CalibrationRequest, outcome: Calibrated) -> None:
    from lightdet.runs.calibrate import WORDS

    lines = []
    bad = outcome.record["rule"].get("bad")
    if bad:
        lines.append(f"bad: {', '.join(bad)} ({outcome.origin})")
    for name, found in outcome.record["evidence"].items():
        of = "" if name == "all" else f" of '{name}'"
        lines.append(
            f"threshold{of} {found['threshold']:.4f}: {found['errors']} of {found['pictures']} wrong, "
            f"{WORDS[request.kind]} at most {found['bound']:.2%} with {request.confidence:.0%} confidence, a one-sided "
            f"bound (promised {request.target:.2%})"
        )
    judged = outcome.judgement
    lines += [
        "on these pictures, on which the threshold was chosen:",
        f"  escapes {judged.escapes}",
        f"  false rejects {judged.false_rejects}",
    ]
    lines += price(request.kind, judged)
    if judged.auc is not None:
        lines.append(f"  area under the ROC curve {judged.auc:.4f}")
    if outcome.skipped:
        lines.append(f"skipped {len(outcome.skipped)}:")
        lines += [f"  {reason}" for reason in outcome.skipped[:SHOWN_SKIPPED]]
        more = len(outcome.skipped) - SHOWN_SKIPPED
        lines += [f"  … and {more} more"] if more > 0 else []
    if request.split == "train":
        lines.append("if the model was trained on this split, the promise does not hold for new pictures: take another")
    lines.append("the promise holds for pictures from the same line as these; calibrate anew when that changes")
    if outcome.written is not None:
        lines.append(f"written to {outcome.written}")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
