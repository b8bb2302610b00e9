"""The data sets of a training as one, and the classes that its model keeps from an older one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.starting import CHANCE, PRETRAINED, start_of
from lightdet.card import peek_model_card
from lightdet.data.fold_file import read_folds
from lightdet.data.joined import join
from lightdet.data.spec import DatasetSpec
from lightdet.errors import UserError
from lightdet.options.outputs import refuse_inputs
from lightdet.options.train import TrainOptions
from lightdet.tasks import AnyConfig, Task

FORGETS = "the model of --weights also finds {names}, which this training does not keep; --keep-classes would"


def training_set(options: TrainOptions, task: Task, config: AnyConfig, kept: Sequence[str]) -> DatasetSpec:
    """Read the YAMLs of a training and return their sets as one.

    Args:
        options: the request.
        task: of the training.
        config: of the training.
        kept: classes of a training to be resumed; empty for a new one.

    Raises:
        UserError: anything wrong with a YAML; sets that cannot be joined; no model to keep classes of.
    """
    several = len(options.data) > 1
    if several and (options.data_root is not None or options.folds is not None):
        raise UserError("--data-root replaces the root of one YAML: write the roots into the YAMLs of several sets")
    twice = next((path for path in options.data if _places(options).count(Path(path).resolve()) > 1), None)
    if twice is not None:
        raise UserError("is given twice with --data; give each set once", path=twice)
    specs = []
    for path in options.data:
        spec = _part(load_dataset(path, options.data_root), options)
        refuse_inputs({"--json": options.json}, (), spec)
        spec.split("train")
        task.check_dataset(spec)
        _check_val(spec)
        specs.append(spec)
    return join(specs, kept or _known(options, config))


def _places(options: TrainOptions) -> list[Path]:
    return [Path(path).resolve() for path in options.data]


def _part(spec: DatasetSpec, options: TrainOptions) -> DatasetSpec:
    """The data set, or the part of it that belongs to a fold of a cross-validation."""
    if options.folds is None:
        return spec
    folds = read_folds(Path(options.folds))
    if options.fold is not None and not 0 <= options.fold < len(folds.pictures):
        raise UserError(f"there is no fold {options.fold}: they are counted from 0", path=options.folds)
    return folds.training(spec, options.fold)


def _check_val(spec: DatasetSpec) -> None:
    """Refuse a validation split under another name: it would be unused, and no epoch would be scored."""
    other = spec.misnamed_val()
    if other is not None:
        raise UserError(f"there is no split 'val', but '{other}': rename it to 'val'", path=spec.path)


def old_model(options: TrainOptions, config: AnyConfig) -> Path | None:
    """The model that a training starts from, if it is the user's own."""
    start = start_of(config, None if options.weights is None else Path(options.weights))
    return None if start.kind in (PRETRAINED, CHANCE) else start.file


def _known(options: TrainOptions, config: AnyConfig) -> Sequence[str]:
    """The classes that come first: those of the older model, if they are kept."""
    if not keeps(config):
        return ()
    model = old_model(options, config)
    if model is None:
        raise UserError("--keep-classes keeps the classes of an older model: name it with --weights")
    card = peek_model_card(model)
    return () if card is None else card.names  # what is wrong with the file is told when it is loaded


def keeps(config: Any) -> bool:
    """Whether the classes of the older model are kept; only a detector can."""
    return bool(getattr(config.train, "keep_classes", False))


def stands_in(config: Any) -> bool:
    """Whether the older model is asked for what nobody has marked."""
    return bool(getattr(config.train, "stand_in", False))


def forgotten(options: TrainOptions, config: AnyConfig, spec: DatasetSpec) -> list[str]:
    """Say which classes of the older model a training of a detector does not keep, if any."""
    model = None if options.resume or not hasattr(config.train, "keep_classes") else old_model(options, config)
    card = None if model is None else peek_model_card(model)
    lost = [name for name in (() if card is None else card.names) if name not in spec.classes]
    return [FORGETS.format(names=", ".join(lost))] if lost else []
