"""Configuration and data set → a trainer, ready to fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lightdet.assembly.anchors import choose_anchors, share_of_small_boxes
from lightdet.assembly.class_balance import class_frequencies, picture_weights
from lightdet.assembly.computing import build_replicas, compute_with
from lightdet.assembly.detection_task import build_task
from lightdet.assembly.detector import build_detector, load_backbone
from lightdet.assembly.distillation import Teacher, introduce, load_teachers
from lightdet.assembly.fine_tuning import begin_with
from lightdet.assembly.starting import CHANCE, PRETRAINED, start_of
from lightdet.assembly.starting import FACT as START
from lightdet.assembly.tiled_validation import TiledValidation
from lightdet.assembly.trainer import RunContext, assemble_trainer, check_shares, place_network, training_facts
from lightdet.assembly.training_data import Complete, TrainingData, as_they_are, read_training_data
from lightdet.card import ModelCard
from lightdet.config import AugmentConfig, LossConfig, Pace, RunConfig, TrainConfig
from lightdet.config.schema import FROM_CHANCE, FROM_WEIGHTS
from lightdet.data.dataset import DatasetSpec, OnError
from lightdet.data.loader import TrainingLoader
from lightdet.data.pictures import Pictures, trainable
from lightdet.data.pipeline import AugmentRecipe, TrainingSamples
from lightdet.errors import UserError
from lightdet.losses import SMALL
from lightdet.models import DetectionNetwork, Detector
from lightdet.models.torchvision_detectors import BuiltInLossNetwork
from lightdet.models.weights import save_model
from lightdet.structures import Annotation, Preprocessing, Tiling
from lightdet.training.best_and_worst import WORDS
from lightdet.training.board_pictures import batch_sheet
from lightdet.training.distributed import Processes
from lightdet.training.trainer import Trainer
from lightdet.training.validation import DetectionValidation
from lightdet.wording import counted

ASSIGNMENT, SHAPE, ALIGNED = "assignment", "shape", "aligned"
RATE, OPTIMIZER = "rate", "optimizer"
ALIGNED_STEPS = 100
"""A shorter one does not know the classes, which begin anew, early enough to rank anchors by them (docs/recipe.md)."""


def unmeasured_boxes(val: Sequence[Annotation]) -> str | None:
    """Why no epoch can be scored on the split `val`, so that the last one is used; None if they can."""
    if not val:
        return "there is no split 'val'"
    measured = any(len(trainable(annotation)[1]) for annotation in val)
    return None if measured else "no picture of the split 'val' has a box"


def tiling(config: RunConfig) -> Tiling | None:
    """The tiles that the configuration asks for; None: whole pictures."""
    return None if config.tiles is None else Tiling(config.tiles.size, config.tiles.overlap)


def load_training_data(
    config: RunConfig,
    spec: DatasetSpec,
    *,
    on_error: OnError = "fail",
    progress: Callable[[int, int], None] = lambda done, total: None,
    complete: Complete = as_they_are,
) -> TrainingData[Pictures]:
    """Read and decode the splits of a data set of boxes; see `read_training_data`.

    Raises:
        UserError: as there, and if no picture of the split ``train`` has a box.
    """

    def check(annotations: Sequence[Annotation]) -> None:
        if not any(len(trainable(annotation)[1]) for annotation in annotations):
            raise UserError("no picture of the split 'train' has a box; there is nothing to learn", path=spec.path)

    return read_training_data(
        spec,
        partial(Pictures, imgsz=config.imgsz, tiles=tiling(config)),
        check=check,
        unmeasured=unmeasured_boxes,
        cache_mib=config.train.cache_mib if config.train.cache else 0,
        on_error=on_error,
        progress=progress,
        complete=complete,
    )


def build_trainer(
    config: RunConfig,
    data: TrainingData[Pictures],
    context: RunContext,
    *,
    bit_depth: int = 16,
    start: Path | None = None,
) -> Trainer:
    """Assemble network, loss, loader, optimizer and schedule; with `resume`, continue where it was saved.

    With `start`, a model file of the same network, training starts from its weights wherever shapes match.

    Raises:
        UserError: a total batch that the processes cannot share, a precision that the device does not support.
    """
    train, run, resume = config.train, context.run, context.resume
    check_shares(train, context.processes)
    torch.manual_seed(train.seed)
    detector = build_detector(config.model, len(data.names), config.imgsz)
    teachers = load_teachers(config, data.names, detector)
    if resume is None:
        _begin(detector, config, data, context, teachers, start)
    else:
        run[START] = resume.run.get(START)
        if isinstance(detector, Detector):  # the loss takes its anchors before the weights are restored
            detector.anchors.copy_(resume.tensors["network/anchors"])
    from_weights = run[START] not in (None, CHANCE)
    augment = config.augment.resolved(from_weights=from_weights)
    pace = _pace(config, context, from_weights, data.train)
    aligned = _aligned(config, context, from_weights, data.train.per_epoch)
    computing = compute_with(
        detector, train, config.imgsz, context, forwards=not isinstance(detector, BuiltInLossNetwork)
    )
    detector = place_network(detector, train, context, computing.memory_format)
    task, replicas = build_replicas(
        detector,
        lambda network, peers: build_task(
            config, data.train, network, context.device, peers, computing, teachers, aligned=aligned
        ),
        context,
        computing,
    )
    return assemble_trainer(
        task,
        _loader(config, data, context.processes, augment),
        _validation(config, data, computing.replicas),
        train,
        context,
        save_weights=_weight_writer(config, data.names, bit_depth, run[START]),
        draw_batch=partial(batch_sheet, names=data.names),
        single_epochs=augment.mosaic_off_epochs or 0,
        replicas=replicas,
        words=WORDS,
        about={
            "Data": _data_facts(data),
            "Training": _training_facts(run, training_facts(train, pace, config.imgsz), augment),
        },
        pace=pace,
    )


def _begin(
    detector: DetectionNetwork,
    config: RunConfig,
    data: TrainingData[Pictures],
    context: RunContext,
    teachers: Sequence[Teacher],
    start: Path | None,
) -> None:
    """Give a new training its initial weights and its anchors, and say where they come from."""
    begin, note = start_of(config, start), context.reporter.note
    context.run[START] = begin.kind
    if begin.note:
        note(begin.note)
    if begin.file is not None:
        note(begin_with(begin.file, detector, data.names, config, called=begin.called))
    if not teachers:
        choose_anchors(config, data.train, detector, context.reporter)
    elif isinstance(detector, Detector):  # cells are compared, so they must mean the same
        detector.anchors.copy_(teachers[0].network.anchors)
        note(introduce(teachers, config.imgsz))
    if load_backbone(config.model, detector):
        note(f"the backbone starts from {getattr(config.model, 'backbone_weights', '')}")


def _pace(config: RunConfig, context: RunContext, from_weights: bool, pictures: Pictures) -> Pace:
    """Rate, warm-up and optimizer (`Pace.of`); a resumed training keeps those it started with."""
    train = config.train
    share = share_of_small_boxes(pictures) if context.run[START] == PRETRAINED else 0.0
    small = share > 0.5
    pace = Pace.of(train, from_weights=from_weights, small=small)
    if context.resume is not None:
        # Trainings from before these depended on the start had those of a start from chance.
        kept = context.resume.run
        pace = replace(
            pace,
            lr=train.lr or kept.get(RATE, FROM_CHANCE.lr),
            optimizer=train.optimizer or kept.get(OPTIMIZER, FROM_CHANCE.optimizer),
        )
    elif small:
        _say_what_is_chosen(train, pace, share, context.reporter.note)
    context.run.update({RATE: pace.lr, OPTIMIZER: pace.optimizer})
    return pace


def _say_what_is_chosen(train: TrainConfig, pace: Pace, share: float, note: Callable[[str], None]) -> None:
    chosen = [f"train.lr is {pace.lr:g} instead of {FROM_WEIGHTS.lr:g}"] * (train.lr is None)
    chosen += [f"train.optimizer is {pace.optimizer} instead of {FROM_WEIGHTS.optimizer}"] * (train.optimizer is None)
    if chosen:
        small = f"{SMALL:g} x {SMALL:g} pixels"
        note(f"{share:.0%} of the boxes are smaller than {small} of the input, so {' and '.join(chosen)}")


def _aligned(config: RunConfig, context: RunContext, from_weights: bool, pictures: int) -> bool:
    """Which anchors learn a box (`LossConfig.assignment`); a resumed training keeps what it started with."""
    if not isinstance(config.loss, LossConfig):
        return False
    train = config.train
    steps = math.ceil(math.ceil(pictures / train.batch) / train.accumulate)  # per epoch, as in the trainer's plan
    short = not train.minutes and train.epochs * steps < ALIGNED_STEPS
    usual = ALIGNED if from_weights and not short else SHAPE
    if context.resume is not None:
        usual = context.resume.run.get(ASSIGNMENT, SHAPE)  # trainings from before this choice had no other
    context.run[ASSIGNMENT] = config.loss.assignment or usual
    return bool(context.run[ASSIGNMENT] == ALIGNED)


def _training_facts(run: dict[str, Any], others: dict[str, str], augment: AugmentConfig) -> dict[str, str]:
    assignment = {ASSIGNMENT: run[ASSIGNMENT]} if ASSIGNMENT in run else {}  # other losses have their own
    changes = f"{augment.mosaic:.0%} mosaics, zoomed by up to {augment.scale:.0%}"
    return {"begun with": run[START] or CHANCE, **others, **assignment, "pictures": changes}


def _data_facts(data: TrainingData[Pictures]) -> dict[str, str]:
    def summary(pictures: Pictures | None) -> str:
        boxes = sum(len(trainable(annotation)[1]) for annotation in pictures.annotations) if pictures else 0
        return f"{counted(len(pictures), 'picture')} with {counted(boxes, 'box')}" if pictures else "none"

    tiles = data.train.tiles
    crops = "" if tiles is None else f", as {counted(data.train.per_epoch, 'crop')} of {tiles.size} pixels per epoch"
    return {"to train": summary(data.train) + crops, "to validate": summary(data.val), "classes": ", ".join(data.names)}


def _validation(config: RunConfig, data: TrainingData[Pictures], replicas: int) -> DetectionValidation | None:
    if not data.val:
        return None
    if data.val.tiles is None:
        return DetectionValidation(data.val, data.names, config.eval.batch, replicas=replicas)
    confidence = config.eval.confidence
    return TiledValidation(data.val, data.names, config.eval.batch, replicas=replicas, confidence=confidence)


def _loader(
    config: RunConfig, data: TrainingData[Pictures], processes: Processes, augment: AugmentConfig
) -> TrainingLoader:
    recipe = AugmentRecipe(**augment.model_dump(exclude={"mosaic_off_epochs"}))
    weights = None
    if config.train.image_weights:
        weights = picture_weights(data.train, class_frequencies(data.train, len(data.names)))[data.train.owners]
    return TrainingLoader(
        TrainingSamples(data.train, recipe, seed=config.train.seed),
        config.train.batch,
        seed=config.train.seed,
        workers=config.train.workers,
        rank=processes.rank,
        processes=processes.count,
        weights=weights,
    )


def _weight_writer(
    config: RunConfig, names: tuple[str, ...], bit_depth: int, begun: str | None
) -> Callable[[Path, nn.Module, dict[str, Any]], None]:
    preprocessing = Preprocessing(config.imgsz, bit_depth=bit_depth)

    def write(path: Path, network: nn.Module, facts: dict[str, Any]) -> None:
        model = config.model.model_dump(mode="json")
        card = ModelCard(
            model,
            names,
            preprocessing,
            {**facts, START: begun},
            tiles=tiling(config),
            confidence=config.eval.show_confidence,
        )
        save_model(path, dict(network.state_dict()), card)

    return write
