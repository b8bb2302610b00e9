"""Options that several commands share: one name, one meaning, one help text.

Each is an annotated type: ``def val(weights: Weights, batch: Batch = None) -> None``. Those that may be
left out are ``None`` then, and the command takes the value from the configuration or the checkpoint.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lightdet.errors import UserError

MAX_IMGSZ = 8192  # of lightdet.structures, whose import would bring numpy


def check_imgsz(value: int | None) -> int | None:
    """Refuse a side that is no multiple of 32 (the coarsest grid's stride), or too large for any memory."""
    if value is not None and value > MAX_IMGSZ:
        raise typer.BadParameter(f"{value} is more than {MAX_IMGSZ}; for large pictures take tiles (detect --tile)")
    if value is not None and (value < 32 or value % 32):
        low = value // 32 * 32
        near = "32" if value < 32 else f"{low} or {low + 32}"
        raise typer.BadParameter(f"{value} is no multiple of 32; take {near}")
    return value


def check_there(path: Path | None) -> Path | None:
    """Miss a file at once, before anything is imported that would read it."""
    if path is not None and not path.exists():
        raise UserError("no such file", path=path)
    return path


def check_json(path: Path | None) -> Path | None:
    """Refuse a file that cannot be written before the work begins, not after it."""
    if path is not None:
        folder = next((above for above in path.absolute().parents if above.exists()), path.absolute().parent)
        if path.is_dir():
            raise typer.BadParameter(f"{path} is a folder; give a file in it")
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise typer.BadParameter(f"{path} cannot be written: {folder} is no folder to write in")
    return path


def check_device(value: str) -> str:
    """Take ``0`` for ``cuda:0``, as other tools do; of ``0,1`` say how several GPUs are used here."""
    if value.isdecimal():
        return f"cuda:{value}"
    if value.replace(",", "").replace(" ", "").isdecimal():
        count = len(value.split(","))
        raise typer.BadParameter(
            f"{value} are several GPUs: train on them with torchrun --nproc_per_node {count} tools/train.py …, "
            "or take one, such as cuda:0"
        )
    return value


class OnError(StrEnum):
    """What to do with a bad picture or label: stop at the first, or go on without it and list it at the end."""

    fail = "fail"
    skip = "skip"


class Precision(StrEnum):
    """Number format of the network when it is used."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


_CONFIG = typer.Option(
    "--config", "-c", metavar="FILE", callback=check_there, help="Configuration, a YAML file (configs/…)."
)
_WEIGHTS = typer.Option(
    "--weights",
    "-w",
    metavar="FILE",
    help="Trained model (best.safetensors), or what was exported from one.",
)
_DATA = typer.Option("--data", "-d", metavar="FILE", callback=check_there, help="Data set, a YAML file (datasets/…).")
_IMGSZ = typer.Option(
    "--imgsz", metavar="PIXELS", callback=check_imgsz, help="Side of the network input, a multiple of 32."
)

Config = Annotated[Path, _CONFIG]
OptionalConfig = Annotated[Path | None, _CONFIG]
Weights = Annotated[Path, _WEIGHTS]
OptionalWeights = Annotated[Path | None, _WEIGHTS]
Data = Annotated[Path, _DATA]
OptionalData = Annotated[Path | None, _DATA]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", metavar="DIR", help="Where the data set lies; replaces its YAML's root.")
]
Imgsz = Annotated[int | None, _IMGSZ]
Batch = Annotated[int | None, typer.Option("--batch", "-b", min=1, metavar="N", help="Pictures per batch.")]
TrainImgsz = Annotated[
    int | None,
    typer.Option(
        "--imgsz",
        metavar="PIXELS",
        callback=check_imgsz,
        help="Side of the network input, a multiple of 32; default: the configuration's (of a detector 608).",
    ),
]
TrainBatch = Annotated[
    int | None,
    typer.Option(
        "--batch", "-b", min=1, metavar="N", help="Pictures per batch; default: the configuration's (of a detector 16)."
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        min=1,
        metavar="N",
        help="Rounds over the training pictures; default: the configuration's (of a detector 100).",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        callback=check_device,
        help="auto, cpu, cuda or cuda:0, cuda:1, … (or 0, 1); gpu for OpenVINO.",
    ),
]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, max=2**31 - 1, metavar="N", help="Seed of all that is drawn.")
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for what is written.")]
OptionalOutput = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder for what is written.")
]
Json = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", callback=check_json, help="Write the result as JSON to this file, too."),
]
PrecisionOption = Annotated[Precision, typer.Option("--precision", help="Number format of the network.")]
OptionalPrecision = Annotated[
    Precision | None,
    typer.Option("--precision", help="Number format of the network; default fp32, or what an export was made for."),
]
Agnostic = Annotated[
    bool,
    typer.Option("--agnostic", help="One box for a place: boxes of different classes suppress each other, too."),
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, max=1024, metavar="N", help="Processor threads that compute.")
]
OnErrorOption = Annotated[
    OnError,
    typer.Option("--on-error", help="A bad picture or label: stop (fail), or go on and list it at the end (skip)."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY.PATH=VALUE", help="Configuration values to replace, e.g. train.epochs=3."),
]
