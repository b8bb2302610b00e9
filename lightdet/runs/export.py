"""What every export has in common: rewritten, traced, quantized where asked, proved, written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lightdet.arrays import Image
from lightdet.assembly.dataset import load_dataset
from lightdet.errors import UserError
from lightdet.files import atomic_path, make_folder
from lightdet.inference.export_card import ExportCard
from lightdet.runs.export_request import SUFFIXES, ExportRequest, check_installed, check_request
from lightdet.runs.validate import class_order
from lightdet.structures import Preprocessing

if TYPE_CHECKING:
    from lightdet.card import ModelCard
    from lightdet.export.network import Deployable

PROOF_PICTURES = 16
RENDERED = 0
"""Seed of the pictures that prove where no data set is given."""


@dataclass(frozen=True)
class ExportOutcome:
    """What was written, and how it was proved.

    Attributes:
        path: the file.
        bytes: its size, of both files for OpenVINO.
        card: what it says of itself; its ``facts["proof"]`` holds the figures of the proof.
        told: the proof in one line.
    """

    path: Path
    bytes: int
    card: ExportCard
    told: str

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
    """Is told what begins."""

    def stage(self, text: str) -> None:
        """Something that takes a while begins."""
        ...

    def begin(self, pictures: int) -> None:
        """Pictures are about to go through a network."""
        ...

    def step(self, pictures: int) -> None:
        """So many more are done."""
        ...


@dataclass
class ProofData:
    """Pictures as the network takes them: those of the proof, and those that the ranges of 8 bits are taken from."""

    proof: list[Image] = field(default_factory=list)
    calibration: list[Image] = field(default_factory=list)


class ExportJob(ABC):
    """One request, in two steps: made (what needs no network is checked; quick), then run.

    Raises:
        UserError: flags that exclude each other, a file that is not there, a wrong ending, an extra not installed.
    """

    def __init__(self, request: ExportRequest) -> None:
        self.request = request
        check_request(request)
        self.path = request.output or request.weights.with_suffix(SUFFIXES[request.kind])
        self.spec = load_dataset(request.data, request.data_root) if request.data is not None else None
        if self.spec is not None:
            self.spec.split(request.split)
        check_installed(request)

    @abstractmethod
    def _load(self) -> tuple[Any, ModelCard]:
        """Return the network and its card."""

    @abstractmethod
    def _pictures(self, preprocessing: Preprocessing) -> ProofData:
        """Read pictures of the data set, or render some."""

    @abstractmethod
    def _deployable(self, network: Any, preprocessing: Preprocessing) -> Deployable:
        """Rewrite the network for the file."""

    @abstractmethod
    def _outputs(self, deploy: Deployable) -> dict[str, Any]:
        """Return what the card says of the outputs."""

    @abstractmethod
    def _prove(
        self, draft: Path, card: ExportCard, pictures: Sequence[Image], watcher: Watcher, computed: str
    ) -> tuple[dict[str, Any], str]:
        """Compare the draft, which runs in `computed`, with the checkpoint; returns the figures and a line about them.

        Raises:
            UserError: it does not give the same.
        """

    def _traced(self, deploy: Deployable, preprocessing: Preprocessing) -> Any:
        """Return the ONNX model."""
        from lightdet.export.onnx import to_onnx  # noqa: PLC0415 - torch only when it is wanted

        request = self.request
        return to_onnx(deploy, preprocessing.imgsz, batch=request.batch, dynamic_size=request.dynamic_size)

    def run(self, watcher: Watcher) -> ExportOutcome:
        """Rewrite, trace, quantize where asked, prove, write.

        Raises:
            UserError: the proof fails (nothing is written then); a checkpoint, picture or label that cannot be read;
                a file that cannot be written.
        """
        request = self.request
        network, trained = self._load()
        preprocessing = _preprocessing(trained, request.imgsz)
        if self.spec is not None:
            class_order(trained.names, self.spec, request.weights)
        with self._draft_folder() as folder:
            watcher.stage("reading pictures")
            pictures = self._pictures(preprocessing)
            watcher.stage("tracing the network")
            deploy = self._deployable(network, preprocessing)
            traced = self._traced(deploy, preprocessing)
            card = self._card(trained, network, preprocessing, deploy)
            draft = folder / f"export{SUFFIXES[request.kind]}"
            if request.precision == "int8":
                watcher.stage(f"calibrating on {len(pictures.calibration)} pictures")
                traced = self._quantize(traced, deploy, pictures.calibration)
            self._write(traced, draft, card)
            watcher.stage("proving")
            computed = self._computed(draft, card)
            proof, told = self._prove(draft, card, pictures.proof, watcher, computed)
            card = replace(card, facts={**card.facts, "proof": {**proof, "computed": computed}})
            self._write(traced, draft, card)
            size = self._publish(draft)
        return ExportOutcome(self.path, size, card, told + _not_proved(card.precision, computed))

    def _computed(self, draft: Path, card: ExportCard) -> str:
        """What the draft computes in here: a processor without units for a format computes in another."""
        if self.request.kind == "onnx" or card.precision == "int8":
            return card.precision
        from lightdet.inference.openvino_runtime import OpenVinoFile  # noqa: PLC0415

        return OpenVinoFile(draft, device="cpu").precision

    def _card(self, trained: ModelCard, network: Any, preprocessing: Preprocessing, deploy: Deployable) -> ExportCard:
        from lightdet.profiling.complexity import measure_complexity  # noqa: PLC0415

        counted = measure_complexity(network, preprocessing.imgsz)
        cost = {"params": counted.params, "flops": counted.flops}
        request = self.request
        return ExportCard(
            names=trained.names,
            preprocessing=preprocessing,
            layout=deploy.layout,
            batch=request.batch,
            dynamic_size=request.dynamic_size,
            precision=request.precision,
            version=_version(),
            facts={"model": trained.model, "training": trained.facts, "complexity": cost},
            decision=trained.decision,
            **self._outputs(deploy),
        )

    def _quantized_nodes(self) -> Sequence[str]:
        """Kinds of ONNX nodes that compute in 8 bits."""
        from lightdet.export.quantize import QUANTIZED  # noqa: PLC0415

        return QUANTIZED

    def _quantize(self, traced: Any, deploy: Deployable, pictures: Sequence[Image]) -> Any:
        from lightdet.export.openvino import to_openvino  # noqa: PLC0415
        from lightdet.export.quantize import quantize_onnx, quantize_openvino  # noqa: PLC0415

        batch = self.request.batch or 1
        arrays = [np.stack([image] * batch) for image in pictures]
        if deploy.layout == "planar":
            planes = [np.ascontiguousarray(array.transpose(0, 3, 1, 2)) for array in arrays]
            return quantize_onnx(traced, planes, self._quantized_nodes())
        return quantize_openvino(to_openvino(traced), arrays)

    @contextmanager
    def _draft_folder(self) -> Iterator[Path]:
        """Make a folder in the target's, on the disk that the file is to fit on; told before minutes of work if not."""
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
            if self.request.kind == "onnx":
                from lightdet.export.onnx import with_card  # noqa: PLC0415

                path.write_bytes(with_card(traced, card))
            else:
                from lightdet.export.openvino import save_ir, to_openvino  # noqa: PLC0415

                save_ir(traced if self.request.precision == "int8" else to_openvino(traced), path, card)
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror or error}", path=self.path) from None

    def _publish(self, draft: Path) -> int:
        """Move the draft to its place, whole or not at all; the weights first, so that no XML waits for them."""
        files = [(draft, self.path)]
        if self.request.kind == "openvino":
            files.insert(0, (draft.with_suffix(".bin"), self.path.with_suffix(".bin")))
        size = 0
        for source, target in files:
            size += source.stat().st_size
            with atomic_path(target) as temporary:
                source.replace(temporary)
        return size


def _not_proved(precision: str, computed: str) -> str:
    """What a proof does not say that ran in another format than the file is for."""
    if computed == precision:
        return ""
    return (
        f". Computed in {computed}, for this processor has no {precision}: nothing is proved of {precision}; "
        f"export on one that has it, or take --precision {computed}"
    )


def proof_precision(precision: str, computed: str) -> str:
    """Whose tolerance a proof is held to: bf16 leaves the weights as they are, fp16 rounds them in the file."""
    return computed if precision == "bf16" else precision


def _preprocessing(trained: ModelCard, imgsz: int | None) -> Preprocessing:
    try:
        return trained.preprocessing if imgsz is None else replace(trained.preprocessing, imgsz=imgsz)
    except ValueError as error:
        raise UserError(str(error)) from None


def rendered_pictures() -> list[Image]:
    """Pictures of parts with defects, where there are no real ones."""
    from lightdet.data.synthetic import render_sample  # noqa: PLC0415 - it takes a moment

    return [render_sample(RENDERED, index).image for index in range(PROOF_PICTURES)]


def spread(count: int, most: int) -> list[int]:
    """At most `most` indices, evenly over all `count`."""
    return sorted({int(index) for index in np.linspace(0, count - 1, min(count, most))}) if count else []


def way_out(precision: str) -> str:
    """Say which number format would do."""
    return "" if precision == "fp32" else "; take --precision fp32"


def _version() -> str:
    from lightdet import __version__  # noqa: PLC0415

    return __version__
