"""Open an exported file with the runtime for its kind; the other runtime need not be installed."""

from __future__ import annotations

from pathlib import Path

from lightdet.inference.export_card import ExportCard
from lightdet.inference.exported_file import ExportedFile
from lightdet.model_kind import model_kind


def open_exported(
    path: str | Path, *, device: str = "auto", threads: int | None = None, precision: str | None = None
) -> ExportedFile:
    """Open an ONNX or OpenVINO file written by lightdet.

    Args:
        path: the file.
        device, threads, precision: as for `lightdet.inference.onnx_runtime.OnnxFile` or
            `lightdet.inference.openvino_runtime.OpenVinoFile`.

    Raises:
        UserError: a missing, damaged or foreign file, a device that is not there, a runtime not installed.
    """
    if model_kind(path) == "onnx":
        from lightdet.inference.onnx_runtime import OnnxFile  # noqa: PLC0415

        return OnnxFile(path, device=device, threads=threads, precision=precision)
    from lightdet.inference.openvino_runtime import OpenVinoFile  # noqa: PLC0415

    return OpenVinoFile(path, device=device, threads=threads, precision=precision)


def read_card(path: str | Path) -> ExportCard:
    """Return what an exported file says of itself, without making it ready to run.

    Raises:
        UserError: as `open_exported`.
    """
    if model_kind(path) == "onnx":
        from lightdet.inference.onnx_runtime import read_onnx_card  # noqa: PLC0415

        return read_onnx_card(path)
    from lightdet.inference.openvino_runtime import read_ir_card  # noqa: PLC0415

    return read_ir_card(path)
