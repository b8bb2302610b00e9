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
from lightdet.inference.onnx_metadata import onnx_metadata
from lightdet.missing import require_file
from lightdet.seal import SEAL_KEY, check_seal

QUIET = 4  # we raise and report errors ourselves
MAX_THREADS = 1024


class OnnxFile(ExportedFile):
    """Runs an exported ``.onnx`` file.

    Args:
        path: the file.
        device: ``auto`` or ``cpu``; ``cuda`` or ``cuda:1`` with the GPU build of onnxruntime.
        threads: processor threads; None: one per core.
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
        data = _read(path)
        card = _checked_card(data, path)
        self._session = open_session(path, data, device=device, threads=threads)
        self.card, self.path = card, str(path)
        if precision not in (None, card.precision):
            raise UserError(
                f"computes in {card.precision}; for {precision} export it with --precision {precision}, or to OpenVINO",
                path=path,
            )
        self.precision = card.precision
        self.device = "cuda" if self._session.get_providers()[0].startswith("CUDA") else "cpu"
        self.threads = threads
        self._input = _input_name(self._session, path)

    def run(self, images: Image) -> list[FloatArray]:
        """See `ExportedFile`."""
        try:
            outputs: list[FloatArray] = self._session.run(None, {self._input: images})
        except Exception as error:
            raise UserError(f"its network fails ({_short(error)}); export it again", path=self.path) from None
        return [np.asarray(output, np.float32) for output in outputs]


def read_onnx_card(path: str | Path) -> ExportCard:
    """Return the card of an ``.onnx`` file; needs no runtime.

    Raises:
        UserError: a missing or damaged file; or it is not one of ours.
    """
    return _checked_card(_read(path), path)


def _read(path: str | Path) -> bytes:
    source = Path(path)
    require_file(source, give="the .onnx in it")
    try:
        return source.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", path=path) from None


def _checked_card(data: bytes, path: str | Path) -> ExportCard:
    """The card in a file's bytes, checked before any runtime parses them."""
    try:
        metadata = onnx_metadata(data)
    except ValueError:
        raise UserError("not a usable ONNX file (it is damaged, or cut off)", path=path) from None
    if METADATA_KEY in metadata:
        check_seal(path, data, metadata.get(SEAL_KEY))
    return parse_card(metadata.get(METADATA_KEY), path)


def _input_name(session: Any, path: str | Path) -> str:
    """The name of the network's only input."""
    try:
        [given] = session.get_inputs()
        return str(given.name)
    except ValueError:  # several, or a name that is not UTF-8
        raise UserError("its network was not written by lightdet; export it again", path=path) from None


def open_session(
    path: str | Path, data: bytes | None = None, *, device: str = "auto", threads: int | None = None
) -> Any:
    """Return an ``onnxruntime.InferenceSession`` of any ONNX file, ours or not.

    Args:
        path: the file.
        data: its bytes, if already read.
        device, threads: as for `OnnxFile`.

    Raises:
        UserError: a missing or damaged file, a device that is not there, onnxruntime not installed.
    """
    try:
        onnxruntime = import_onnxruntime()
    except ImportError:
        raise UserError("needs onnxruntime: pip install onnxruntime", path=path) from None
    onnxruntime.set_default_logger_severity(QUIET)  # its allocator settings are not a session's
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    if threads is not None:
        options.intra_op_num_threads = threads
    if data is None:
        require_file(path, give="the .onnx in it")
    model = (
        str(path) if data is None else data
    )  # given a path, the runtime also finds weights stored in files beside it
    providers = _providers(device, onnxruntime.get_available_providers())
    try:
        # Without its fallback, which it would announce on stdout.
        return onnxruntime.InferenceSession(model, options, providers=providers, enable_fallback=0)
    except Exception as error:  # it raises its own exceptions, without a common base class
        raise UserError(f"not a usable ONNX file ({_short(error)})", path=path) from None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _providers(device: str, available: list[str]) -> list[Any]:
    kind, _, number = device.strip().lower().partition(":")
    if kind in ("auto", "cpu") and not number:
        return ["CPUExecutionProvider"]
    if kind != "cuda" or (number and not number.isdecimal()):
        raise UserError(f"unknown device '{device}' for an ONNX file; use cpu, or cuda with onnxruntime-gpu")
    if "CUDAExecutionProvider" not in available:
        raise UserError(f"device {device}: this onnxruntime has no GPU support; use cpu, or install onnxruntime-gpu")
    # Its default for fp32 is TF32, which rounds the inputs of a convolution to 10 bits.
    options = {"device_id": int(number or 0), "use_tf32": 0}
    return [("CUDAExecutionProvider", options), "CPUExecutionProvider"]


def check_threads(threads: int | None) -> None:
    """Refuse a number of threads below 1, or so large that the system would kill the process."""
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise UserError(f"threads must be at least 1 and at most {MAX_THREADS}, got {threads}")
