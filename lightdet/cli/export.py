"""``lightdet export``: a checkpoint for use without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from lightdet.cli.common import ALL
from lightdet.options.export import ExportOptions

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.runs.export import ExportOutcome


def export(*, options: Annotated[ExportOptions, ALL]) -> None:
    """Export a trained model to ONNX or OpenVINO, and verify that the file gives the same results.

    The file is written only if it gives the checkpoint's detections (or probabilities) on pictures of --data, or on
    rendered ones.
    With int8 the loss of mAP (or of accuracy) on --split is printed, and must not exceed --max-drop.
    """
    from rich.console import Console

    from lightdet.display.progress import Bar
    from lightdet.runs.export import Export

    job = Export(options)
    with Bar("export") as bar:
        outcome = job.run(bar)
    _show(Console(), outcome)


def _show(console: Console, outcome: ExportOutcome) -> None:
    card = outcome.card
    side = f"{card.preprocessing.imgsz} x {card.preprocessing.imgsz}"
    takes = f"any multiples of 32 (trained at {side})" if card.dynamic_size else side
    many = "any number of pictures" if card.batch is None else f"{card.batch} picture{'s' * (card.batch > 1)}"
    made = "" if card.facts["proof"]["computed"] == card.precision else "made for "
    lines = [
        f"{outcome.path}: {outcome.bytes / 1e6:.2f} MB, {made}{card.precision}, takes {many} of {takes}, "
        f"gives {card.outputs}",
        outcome.summary,
    ]
    if outcome.promise is not None:
        lines.append(f"promise: {outcome.promise.describe()}")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
