"""An ONNX file through ONNX Runtime; no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.card import METADATA_KEY
from lightdet.errors import UserError
from lightdet.inference.export_card import ExportCard, parse_card
from lightdet.inference.exported_file import ExportedFile
from lightdet.inference.no_telemetry import import_onnxruntime
from lightdet.seal import SEAL_KEY, check_seal

QUIET = 4  # errors are raised and told by us
MAX_THREADS = 1024


class OnnxFile(ExportedFile):
    """Runs an exported ``.onnx`` file.

    Args:
        path: the file.
        device: ``auto`` or ``cpu``; ``cuda`` or ``cuda:1`` with the GPU build of onnxruntime.
        threads: of the processor; None: one a core.
        precision: None or the file's own: ONNX Runtime computes in what the file was made for.

    Raises:
        UserError: a missing, damaged or foreign file, a device that is not there, onnxruntime not installed.
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
        self._session = open_session(path, device=device, threads=threads)
        card = _card(self._session, path)
        check_seal(path, Path(path).read_bytes(), self._session.get_modelmeta().custom_metadata_map.get(SEAL_KEY))
        self.card, self.path = card, str(path)
        if precision not in (None, card.precision):
            raise UserError(
                f"computes in {card.precision}; for {precision} export it with --precision {precision}, or to OpenVINO",
                path=path,
            )
        self.precision = card.precision
        self.device = "cuda" if self._session.get_providers()[0].startswith("CUDA") else "cpu"
        self.threads = threads
        self._input = self._session.get_inputs()[0].name

    def run(self, images: Image) -> list[FloatArray]:
        """See `ExportedFile`."""
        try:
            outputs: list[FloatArray] = self._session.run(None, {self._input: images})
        except Exception as error:
            raise UserError(f"its network fails ({_short(error)}); export it again", path=self.path) from None
        return [np.asarray(output, np.float32) for output in outputs]


def read_onnx_card(path: str | Path) -> ExportCard:
    """Return what an ``.onnx`` file says of itself.

    Raises:
        UserError: as `open_session`; or it is none of ours.
    """
    return _card(open_session(path, threads=1, optimize=False), path)


def _card(session: Any, path: str | Path) -> ExportCard:
    return parse_card(session.get_modelmeta().custom_metadata_map.get(METADATA_KEY), path)


def open_session(path: str | Path, *, device: str = "auto", threads: int | None = None, optimize: bool = True) -> Any:
    """Return an ``onnxruntime.InferenceSession`` of any ONNX file, ours or not.

    Args:
        path: the file.
        device, threads: as for `OnnxFile`.
        optimize: rewrite the graph to run fast, which takes a moment.

    Raises:
        UserError: a missing or damaged file, a device that is not there, onnxruntime not installed.
    """
    try:
        onnxruntime = import_onnxruntime()
    except ImportError:
        raise UserError("needs onnxruntime: pip install onnxruntime", path=path) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if threads is not None:
        options.intra_op_num_threads = threads
    source = Path(path)
    if not source.is_file():
        raise UserError("is a folder; give the .onnx in it" if source.is_dir() else "no such file", path=path)
    providers = _providers(device, onnxruntime.get_available_providers())
    try:
        return onnxruntime.InferenceSession(str(source), options, providers=providers)
    except Exception as error:  # it raises kinds of its own, without a common ancestor
        raise UserError(f"no ONNX file that can be used ({_short(error)})", path=path) from None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _providers(device: str, available: list[str]) -> list[Any]:
    kind, _, number = device.strip().lower().partition(":")
    if kind in ("auto", "cpu") and not number:
        return ["CPUExecutionProvider"]
    if kind != "cuda" or (number and not number.isdecimal()):
        raise UserError(f"unknown device '{device}' for an ONNX file; take cpu, or cuda with onnxruntime-gpu")
    if "CUDAExecutionProvider" not in available:
        raise UserError(f"device {device}: this onnxruntime has no GPU part; take cpu, or install onnxruntime-gpu")
    return [("CUDAExecutionProvider", {"device_id": int(number or 0)}), "CPUExecutionProvider"]


def check_threads(threads: int | None) -> None:
    """Refuse a number of threads below 1, or so large that the system would end the process."""
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise UserError(f"threads must be at least 1 and at most {MAX_THREADS}, got {threads}")
