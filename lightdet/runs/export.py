"""A trained model → a file for ONNX Runtime or OpenVINO: rewritten, traced, quantized on request, verified."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightdet.arrays import Image
from lightdet.assembly.dataset import load_dataset
from lightdet.decisions.promise import Promise, stored_promise
from lightdet.errors import UserError
from lightdet.exporting.request import SUFFIXES, check_installed, check_request
from lightdet.files import atomic_path, make_folder, write_json
from lightdet.inference.export_card import ExportCard
from lightdet.options.export import ExportOptions
from lightdet.options.outputs import refuse_inputs
from lightdet.runs.export_promise import deep_enough
from lightdet.runs.export_proof import Proof, Watcher, caveat
from lightdet.runs.load import calibrated_conditions
from lightdet.runs.validate import class_order
from lightdet.storage.kept import needs_output
from lightdet.structures import Preprocessing
from lightdet.tasks import task_of_model

if TYPE_CHECKING:
    from lightdet.card import ModelCard
    from lightdet.exporting.network import Deployable


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
            **({} if self.promise is None else {"promise": self.promise.as_dict()}),
        }

    @property
    def promise(self) -> Promise | None:
        """What the file's OK/NG rule promises; None if it has no rule."""
        decision = self.card.decision
        return None if decision is None else stored_promise(decision, self.path)


class Export:
    """One request, in two steps: creation (quick checks without the network), then `run`.

    Raises:
        UserError: flags that exclude each other, a missing file, a wrong suffix, an extra not installed.
    """

    def __init__(self, options: ExportOptions) -> None:
        options = self.options = _as_calibrated(options)
        check_request(options)
        needs_output(Path(options.weights), options.output)
        self.task = task_of_model(options.weights)
        self.task.check_options(options.given(), Path(options.weights))
        if options.nms:
            options = self.options = deep_enough(options, self.task)
        self.path = (
            Path(options.output) if options.output else Path(options.weights).with_suffix(SUFFIXES[options.format])
        )
        self.spec = load_dataset(options.data, options.data_root) if options.data is not None else None
        if self.spec is not None:
            refuse_inputs({"--json": options.json}, (), self.spec)
            self.task.check_dataset(self.spec)
            self.spec.split(options.split)
        check_installed(options)
        self.proof = Proof(options, self.task, self.spec, self.path)

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
            pictures = self.proof.pictures(preprocessing, trained.tiles)
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
            computed = self.proof.computed(draft, card)
            if options.precision == "int8":
                proof, summary = self.proof.score(draft, watcher)
            else:
                proof, summary = self.proof.prove(draft, card, pictures.proof, computed)
            facts = {**card.facts, "proof": {**proof, "computed": computed}}
            card = replace(card, facts=facts, decision=self._decision(draft, trained, watcher))
            self._write(traced, draft, card)
            size = self._publish(draft)
        outcome = ExportOutcome(self.path, size, card, summary + caveat(card.precision, computed))
        if options.json is not None:
            write_json(options.json, outcome.as_dict())
        return outcome

    def _traced(self, deploy: Deployable, preprocessing: Preprocessing) -> Any:
        """Return the ONNX model."""
        from lightdet.exporting.onnx import to_onnx  # noqa: PLC0415 - torch only when it is wanted

        options = self.options
        traced = to_onnx(deploy, preprocessing.imgsz, batch=options.fixed_batch, dynamic_size=options.dynamic_size)
        return self.task.exporting.complete_graph(traced, options)

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
            tiles=trained.tiles,
            **self.task.exporting.outputs(deploy, options),
        )

    def _decision(self, draft: Path, trained: ModelCard, watcher: Watcher) -> dict[str, Any] | None:
        """The OK/NG rule with its promise for the draft, if the checkpoint was calibrated."""
        from lightdet.runs.export_promise import exported_decision  # noqa: PLC0415

        rule = self.task.stored_rule(trained.decision, trained.names, Path(self.options.weights))
        if rule is None or trained.decision is None:
            return None
        return exported_decision(draft, rule, trained.decision, self.spec, self.options, watcher)

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


def _as_calibrated(options: ExportOptions) -> ExportOptions:
    """For a calibrated model, what is not given is as at its calibration."""
    then = calibrated_conditions(options.weights)
    if then is None:
        return options
    values = {name: getattr(then, name) for name in ("imgsz", "iou", "max_detections", "agnostic")}
    missing = {name for name, value in values.items() if value is not None and not getattr(options, name)}
    return replace(options, **{name: values[name] for name in missing})


def _preprocessing(trained: ModelCard, imgsz: int | None) -> Preprocessing:
    try:
        return trained.preprocessing if imgsz is None else replace(trained.preprocessing, imgsz=imgsz)
    except ValueError as error:
        raise UserError(str(error)) from None


def _version() -> str:
    from lightdet import __version__  # noqa: PLC0415

    return __version__
