"""An OpenVINO IR (``.xml`` and ``.bin``); no torch."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.card import METADATA_KEY
from lightdet.decisions.conditions import UNKNOWN
from lightdet.errors import UserError
from lightdet.inference.export_card import WEIGHTS_KEY, ExportCard, parse_card, weights_checksum
from lightdet.inference.exported_file import ExportedFile
from lightdet.inference.no_telemetry import import_openvino
from lightdet.inference.onnx_runtime import check_threads
from lightdet.missing import require_file
from lightdet.model_kind import model_kind
from lightdet.seal import SEAL_KEY, check_seal

HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


class OpenVinoFile(ExportedFile):
    """Runs an exported ``.xml`` file with the ``.bin`` beside it.

    Args:
        path: the ``.xml`` file.
        device: ``cpu``, ``gpu`` (``gpu.1``), ``npu``, or ``auto``: a GPU if there is one that can run it, else the CPU.
        threads: processor threads; None: OpenVINO's choice.
        precision: fp32, bf16 or fp16 for what is not quantized; None: what the file was made for.

    Attributes:
        precision: number format that it computes in; of a quantized file ``int8``, or ``int8+bf16`` where the rest is
            in another format than fp32; `UNKNOWN` where OpenVINO does not tell.

    Raises:
        UserError: a missing, damaged or foreign file, a device that is not there, openvino not installed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        device: str = "auto",
        threads: int | None = None,
        precision: str | None = None,
    ) -> None:
        check_threads(threads)
        if precision is not None and precision not in HINTS:
            raise UserError(f"unknown precision '{precision}'; take {', '.join(HINTS)}")
        files = _read(path)
        core, model = read_ir(path, files)
        card = parse_card(_text(model, METADATA_KEY, path), path)
        _check_weights(model, files[1], path)
        check_seal(path, files[0], _text(model, SEAL_KEY, path), files[1:])
        self.card, self.path = card, str(path)
        self.threads = threads
        # In a quantized file the rest is computed as OpenVINO finds best, unless set.
        wanted = precision or card.precision
        self._compiled, self.device = compile_model(core, model, path, device=device, threads=threads, precision=wanted)
        self._own = threading.local()
        self.precision = told_precision(self._compiled, card.precision)

    def run(self, images: Image) -> list[FloatArray]:
        """See `ExportedFile`; the outputs are overwritten by the same thread's next call."""
        try:
            outputs = self._request().infer([images], share_inputs=True, share_outputs=True)
        except Exception as error:
            raise UserError(f"its network fails ({_short(error)}); export it again", path=self.path) from None
        return [np.asarray(outputs[index], np.float32) for index in range(len(outputs))]

    def _request(self) -> Any:
        """This thread's request: the outputs lie in its memory, and another thread may not have decoded its own yet."""
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        return self._own.request


def read_ir_card(path: str | Path) -> ExportCard:
    """Return the card of an ``.xml`` file.

    Raises:
        UserError: as `read_ir`; or it is not one of ours.
    """
    return parse_card(_text(read_ir(path)[1], METADATA_KEY, path), path)


def read_ir(path: str | Path, files: tuple[bytes, bytes] | None = None) -> tuple[Any, Any]:
    """Return OpenVINO's core and the model of an ``.xml`` or ``.onnx`` file, ours or not.

    Args:
        path: the file.
        files: the bytes of the ``.xml`` and of its ``.bin``, if already read.

    Raises:
        UserError: a missing or damaged file, openvino not installed.
    """
    try:
        openvino = import_openvino()
    except ImportError:
        raise UserError("needs openvino: pip install openvino", path=path) from None
    source = Path(path)
    require_file(source, give="the .xml in it")
    core = openvino.Core()
    try:
        if model_kind(source) == "onnx":
            return core, core.read_model(str(source))
        model, weights = files or _read(path)
        if b"<net" not in model[:1024]:  # otherwise every reader tries it, and complains
            raise UserError("not a usable OpenVINO model (its content is something else, or damaged)", path=path)
        return core, core.read_model(model, weights)  # a path would have to end in .xml
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"not a usable OpenVINO model ({_short(error)})", path=path) from None


def _read(path: str | Path) -> tuple[bytes, bytes]:
    """The bytes of an ``.xml`` and of its ``.bin``, read once, so that what is checked is what is run."""
    source = Path(path)
    weights = source.with_suffix(".bin")
    require_file(source, give="the .xml in it")
    if not weights.is_file():
        raise UserError(f"its weights are missing: {weights.name} belongs beside it", path=path)
    try:
        return source.read_bytes(), weights.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", path=path) from None


def compile_model(
    core: Any, model: Any, path: str | Path, *, device: str = "auto", threads: int | None, precision: str | None
) -> tuple[Any, str]:
    """Return `model` compiled for one picture or batch at a time, and the device's name.

    Raises:
        UserError: a device that is missing or cannot run it.
    """
    # OpenVINO's own AUTO takes no precision and tells none, and moves from the CPU to another device as it runs.
    devices = _devices(device, core)
    for name in devices:
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if threads is not None and name == "CPU":
            settings["INFERENCE_NUM_THREADS"] = threads
        if precision in HINTS:
            settings["INFERENCE_PRECISION_HINT"] = HINTS[precision]
        try:
            return core.compile_model(model, name, settings), name.lower()
        except Exception as error:
            if name == devices[-1]:
                raise UserError(f"cannot run on {name} ({_short(error)})", path=path) from None
    raise UserError("OpenVINO finds no device here", path=path)


def computed_precision(compiled: Any) -> str | None:
    """Return the precision OpenVINO computes in: fp32 if the processor lacks units for another; None: unknown.

    For a quantized file, this is the precision of the rest.
    """
    try:
        told = compiled.get_property("INFERENCE_PRECISION_HINT")
    except Exception:  # not every device has this property
        return None
    return {"f32": "fp32", "bf16": "bf16", "f16": "fp16"}.get(told.to_string())


def told_precision(compiled: Any, made_for: str) -> str:
    """Return what a file made for the format `made_for` is computed in, as `OpenVinoFile.precision`."""
    computed = computed_precision(compiled)
    if computed is None:
        return UNKNOWN
    if made_for != "int8":
        return computed
    return made_for if computed == "fp32" else f"{made_for}+{computed}"  # the first exports said int8 alone


def _devices(device: str, core: Any) -> list[str]:
    """The devices to try, best first: the one that was asked for, or for ``auto`` GPUs and then the CPU."""
    available: list[str] = core.available_devices
    wanted = device.strip().upper().replace(":", ".")
    if wanted == "AUTO":
        gpus = sorted(
            (name for name in available if name.startswith("GPU")), key=lambda name: not _own_card(name, core)
        )
        return [*gpus, *(name for name in available if name == "CPU")] or available
    if wanted not in available and not (wanted == "GPU" and any(name.startswith("GPU") for name in available)):
        there = ", ".join(available).lower()
        raise UserError(f"OpenVINO finds no device '{device}' here; it has {there}")
    return [wanted]


def _own_card(name: str, core: Any) -> bool:
    """Whether a GPU is a card of its own, not part of the processor."""
    try:
        return "DISCRETE" in str(core.get_property(name, "DEVICE_TYPE")).upper()
    except Exception:  # not every driver tells
        return False


def _text(model: Any, key: str, path: str | Path) -> str | None:
    try:
        return str(model.get_rt_info(key).astype(str)) if model.has_rt_info(key) else None
    except UnicodeDecodeError:
        raise UserError("not a usable OpenVINO model (its metadata is damaged)", path=path) from None


def _check_weights(model: Any, weights: bytes, path: str | Path) -> None:
    """Refuse the weights of another export: for the same network they have the same size."""
    wanted = _text(model, WEIGHTS_KEY, path)
    if wanted is not None and weights_checksum(weights) != wanted:
        raise UserError(
            "does not belong to the .xml beside it, or is damaged; copy both files of one export",
            path=Path(path).with_suffix(".bin"),
        )


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from")]
    return " ".join(lines or [type(error).__name__])[:200]
