"""The options of ``lightdet train``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated, Any

from cyclopts import Parameter

from lightdet.errors import UserError
from lightdet.options.base import AnyPath, Options, Then
from lightdet.options.shared import (
    HIDDEN,
    Callbacks,
    Changes,
    ConfigFile,
    DataFiles,
    DataRoot,
    Device,
    Epochs,
    Json,
    Minutes,
    OnError,
    OutputFolder,
    Overrides,
    Progress,
    Seed,
    TrainBatch,
    TrainImgsz,
)
from lightdet.storage.kept import local_file

FLAGS = {
    "imgsz": "imgsz",
    "batch": "train.batch",
    "epochs": "train.epochs",
    "minutes": "train.minutes",
    "seed": "train.seed",
    "keep_classes": "train.keep_classes",
}
"""Options that are also keys of the configuration."""


@dataclass(frozen=True)
class TrainOptions(Options):
    """The options of `lightdet.train`."""

    data: DataFiles
    _: KW_ONLY
    config: ConfigFile = None
    data_root: DataRoot = None
    imgsz: TrainImgsz = None
    batch: TrainBatch = None
    epochs: Epochs = None
    minutes: Minutes = None
    weights: Annotated[
        AnyPath | None,
        Parameter(
            name=("--weights", "-w"),
            metavar="FILE",
            help="Start from a trained model (best.safetensors): its network, and its weights wherever shapes match; "
            "classes may be others; also a URL.",
        ),
        Then(local_file),
    ] = None
    keep_classes: Annotated[
        bool | None,
        Parameter(help="Keep the classes of --weights too: where the data does not label them, what it finds counts."),
    ] = None
    device: Device = "auto"
    seed: Seed = None
    output: OutputFolder = "runs/train"
    resume: Annotated[bool, Parameter(help="Continue the training in --output.")] = False
    overwrite: Annotated[bool, Parameter(help="Start again in an --output that already holds a training.")] = False
    on_error: OnError = "fail"
    json: Json = None
    folds: Annotated[
        AnyPath | None,
        HIDDEN,
        Parameter(help="The folds.json of a cross-validation: train on its pictures, of whatever split."),
    ] = None
    fold: Annotated[int | None, HIDDEN, Parameter(help="The fold of it to leave out, from 0; None: none.")] = None
    overrides: Overrides = ()
    changes: Changes = field(default_factory=dict)
    callbacks: Callbacks = ()
    progress: Progress = True

    def __post_init__(self) -> None:
        super().__post_init__()
        changed = dict(flat(self.changes))
        for name, key in FLAGS.items():
            value = getattr(self, name)
            if value is not None and key in changed and changed[key] != value:
                raise UserError(f"{name}={value!r} and {key}={changed[key]!r} name the same key twice; leave one out")

    def settings(self) -> list[str]:
        """Return the settings for the configuration, each as ``key.path=value``."""
        return [*training_settings(self), *self.overrides]


def training_settings(options: Any) -> list[str]:
    """Return ``key.path=value`` for the options that are also keys of a configuration."""
    given = {key: getattr(options, name, None) for name, key in FLAGS.items()}
    return [f"{key}={value}" for key, value in given.items() if value is not None]


def flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Return the values of nested mappings, by dotted key."""
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found += flat(value, f"{above}{key}.")
        else:
            found.append((f"{above}{key}", value))
    return found
