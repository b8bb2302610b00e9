"""The values that options allow: each check raises `ValueError` with the reason, for command line and Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightdet.missing import require_there
from lightdet.storage.datasets import is_kept

MAX_IMGSZ = 8192  # of lightdet.structures, whose import would bring numpy

Check = Callable[[Any, Any], None]
"""(declared type, value) → nothing, or `ValueError`; as `cyclopts.Parameter.validator` has it."""


def between(low: float, high: float | None = None) -> Check:
    """Allow numbers from `low` to `high`, both included; None: to any finite one."""
    span = f"from {low:g} on" if high is None else f"{low:g} to {high:,g}".replace(",", " ")

    def check(_declared: Any, value: float | None) -> None:
        top = float("inf") if high is None else high
        if value is not None and not (low <= value <= top and abs(value) < float("inf")):
            raise ValueError(f"{value} is not in the range {span}")

    return check


def side(_declared: Any, value: int | None) -> None:
    """Allow sides of a network input: multiples of 32 (the coarsest grid's stride) that memory can hold."""
    if value is not None and value > MAX_IMGSZ:
        raise ValueError(f"{value} is more than {MAX_IMGSZ}; for large pictures take tiles (detect --tile)")
    if value is not None and (value < 32 or value % 32):
        low = value // 32 * 32
        near = "32" if value < 32 else f"{low} or {low + 32}"
        raise ValueError(f"{value} is not a multiple of 32; take {near}")


def tile_side(_declared: Any, value: int | None) -> None:
    """Allow sides of a tile in pixels, and 0 for whole pictures."""
    if value is not None and value != 0 and value < 32:
        raise ValueError(f"{value} is not in the range from 32 on, nor 0 for whole pictures")


def existing(_declared: Any, value: Path | str | None) -> None:
    """Report a missing file at once, before importing what would read it; a URL is looked at where it is read."""
    if value is not None and not is_kept(value):
        require_there(value)


def all_existing(_declared: Any, value: Sequence[Path | str]) -> None:
    """As `existing`, for each of several files."""
    if not value:
        raise ValueError("name at least one")
    for each in value:
        existing(None, each)


def writable(_declared: Any, value: Path | str | None) -> None:
    """Refuse a file that cannot be written, before the work rather than after it."""
    if value is None:
        return
    path = Path(value)
    folder = next((above for above in path.absolute().parents if above.exists()), path.absolute().parent)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give a file in it")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"{path} cannot be written: {folder} is no folder to write in")


def one_device(_declared: Any, value: str) -> None:
    """For ``0,1``, say how several GPUs are used here."""
    if "," in value and value.replace(",", "").replace(" ", "").isdecimal():
        count = len(value.split(","))
        raise ValueError(
            f"{value} are several GPUs: train on them with torchrun --nproc_per_node {count} tools/train.py …, "
            "or take one, such as cuda:0"
        )


def device_name(value: str) -> str:
    """Read ``0`` as ``cuda:0``, as other tools do."""
    return f"cuda:{value}" if value.isdecimal() else value


def words(value: Sequence[str]) -> tuple[str, ...]:
    """Split ``json,csv`` into words, without repetitions."""
    parts = [part.strip() for each in value for part in each.split(",")]
    return tuple(dict.fromkeys(part for part in parts if part))
