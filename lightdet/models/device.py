"""A device by its name, or a message that says why it is not available."""

from __future__ import annotations

import torch

from lightdet.errors import UserError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`: ``auto`` (the first GPU, or the CPU), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises:
        UserError: an unknown name, or a device that this computer or this build of torch does not have.
    """
    name = name.strip().lower()
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    kind, colon, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (colon and not (kind == "cuda" and number.isdecimal())):
        raise UserError(f"unknown device '{name}'; use auto, cpu, cuda, or cuda:N for one of several GPUs")
    if kind == "mps":
        if not torch.backends.mps.is_available():
            raise UserError("device mps: this computer has none; use --device cpu")
        return torch.device("mps")
    if kind == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        without = torch.version.cuda is None and torch.version.hip is None
        reason = "this torch is built without CUDA" if without else "no GPU was found"
        raise UserError(f"device {name}: {reason}; use --device cpu")
    index = int(number or 0)
    if index >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise UserError(f"device {name}: this computer has {count} GPU{'s' * (count > 1)}, counted from cuda:0")
    return torch.device("cuda", index)
