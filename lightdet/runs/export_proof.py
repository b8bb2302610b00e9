"""An export is written only if it is what it was made from: the same results, or in int8 nearly the same score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.data.dataset import DatasetSpec, read_split
from lightdet.errors import UserError
from lightdet.geometry.tiles import Tile, plan_tiles
from lightdet.inference.classifier import to_input
from lightdet.inference.export_card import ExportCard
from lightdet.options.export import ExportOptions
from lightdet.options.val import ValOptions
from lightdet.runs.for_model import PicturesForModel
from lightdet.runs.load import load
from lightdet.runs.validate import Validation
from lightdet.structures import Preprocessing, Tiling
from lightdet.tasks import Task

PROOF_PICTURES = 16
RENDERED = 0
"""Seed of the rendered pictures for the check if no data set is given."""


class Watcher(Protocol):
    """Follows the steps of an export."""

    def stage(self, text: str) -> None:
        """A step that takes a while begins."""
        ...

    def begin(self, pictures: int) -> None:
        """Pictures are about to go through a network."""
        ...

    def step(self, pictures: int) -> None:
        """More pictures are done."""
        ...


@dataclass
class ProofData:
    """Network inputs: those for the check, and those that calibrate the ranges of int8."""

    proof: list[Image] = field(default_factory=list)
    calibration: list[Image] = field(default_factory=list)


class Proof:
    """Compares the draft of an export with the checkpoint.

    Args:
        options: the request.
        task: the checkpoint's.
        spec: whose pictures are compared; None: rendered ones.
        target: where the export will be, for messages.
    """

    def __init__(self, options: ExportOptions, task: Task, spec: DatasetSpec | None, target: Path) -> None:
        self.options, self.task, self.spec, self.target = options, task, spec, target

    def pictures(self, preprocessing: Preprocessing, tiles: Tiling | None) -> ProofData:
        """Read pictures of the data set, or render some; of those larger than a tile, one tile each."""
        options, spec = self.options, self.spec
        if spec is None:
            return ProofData([to_input(image, preprocessing) for image in rendered_pictures()])

        pictures = PicturesForModel(spec, preprocessing.bit_depth, options.weights)

        def read(split: str, most: int) -> list[Image]:
            truths = read_split(spec, split)[0]
            chosen = [truths[index] for index in spread(len(truths), most)]
            images = [(each, pictures.read(each.image)) for each in chosen]
            if tiles is not None:
                images = [(each, fullest_tile(image, each.boxes, tiles)) for each, image in images]
            return [to_input(image, preprocessing) for _, image in images]

        data = ProofData(read(options.split, PROOF_PICTURES))
        if options.precision == "int8":
            data.calibration = read("train", options.calibration)
        return data

    def prove(
        self, draft: Path, card: ExportCard, pictures: Sequence[Image], computed: str
    ) -> tuple[dict[str, Any], str]:
        """Compare the draft, which runs in `computed`, with the checkpoint; returns the figures and a line about them.

        Raises:
            UserError: the results differ.
        """
        from lightdet.exporting.proof import NothingFound  # noqa: PLC0415

        options = self.options

        def run(which: str, **thresholds: Any) -> list[Any]:
            weights, imgsz = (options.weights, options.imgsz) if which == "checkpoint" else (draft, None)
            runtime = load(weights, imgsz=imgsz, no_promise=True, **thresholds).runtime
            return run_batches(
                runtime.as_trained() if which == "checkpoint" else runtime, pictures, self.task.exporting.proof_batch
            )

        try:
            return self.task.exporting.prove(run, card, proof_precision(card.precision, computed))
        except NothingFound as found:
            raise UserError(self._nothing_found(found.floor), path=options.weights) from None
        except UserError as error:
            if error.path is not None:
                raise
            raise UserError(error.message + way_out(card.precision), path=self.target) from None

    def _nothing_found(self, floor: float) -> str:
        """Say that the checkpoint finds nothing, and what to do."""
        where = "the rendered pictures" if self.spec is None else f"the split '{self.options.split}'"
        way = "give --data with pictures of its kind" if self.spec is None else "give another --split"
        lower = ", or a lower --confidence" if self.options.nms else ""
        return (
            f"finds nothing with a score of {floor:g} or more in {where}, so there is nothing to compare; {way}{lower}"
        )

    def score(self, draft: Path, watcher: Watcher) -> tuple[dict[str, Any], str]:
        """Score checkpoint and draft on the split; refuse a draft that loses too much."""
        options, what = self.options, self.task.scores.headline
        found: list[float] = []
        for weights, called in ((options.weights, "the checkpoint"), (draft, "int8")):
            watcher.stage(f"scoring {called}")
            validation = Validation(
                ValOptions(
                    data=options.data or Path(),
                    weights=weights,
                    split=options.split,
                    data_root=options.data_root,
                    imgsz=options.imgsz if weights is options.weights else None,
                    device="cpu",
                    no_promise=True,
                )
            )
            result = validation.find(watcher)
            score = self.task.scores.headline_score(result.truths, result.predictions, validation.spec.classes)
            if score is None:
                raise UserError(f"the split '{options.split}' has no boxes to score int8 on", path=options.data)
            if not found and score == 0:
                raise UserError(
                    f"finds nothing right on '{options.split}' ({what} 0): the loss of int8 cannot be measured there; "
                    "train it longer, or give another --split",
                    path=options.weights,
                )
            found.append(score)
        before, after = found
        drop = 100 * (before - after)
        if drop > options.max_drop:
            raise UserError(
                f"not exported: int8 loses {drop:.2f} points of {what} ({before:.4f} to {after:.4f}) on "
                f"'{options.split}', more than --max-drop {options.max_drop:g}",
                path=self.target,
            )
        key = self.task.scores.headline_key
        figures = {key: after, f"{key}_checkpoint": before, "split": options.split}
        points = f"{100 * (after - before):+.2f} points"
        return figures, f"{what} on {options.split}: {before:.4f} checkpoint, {after:.4f} int8 ({points})"

    def computed(self, draft: Path, card: ExportCard) -> str:
        """The precision in which the draft computes here: a processor without units for a format uses another."""
        if self.options.format == "onnx" or card.precision == "int8":
            return card.precision
        from lightdet.inference.openvino_runtime import OpenVinoFile  # noqa: PLC0415

        return OpenVinoFile(draft, device="cpu").precision


def fullest_tile(image: Image, boxes: FloatArray, tiles: Tiling) -> Image:
    """The tile of a picture with the centres of most `boxes`: the network finds nothing in one without any."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2

    def count(tile: Tile) -> int:
        place = centres - (tile.x, tile.y)
        return int(((place >= 0) & (place < (tile.width, tile.height))).all(axis=1).sum())

    best = max(plan_tiles((image.shape[1], image.shape[0]), tiles.size, tiles.overlap), key=count)
    return image[best.y : best.y + best.height, best.x : best.x + best.width]


def caveat(precision: str, computed: str) -> str:
    """The caveat for a check that ran in another format than the file's."""
    if computed == precision:
        return ""
    return (
        f". Computed in {computed}, because this processor has no {precision}: {precision} is not verified; "
        f"export on one that has it, or use --precision {computed}"
    )


def proof_precision(precision: str, computed: str) -> str:
    """The precision whose tolerance applies: bf16 leaves the weights as they are, fp16 rounds them in the file."""
    return computed if precision == "bf16" else precision


def rendered_pictures() -> list[Image]:
    """Rendered pictures of parts with defects, for lack of real ones."""
    from lightdet.data.synthetic import render_sample  # noqa: PLC0415 - it takes a moment

    return [render_sample(RENDERED, index).image for index in range(PROOF_PICTURES)]


def spread(count: int, most: int) -> list[int]:
    """At most `most` indices, spread evenly over `count`."""
    return sorted({int(index) for index in np.linspace(0, count - 1, min(count, most))}) if count else []


def way_out(precision: str) -> str:
    """Say which number format to use instead."""
    return "" if precision == "fp32" else "; use --precision fp32"


def run_batches(runtime: Any, pictures: Sequence[Image], batch: int) -> list[Any]:
    """Run a runtime on prepared pictures, a few at a time; one result per picture."""
    found: list[Any] = []
    for first in range(0, len(pictures), batch):
        found += list(runtime(np.stack(pictures[first : first + batch])))
    return found
