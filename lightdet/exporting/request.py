"""The request to ``lightdet export``, and what it cannot ask for."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from lightdet.errors import UserError
from lightdet.missing import how_to_install, require_file
from lightdet.model_kind import is_export
from lightdet.options.export import ExportOptions, FileFormat

SUFFIXES: dict[FileFormat, str] = {"onnx": ".onnx", "openvino": ".xml"}


def check_request(options: ExportOptions) -> None:
    """Refuse impossible requests before anything is read.

    Raises:
        UserError: see `Export`.
    """
    require_file(options.weights, give="the .safetensors in it")
    if is_export(options.weights):
        raise UserError("is an export already; give the checkpoint (best.safetensors)", path=options.weights)
    suffix = SUFFIXES[options.format]
    if options.output is not None and Path(options.output).suffix.lower() != suffix:
        raise UserError(f"the file for {options.format} must end in {suffix}", path=options.output)
    if options.output is not None and Path(options.output).is_dir():
        raise UserError("is a folder; name a file in it", path=options.output)
    if options.precision == "bf16" and options.format == "onnx":
        raise UserError("ONNX Runtime does not compute in bf16 on processors; take --format openvino, or fp32")
    if options.precision == "int8" and options.data is None:
        raise UserError("--precision int8 is calibrated and scored on pictures: give --data")
    if options.precision == "int8" and options.nms:
        raise UserError("--nms and --precision int8 exclude each other: int8 is scored down to 0.001; leave out --nms")
    if options.precision == "int8" and options.dynamic_size:
        raise UserError("--dynamic-size and --precision int8 exclude each other; export each size that you need")


def check_installed(options: ExportOptions) -> None:
    """Report missing packages before the work begins.

    Raises:
        UserError: a package of the extra ``export`` is not installed.
    """
    wanted = ["onnx", "onnxscript", "onnxruntime" if options.format == "onnx" else "openvino"]
    if options.precision == "int8" and options.format == "openvino":
        wanted.append("nncf")
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        raise UserError(f"exporting needs {', '.join(missing)}: {how_to_install('export')}")
