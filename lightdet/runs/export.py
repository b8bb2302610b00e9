"""A trained model → a file for ONNX Runtime or OpenVINO: rewritten, traced, quantized on request, verified."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lightdet.arrays import Image
from lightdet.assembly.dataset import load_dataset
from lightdet.data.dataset import read_split
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.exporting.request import SUFFIXES, check_installed, check_request
from lightdet.files import atomic_path, make_folder, write_json
from lightdet.inference.classifier import to_input
from lightdet.inference.export_card import ExportCard
from lightdet.options.export import ExportOptions
from lightdet.options.val import ValOptions
from lightdet.runs.load import load
from lightdet.runs.validate import Validation, class_order
from lightdet.structures import Preprocessing
from lightdet.tasks import task_of_model

if TYPE_CHECKING:
    from lightdet.card import ModelCard
    from lightdet.exporting.network import Deployable

PROOF_PICTURES = 16
RENDERED = 0
"""Seed of the rendered pictures for the check if no data set is given."""


@dataclass(frozen=True)
class ExportOutcome:
    """The written file, and how it was verified.

    Attributes:
        path: the file.
        bytes: its size, of both files for OpenVINO.
        card: the file's card; its ``facts["proof"]`` holds the figures of the check.
        summary: the check in one line.
    """

    path: Path
    bytes: int
    card: ExportCard
    summary: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        card = self.card
        return {
            "file": str(self.path),
            "bytes": self.bytes,
            "precision": card.precision,
            "imgsz": card.preprocessing.imgsz,
            "batch": card.batch,
            "dynamic_size": card.dynamic_size,
            "outputs": card.outputs,
            "names": list(card.names),
            **card.facts["proof"],
        }


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


class Export:
    """One request, in two steps: creation (quick checks without the network), then `run`.

    Raises:
        UserError: flags that exclude each other, a missing file, a wrong suffix, an extra not installed.
    """

    def __init__(self, options: ExportOptions) -> None:
        self.options = options
        check_request(options)
        self.task = task_of_model(options.weights)
        self.task.check_options(options.given(), Path(options.weights))
        self.path = (
            Path(options.output) if options.output else Path(options.weights).with_suffix(SUFFIXES[options.format])
        )
        self.spec = load_dataset(options.data, options.data_root) if options.data is not None else None
        if self.spec is not None:
            self.task.check_dataset(self.spec)
            self.spec.split(options.split)
        check_installed(options)

    def run(self, watcher: Watcher) -> ExportOutcome:
        """Rewrite, trace, quantize if requested, verify, write.

        Raises:
            UserError: the check fails (nothing is written then); a checkpoint, picture or label that cannot be read;
                a file that cannot be written.
        """
        options = self.options
        network, trained = self.task.network(Path(options.weights))
        self.task.check_side(trained, Path(options.weights), options.imgsz, any_size=options.dynamic_size)
        preprocessing = _preprocessing(trained, options.imgsz)
        if self.spec is not None:
            class_order(trained.names, self.spec, Path(options.weights))
        with self._draft_folder() as folder:
            watcher.stage("reading pictures")
            pictures = self._pictures(preprocessing)
            watcher.stage("tracing the network")
            deploy = self.task.exporting.deployable(network, preprocessing, options)
            traced = self._traced(deploy, preprocessing)
            card = self._card(trained, network, preprocessing, deploy)
            draft = folder / f"export{SUFFIXES[options.format]}"
            if options.precision == "int8":
                watcher.stage(f"calibrating on {len(pictures.calibration)} pictures")
                traced = self._quantize(traced, deploy, pictures.calibration)
            self._write(traced, draft, card)
            watcher.stage("verifying")
            computed = self._computed(draft, card)
            if options.precision == "int8":
                proof, summary = self._score(draft, watcher)
            else:
                proof, summary = self._prove(draft, card, pictures.proof, computed)
            card = replace(card, facts={**card.facts, "proof": {**proof, "computed": computed}})
            self._write(traced, draft, card)
            size = self._publish(draft)
        outcome = ExportOutcome(self.path, size, card, summary + _caveat(card.precision, computed))
        if options.json is not None:
            write_json(options.json, outcome.as_dict())
        return outcome

    def _traced(self, deploy: Deployable, preprocessing: Preprocessing) -> Any:
        """Return the ONNX model."""
        from lightdet.exporting.onnx import to_onnx  # noqa: PLC0415 - torch only when it is wanted

        options = self.options
        traced = to_onnx(deploy, preprocessing.imgsz, batch=options.fixed_batch, dynamic_size=options.dynamic_size)
        return self.task.exporting.complete_graph(traced, options)

    def _pictures(self, preprocessing: Preprocessing) -> ProofData:
        """Read pictures of the data set, or render some."""
        options, spec = self.options, self.spec
        if spec is None:
            return ProofData([to_input(image, preprocessing) for image in rendered_pictures()])

        def read(split: str, most: int) -> list[Image]:
            truths = read_split(spec, split)[0]
            chosen = [truths[index] for index in spread(len(truths), most)]
            return [to_input(read_image(each.image, bit_depth=spec.bit_depth), preprocessing) for each in chosen]

        data = ProofData(read(options.split, PROOF_PICTURES))
        if options.precision == "int8":
            data.calibration = read("train", options.calibration)
        return data

    def _prove(
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
            runtime = load(weights, imgsz=imgsz, **thresholds).runtime
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
            raise UserError(error.message + way_out(card.precision), path=self.path) from None

    def _nothing_found(self, floor: float) -> str:
        """Say that the checkpoint finds nothing, and what to do."""
        where = "the rendered pictures" if self.spec is None else f"the split '{self.options.split}'"
        way = "give --data with pictures of its kind" if self.spec is None else "give another --split"
        lower = ", or a lower --confidence" if self.options.nms else ""
        return (
            f"finds nothing with a score of {floor:g} or more in {where}, so there is nothing to compare; {way}{lower}"
        )

    def _score(self, draft: Path, watcher: Watcher) -> tuple[dict[str, Any], str]:
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
                path=self.path,
            )
        key = self.task.scores.headline_key
        figures = {key: after, f"{key}_checkpoint": before, "split": options.split}
        points = f"{100 * (after - before):+.2f} points"
        return figures, f"{what} on {options.split}: {before:.4f} checkpoint, {after:.4f} int8 ({points})"

    def _computed(self, draft: Path, card: ExportCard) -> str:
        """The precision in which the draft computes here: a processor without units for a format uses another."""
        if self.options.format == "onnx" or card.precision == "int8":
            return card.precision
        from lightdet.inference.openvino_runtime import OpenVinoFile  # noqa: PLC0415

        return OpenVinoFile(draft, device="cpu").precision

    def _card(self, trained: ModelCard, network: Any, preprocessing: Preprocessing, deploy: Deployable) -> ExportCard:
        from lightdet.profiling.complexity import measure_complexity  # noqa: PLC0415

        counted = measure_complexity(network, preprocessing.imgsz)
        cost = {"params": counted.params, "flops": counted.flops}
        options = self.options
        return ExportCard(
            names=trained.names,
            preprocessing=preprocessing,
            layout=deploy.layout,
            batch=options.fixed_batch,
            dynamic_size=options.dynamic_size,
            precision=options.precision,
            version=_version(),
            facts={"model": trained.model, "training": trained.facts, "complexity": cost},
            decision=trained.decision,
            **self.task.exporting.outputs(deploy, options),
        )

    def _quantize(self, traced: Any, deploy: Deployable, pictures: Sequence[Image]) -> Any:
        from lightdet.exporting.openvino import to_openvino  # noqa: PLC0415
        from lightdet.exporting.quantize import quantize_onnx, quantize_openvino  # noqa: PLC0415

        batch = self.options.fixed_batch or 1
        arrays = [np.stack([image] * batch) for image in pictures]
        if deploy.layout == "planar":
            planes = [np.ascontiguousarray(array.transpose(0, 3, 1, 2)) for array in arrays]
            return quantize_onnx(traced, planes, self.task.exporting.quantized_nodes())
        return quantize_openvino(to_openvino(traced), arrays)

    @contextmanager
    def _draft_folder(self) -> Iterator[Path]:
        """Make a folder inside the target's, on the same disk; fails before minutes of work, not after."""
        make_folder(self.path.parent)
        try:
            folder = tempfile.mkdtemp(dir=self.path.parent, prefix=".lightdet-export-")
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror}", path=self.path) from None
        try:
            yield Path(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _write(self, traced: Any, path: Path, card: ExportCard) -> None:
        """Write the network with a card.

        Raises:
            UserError: it cannot be written.
        """
        try:
            if self.options.format == "onnx":
                from lightdet.exporting.onnx import with_card  # noqa: PLC0415

                path.write_bytes(with_card(traced, card))
            else:
                from lightdet.exporting.openvino import save_ir, to_openvino  # noqa: PLC0415

                save_ir(traced if self.options.precision == "int8" else to_openvino(traced), path, card)
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror or error}", path=self.path) from None

    def _publish(self, draft: Path) -> int:
        """Move the draft into place, whole or not at all; the weights first, so that no XML is without them."""
        files = [(draft, self.path)]
        if self.options.format == "openvino":
            files.insert(0, (draft.with_suffix(".bin"), self.path.with_suffix(".bin")))
        size = 0
        for source, target in files:
            size += source.stat().st_size
            with atomic_path(target) as temporary:
                source.replace(temporary)
        return size


def _caveat(precision: str, computed: str) -> str:
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


def _preprocessing(trained: ModelCard, imgsz: int | None) -> Preprocessing:
    try:
        return trained.preprocessing if imgsz is None else replace(trained.preprocessing, imgsz=imgsz)
    except ValueError as error:
        raise UserError(str(error)) from None


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


def _version() -> str:
    from lightdet import __version__  # noqa: PLC0415

    return __version__
