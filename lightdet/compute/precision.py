"""The number format in which a network runs."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from lightdet.errors import UserError

BF16_UNITS = ("avx512_bf16", "amx_bf16", "avx10_2", "bf16", "sve_bf16", "arm_bf16")
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_precision(name: str, device: torch.device) -> str:
    """Turn ``auto`` into bf16 if the device has units for it, otherwise into fp32; other names are checked.

    Raises:
        UserError: fp16 on a CPU.
    """
    if name == "auto":
        return "bf16" if has_bf16_units(device) else "fp32"
    if name == "fp16" and device.type == "cpu":
        raise UserError("train.precision=fp16 needs a GPU; use bf16, fp32 or auto on a CPU")
    return name


def has_bf16_units(device: torch.device) -> bool:
    """Whether bf16 is computed in hardware, and so is faster."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    read = getattr(torch.cpu, "get_capabilities", None)  # newer than the oldest supported torch
    if read is None:
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return any(bool(value) for name, value in read().items() if name in BF16_UNITS)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context in which the network runs forward in training."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, DTYPES[precision])


_CONV: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]


class _WholeConvolutions:
    """While any thread is within, cuDNN convolves fp32 as it is; the setting is one for the whole process."""

    def __init__(self) -> None:
        self._lock, self._within, self._before = threading.Lock(), 0, ""

    def __enter__(self) -> None:
        with self._lock:
            if self._within == 0:
                self._before = _CONV.fp32_precision
                _CONV.fp32_precision = "ieee"
            self._within += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._within -= 1
            if self._within == 0:
                _CONV.fp32_precision = self._before


_whole_convolutions = _WholeConvolutions()


def inference_format(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """The context in which the network runs forward in inference, where fp32 is fp32: a promise depends on it.

    On a GPU, torch's default for convolutions in fp32 is TF32, which rounds their inputs to 10 bits. Trainings keep it.
    """
    if precision == "fp32":
        return _whole_convolutions if device.type == "cuda" else nullcontext()
    return torch.autocast(device.type, DTYPES[precision])
