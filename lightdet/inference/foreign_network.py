"""Another program's network, only for timing: random input in, outputs discarded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.decisions.conditions import UNKNOWN
from lightdet.errors import UserError
from lightdet.inference.onnx_runtime import open_session
from lightdet.inference.openvino_runtime import compile_model, computed_precision, read_ir
from lightdet.model_kind import is_export, model_kind
from lightdet.structures import Detections

DEFAULT_SIDE = 640
_ONNX_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_IR_TYPES = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}


class ForeignNetwork:
    """Runs an ``.onnx`` file in ONNX Runtime, or an ``.xml`` in OpenVINO; is called like a predictor.

    Args:
        path: the file; its network takes one picture.
        imgsz: height and width if the file leaves them free; None: 640.
        device: as for `lightdet.inference.onnx_runtime.OnnxFile` or `OpenVinoFile`.
        threads: processor threads.
        precision: for ``.xml``: what OpenVINO computes in; None: fp32.

    Raises:
        UserError: a missing, damaged or other file, an input that is not one picture, a device that is not there.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        imgsz: int | None = None,
        device: str = "auto",
        threads: int | None = None,
        precision: str | None = None,
    ) -> None:
        if not is_export(path):
            raise UserError("is neither .onnx nor .xml; other networks are timed as one of these", path=path)
        self.precision = precision or "fp32"
        self.device = "cpu"
        side = imgsz or DEFAULT_SIDE
        if model_kind(path) == "onnx":
            session = open_session(path, device=device, threads=threads)
            if len(session.get_inputs()) != 1:
                raise UserError(f"has {len(session.get_inputs())} inputs; only one, a picture, can be timed", path=path)
            given = session.get_inputs()[0]
            self.precision = "as in the file"
            values = _random(path, given.shape, _ONNX_TYPES.get(given.type), side)
            self._run: Callable[[], Any] = lambda: session.run(None, {given.name: values})
        else:
            core, model = read_ir(path)
            if len(model.inputs) != 1:
                raise UserError(f"has {len(model.inputs)} inputs; only one, a picture, can be timed", path=path)
            shape = [d.get_length() if d.is_static else None for d in model.inputs[0].partial_shape]
            values = _random(path, shape, _IR_TYPES.get(model.inputs[0].element_type.get_type_name()), side)
            compiled, self.device = compile_model(
                core, model, path, device=device, threads=threads, precision=self.precision
            )
            self.precision = computed_precision(compiled) or UNKNOWN
            request = compiled.create_infer_request()
            self._run = lambda: request.infer([values], share_inputs=True, share_outputs=True)
        self.imgsz = max(values.shape[1:])
        self.path = path

    def __call__(self, _picture: object = None) -> Detections:
        """Run it once; the result is empty except for the time."""
        start = time.perf_counter()
        try:
            self._run()
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"fails on random input of its own shape ({reason})", path=self.path) from None
        found = Detections.empty()
        found.milliseconds.update(preprocess=0.0, network=(time.perf_counter() - start) * 1e3, postprocess=0.0)
        return found

    def batch(self, pictures: Sequence[object]) -> list[Detections]:
        """Run it once per picture."""
        return [self(picture) for picture in pictures]


def library_of(path: Path) -> str:
    """Return the runtime of a file, with its version."""
    package, name = ("onnxruntime", "ONNX Runtime") if model_kind(path) == "onnx" else ("openvino", "OpenVINO")
    try:
        return f"{name} {version(package)}"
    except PackageNotFoundError:
        return name


def _random(path: str | Path, shape: Sequence[Any], kind: Any, side: int) -> AnyArray:
    """One random picture of the input's shape; free dimensions become 1 picture of `side` pixels."""
    if len(shape) != 4 or kind is None:
        raise UserError(f"does not take a picture: its input is {list(shape)}", path=path)
    free = (1, 3, side, side) if shape[3] != 3 else (1, side, side, 3)
    fixed = [known if isinstance(known, int) and known > 0 else free[axis] for axis, known in enumerate(shape)]
    if fixed[0] != 1:
        raise UserError(f"takes batches of {fixed[0]} pictures; export it for one", path=path)
    draw = np.random.default_rng(0)
    if kind is np.uint8:
        return draw.integers(0, 256, fixed, dtype=np.uint8)
    values: AnyArray = draw.random(fixed, dtype=np.float32).astype(kind)
    return values
