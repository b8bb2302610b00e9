"""A request to explain → overlays and numbers, picture by picture."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from lightdet.arrays import Image
from lightdet.decisions.conditions import Conditions
from lightdet.drawing import class_color
from lightdet.errors import UserError
from lightdet.explaining.answers import Explainer, Explanation
from lightdet.explaining.overlay import draw_overlay
from lightdet.files import check_writable, write_json
from lightdet.inference.image_writers import write_picture
from lightdet.inference.run_folder import check_file, fresh_folder, originals_of, results_of_runs
from lightdet.inference.source import Source, printable
from lightdet.inference.sources import expand_sources
from lightdet.model_kind import is_export
from lightdet.options.explain import ExplainOptions
from lightdet.runs.load import calibrated_conditions, trained_tiles
from lightdet.storage.kept import shown_path
from lightdet.tasks import task_of_model

RUNS = Path("runs/explain")
"""Overlays go here, or to ``runs/explain-2``, …, if no output folder is named."""
WITHOUT_GRADIENTS = (".onnx", ".xml", ".bin", ".engine", ".tflite")


@dataclass
class Explained:
    """The result: one entry per overlay with `path`, `source` and numbers; pictures without any; what was skipped."""

    folder: Path | None = None
    pictures: int = 0
    entries: list[dict[str, Any]] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


class ExplainRun:
    """One request, in two steps: creation (quick checks: sources and contradictions), then `run`.

    Raises:
        UserError: a source that is missing or not a picture, options that contradict each other.
    """

    def __init__(self, options: ExplainOptions) -> None:
        check_options(options)
        self.options = options
        earlier = results_of_runs(RUNS)
        output = Path(options.output).absolute() if options.output is not None else None
        found = expand_sources(
            options.sources,
            recursive=options.recursive,
            exclude=lambda folder: earlier(folder) or folder.absolute() == output,
            stored=True,
        )
        for source in found.items:
            _check_picture(source)
        self.sources = found
        self.check = partial(check_file, originals=originals_of(found.items), overwrite=options.overwrite)
        self.outcome = Explained()
        self.tile: int | None = None

    def run(self, done: Any = lambda source: None) -> Explained:
        """Load the network and explain every picture; `done` is called with each source.

        Raises:
            UserError: the model cannot be loaded or has no gradients, a class or box that does not exist, a picture
                that cannot be read (unless skipped), a file that would be overwritten.
        """
        options, outcome = self.options, self.outcome
        then, trained = calibrated_conditions(options.weights), trained_tiles(options.weights)
        if then is None:
            explainer = load_explainer(options)
            self.tile = None if trained is None else trained.size
        else:
            looking = as_in_detect(options, then)
            explainer = load_explainer(looking, rect=bool(then.rect), agnostic=bool(then.agnostic))
            self.tile = then.tile
        try:
            for source in self.sources:
                try:
                    self._explain(explainer, source)
                except UserError as error:
                    placed = error if error.path is not None else UserError(error.message, path=source.name)
                    if not options.on_error == "skip":
                        raise placed from None
                    outcome.skipped.append((source.name, printable(placed.message)))
                done(source)
        finally:
            if options.json is not None:
                write_json(options.json, self._as_dict())
        return outcome

    def _explain(self, explainer: Explainer, source: Source) -> None:
        _check_picture(source)
        for page in source.read(explainer.preprocessing.bit_depth):
            self._explain_picture(explainer, source.page(page), page.image)

    def _explain_picture(self, explainer: Explainer, source: Source, picture: Image) -> None:
        if self.tile is not None and max(picture.shape[:2]) > self.tile:
            raise UserError(
                f"is larger than the tiles of {self.tile} pixels that the model looks through: cut out the part to "
                "explain",
                path=source.name,
            )
        explanations = explainer.explain(picture, self.options)
        self.outcome.pictures += 1
        if not explanations:
            self.outcome.empty.append(source.name)
        for place, explanation in enumerate(explanations, start=1):
            path = self._place(source, explanation.number or place, explanation.name)
            written = write_picture(path, overlay(picture, explanation), check=self.check)
            entry = {"source": printable(source.name), "overlay": printable(written), **explanation.as_dict()}
            self.outcome.entries.append(entry)

    def _place(self, source: Source, number: int, name: str) -> Path:
        """Where an overlay goes: ``<stem>.<number>.<class>.jpg``."""
        if self.outcome.folder is None:
            given = self.options.output
            self.outcome.folder = check_writable(Path(given)) if given is not None else fresh_folder(RUNS)
        plain = re.sub(r"[^\w-]+", "-", name)[:60].strip("-") or "class"
        return self.outcome.folder / source.stem.with_name(f"{source.stem.name}.{number}.{plain}.jpg")

    def _as_dict(self) -> dict[str, Any]:
        options, outcome = self.options, self.outcome
        return {
            "weights": printable(shown_path(options.weights)),
            "method": options.method,
            "pictures": outcome.pictures,
            "explanations": outcome.entries,
            "nothing_found": [printable(name) for name in outcome.empty],
            "skipped": [{"source": printable(source), "reason": reason} for source, reason in outcome.skipped],
        }


def overlay(picture: Image, explanation: Explanation) -> Image:
    """Draw one explanation over its picture, uint8 RGB with a strip below."""
    boxes = None if explanation.box is None else explanation.box[None]
    texts = [f"{explanation.name} {explanation.score:.2f}"]
    return draw_overlay(
        picture,
        explanation.heat,
        explanation.caption(),
        boxes=boxes,
        texts=texts,
        colors=[class_color(explanation.label)],
    )


def check_options(options: ExplainOptions) -> None:
    """Refuse contradictory options.

    Raises:
        UserError: they contradict each other.
    """
    if options.box is not None and options.class_name is not None:
        raise UserError("--box and --class exclude each other: give one of them")
    if options.top is not None and (options.box is not None or options.class_name is not None):
        raise UserError("--top is the number of explanations; leave it out with --box or --class")


def as_in_detect(options: ExplainOptions, then: Conditions) -> ExplainOptions:
    """Fill in for a detector what is not given, so that its boxes are those of ``lightdet detect``, in their order.

    Args:
        options: the request.
        then: the conditions of its calibration.

    Raises:
        UserError: a box by its number, and detect numbers other boxes than can be explained one by one.
    """
    if then.iou is None:  # a classifier
        return options
    differs = "with zones" if then.zones is not None else f"in {then.precision}" if then.precision != "fp32" else ""
    if options.box is not None and differs:
        raise UserError(
            f"--box is a number of detect's, which looks {differs} as the model was calibrated, and explain does not: "
            "take 'lightdet detect --explain', or --class",
            path=options.weights,
        )
    return replace(
        options,
        imgsz=options.imgsz or then.imgsz,
        iou=then.iou if options.iou is None else options.iou,
        max_detections=options.max_detections or then.max_detections,
    )


def load_explainer(options: ExplainOptions, *, rect: bool = False, agnostic: bool = False) -> Explainer:
    """Return the explainer for a model file.

    Raises:
        UserError: a file that is not a model or has no gradients, options that do not belong to it.
    """
    path = Path(options.weights)
    if is_export(path) or path.suffix.lower() in WITHOUT_GRADIENTS:
        raise UserError(
            "has no gradients, which explaining needs; give the best.safetensors that it was exported from", path=path
        )
    task = task_of_model(path)
    task.check_options(options.given(), path)
    from lightdet.models.device import choose_device  # noqa: PLC0415 - torch, now that the options are checked

    explainer: Explainer = task.explainer(options, device=choose_device(options.device), rect=rect, agnostic=agnostic)
    return explainer


def _check_picture(source: Source) -> None:
    if source.kind != "picture":
        raise UserError(
            f"is a {source.kind}, and only pictures can be explained; save the frame you need as a picture",
            path=source.name,
        )
