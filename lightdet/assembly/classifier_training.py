"""A classifier's configuration and data set → a trainer, ready to fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from lightdet.assembly.class_balance import inverse_class_weights
from lightdet.assembly.classifier import build_classifier, classifier_card, logits_for, start_weights
from lightdet.assembly.classifier_start import begin_classifier
from lightdet.assembly.computing import build_replicas, compute_with
from lightdet.assembly.starting import CHANCE, start_of
from lightdet.assembly.starting import FACT as START
from lightdet.assembly.trainer import RunContext, assemble_trainer, check_shares, place_network, training_facts
from lightdet.assembly.training_data import Complete, TrainingData, as_they_are, read_training_data
from lightdet.card import ModelCard
from lightdet.classification.best_and_worst import WORDS
from lightdet.classification.board_pictures import labelled_sheet
from lightdet.classification.dataset import (
    ClassifyRecipe,
    ClassifySamples,
    LabelledPictures,
    join_images,
    labels_of,
    mean_and_deviation,
)
from lightdet.classification.sampling import ClassOrder
from lightdet.classification.task import ClassifyLoss, ClassifyTask
from lightdet.classification.validation import ClassifyValidation
from lightdet.config import Pace
from lightdet.config.classification import ClassifyConfig, TorchvisionClassifierConfig
from lightdet.data.dataset import DatasetSpec, OnError
from lightdet.data.loader import TrainingLoader
from lightdet.errors import UserError
from lightdet.models.weights import save_model
from lightdet.structures import ImageLabel, Preprocessing
from lightdet.training.distributed import Processes
from lightdet.training.trainer import Trainer
from lightdet.wording import counted

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and deviation by channel that torchvision's weights were trained with."""
IMAGENET_WEIGHTS = "ImageNet"
"""The start of a training from torchvision's weights, in tables and cards."""


ClassifyData: TypeAlias = TrainingData[LabelledPictures]


def unmeasured_classes(val: Sequence[ImageLabel]) -> str | None:
    """Why no epoch can be scored on the split `val`, so that the last one is used; None if they can."""
    if not val:
        return "there is no split 'val'"
    return None if len({each.label for each in val}) > 1 else "all pictures of the split 'val' are of one class"


def load_classify_data(
    config: ClassifyConfig,
    spec: DatasetSpec,
    *,
    on_error: OnError = "fail",
    progress: Callable[[int, int], None] = lambda done, total: None,
    complete: Complete = as_they_are,
) -> ClassifyData:
    """Read and decode the splits of a data set that gives each picture a class; see `read_training_data`.

    Raises:
        UserError: as there; a single class, overall or in training; a network that cannot tell this many classes.
    """
    if len(spec.classes) < 2:
        only = f"the data set has only '{spec.classes[0]}'"
        empty = ", and folders without pictures are none" if spec.format == "folders" else ""
        raise UserError(f"a classifier needs at least two classes, such as good and bad; {only}{empty}", path=spec.path)
    logits_for(config.model, len(spec.classes))

    def check(labels: Sequence[ImageLabel]) -> None:
        if len({each.label for each in labels}) < 2:
            only = spec.classes[labels[0].label]
            raise spec.split_error(
                "train", f"every picture of the split 'train' is '{only}'; there is nothing to tell apart"
            )

    return read_training_data(
        spec,
        partial(LabelledPictures, imgsz=config.imgsz, gray=config.gray),
        check=check,
        unmeasured=unmeasured_classes,
        cache_mib=config.train.cache_mib if config.train.cache else 0,
        on_error=on_error,
        progress=progress,
        complete=complete,
    )


def build_classify_trainer(
    config: ClassifyConfig,
    data: ClassifyData,
    context: RunContext,
    *,
    bit_depth: int = 16,
    start: Path | None = None,
) -> Trainer:
    """Assemble network, loss, loader, optimizer and schedule; with `resume`, continue where it was saved.

    With `start`, a model file of the same network, training starts from its weights wherever shapes match, and pictures
    are normalized in the same way, unless ``normalize`` says otherwise. The preprocessing is decided here and stored
    in `run`, so that a resumed training has the same.

    Raises:
        UserError: weights that are not available or do not fit, a wrong number of class weights, a total
            batch that the processes cannot share, a precision that the device does not support.
    """
    train, run, resume = config.train, context.run, context.resume
    check_shares(train, context.processes)
    torch.manual_seed(train.seed)
    network = build_classifier(config.model, len(data.names), config.imgsz)
    if resume is not None:
        preprocessing = Preprocessing(**resume.run["preprocessing"])
        run.update({START: resume.run[START]} if START in resume.run else {})
    else:
        preprocessing = _begin(network, config, data, context, bit_depth, start)
    run["preprocessing"] = asdict(preprocessing)
    computing = compute_with(network, train, config.imgsz, context)
    network = place_network(network, train, context, computing.memory_format)
    loss = _loss(config, data).to(context.device)
    task, replicas = build_replicas(
        network,
        lambda each, peer: ClassifyTask(each, loss, preprocessing, precision=computing.precision, mean_count=peer.mean),
        context,
        computing,
    )
    pace = Pace.of(train, from_weights=False)  # torchvision's weights come with the paper's own learning rate
    return assemble_trainer(
        task,
        _loader(config, data, preprocessing, context.processes),
        ClassifyValidation(data.val, data.names, config.eval.batch, computing.replicas) if data.val else None,
        train,
        context,
        save_weights=_weight_writer(config, data.names, preprocessing, run.get(START)),
        draw_batch=partial(labelled_sheet, names=data.names),
        pace=pace,
        replicas=replicas,
        words=WORDS,
        about={"Data": _data_facts(data), "Training": training_facts(train, pace, config.imgsz)},
    )


def _begin(
    network: nn.Module,
    config: ClassifyConfig,
    data: ClassifyData,
    context: RunContext,
    bit_depth: int,
    start: Path | None,
) -> Preprocessing:
    """Give a new training its initial weights, say where they come from, and return the preprocessing for them."""
    begin, note = start_of(config, start), context.reporter.note
    if begin.file is not None:
        context.run[START] = begin.kind
        before, told = begin_classifier(begin.file, network, data.names, config, called=begin.called)
        note(told)
        return _preprocessing(config, data, bit_depth, started=False, before=before)
    started, told = start_weights(network, config.model)
    given = getattr(config.model, "pretrained", False)
    named = given if isinstance(given, str) and given != "auto" else IMAGENET_WEIGHTS
    context.run[START] = named if started else CHANCE
    if told or not isinstance(config.model, TorchvisionClassifierConfig):
        note(told or begin.note)
    return _preprocessing(config, data, bit_depth, started)


def _data_facts(data: ClassifyData) -> dict[str, str]:
    def summary(pictures: LabelledPictures | None) -> str:
        if not pictures:
            return "none"
        counts = np.bincount(labels_of(pictures), minlength=len(data.names))
        each = ", ".join(f"{count} {name}" for count, name in zip(counts, data.names, strict=True))
        return f"{counted(len(pictures), 'picture')} ({each})"

    return {"to train": summary(data.train), "to validate": summary(data.val)}


def _preprocessing(
    config: ClassifyConfig, data: ClassifyData, bit_depth: int, started: bool, before: Preprocessing | None = None
) -> Preprocessing:
    if before is not None and config.normalize == "auto":
        return replace(before, imgsz=config.imgsz, bit_depth=bit_depth, gray=config.gray)
    wanted = ("imagenet" if started else "dataset") if config.normalize == "auto" else config.normalize
    own: dict[str, Any] = {}
    if wanted == "imagenet":
        own = {"mean": IMAGENET[0], "std": IMAGENET[1]}
    elif wanted == "dataset":
        mean, deviation = mean_and_deviation(data.train)
        own = {"mean": mean, "std": deviation}
    return Preprocessing(config.imgsz, bit_depth=bit_depth, gray=config.gray, **own)


def _loss(config: ClassifyConfig, data: ClassifyData) -> ClassifyLoss:
    wanted, count = config.loss.class_weights, len(data.names)
    weights = None
    if wanted == "inverse_frequency":
        weights = inverse_class_weights(np.bincount(labels_of(data.train), minlength=count))
    elif not isinstance(wanted, str):
        if len(wanted) != count:
            raise UserError(f"loss.class_weights has {len(wanted)} numbers and the data set {count} classes")
        weights = torch.tensor(wanted, dtype=torch.float32)
    return ClassifyLoss(label_smoothing=config.loss.label_smoothing, class_weights=weights)


def _loader(
    config: ClassifyConfig, data: ClassifyData, preprocessing: Preprocessing, processes: Processes
) -> TrainingLoader:
    train = config.train
    return TrainingLoader(
        ClassifySamples(
            data.train,
            ClassifyRecipe(**config.augment.model_dump()),
            seed=train.seed,
            pad_value=preprocessing.pad_value,
        ),
        train.batch,
        seed=train.seed,
        workers=train.workers,
        rank=processes.rank,
        processes=processes.count,
        order=ClassOrder(labels_of(data.train), config.sampling, seed=train.seed),
        join=join_images,
    )


def _weight_writer(
    config: ClassifyConfig, names: tuple[str, ...], preprocessing: Preprocessing, begun: str | None
) -> Callable[[Path, nn.Module, dict[str, Any]], None]:
    def write(path: Path, network: nn.Module, facts: dict[str, Any]) -> None:
        card = ModelCard(classifier_card(config.model), names, preprocessing, {**facts, START: begun})
        save_model(path, dict(network.state_dict()), card)

    return write
