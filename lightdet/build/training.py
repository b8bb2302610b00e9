"""Configuration and data set → a trainer, ready to fit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from lightdet.build.model import build_detector
from lightdet.config import Config
from lightdet.data.anchors import anchor_recall, anchor_similarity, fit_anchors
from lightdet.data.dataset import DatasetSpec, read_split
from lightdet.data.loader import TrainingLoader
from lightdet.data.pictures import Pictures, trainable
from lightdet.data.pipeline import AugmentRecipe, TrainingSamples
from lightdet.errors import UserError
from lightdet.losses import DetectionLoss
from lightdet.models import Detector
from lightdet.models.weights import ModelCard, save_model
from lightdet.structures import Annotation, Preprocessing
from lightdet.training.checkpoint import TrainingState
from lightdet.training.distributed import Processes
from lightdet.training.ema import ExponentialMovingAverage
from lightdet.training.interrupt import StopRequest
from lightdet.training.optimizer import build_optimizer
from lightdet.training.precision import resolve_precision
from lightdet.training.reporting import Reporter
from lightdet.training.schedule import WarmupCosine
from lightdet.training.task import DetectionTask
from lightdet.training.trainer import Trainer, TrainerSettings
from lightdet.training.validation import Validation

OnError = Literal["fail", "skip"]


@dataclass
class TrainingData:
    """The two splits of a training, decoded as far as memory allows."""

    names: tuple[str, ...]
    train: Pictures
    val: Pictures | None
    skipped: list[UserError]


def load_training_data(
    config: Config,
    spec: DatasetSpec,
    *,
    on_error: OnError = "fail",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> TrainingData:
    """Read the splits ``train`` and ``val`` (if there is one) and decode every picture once.

    Args:
        progress: called with pictures done and in all.

    Raises:
        UserError: the first broken picture or label; with ``on_error="skip"`` only if nothing is left.
    """
    train, skipped = read_split(spec, "train", on_error=on_error)
    val: list[Annotation] = []
    if "val" in spec.splits:
        val, more = read_split(spec, "val", on_error=on_error)
        skipped = skipped + more
    total, done = len(train) + len(val), 0

    def one_more() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    def decode(annotations: Sequence[Annotation]) -> Pictures:
        share = len(annotations) / total
        room = int(config.train.cache_mib * share) if config.train.cache else 0
        return Pictures(
            annotations,
            config.imgsz,
            bit_depth=spec.bit_depth,
            cache_mib=room,
            skip_broken=on_error == "skip",
            progress=one_more,
        )

    pictures = decode(train)
    if not any(len(trainable(a)[1]) for a in pictures.annotations):
        raise UserError("no picture of the split 'train' has a box; there is nothing to learn", path=spec.path)
    validation = decode(val) if val else None
    skipped = [*skipped, *pictures.broken, *(validation.broken if validation else [])]
    return TrainingData(spec.classes, pictures, validation, skipped)


def choose_anchors(config: Config, data: TrainingData, detector: Detector, reporter: Reporter) -> None:
    """Fit the anchors to the training boxes where the detector's fit them badly; says what it did.

    Badly: fewer boxes match one than ``train.anchor_recall``, or boxes and their best anchors are less alike
    than ``train.anchor_similarity``.
    """
    sides = np.concatenate([_sides(data.train, i) for i in range(len(data.train))])
    sides = sides[(sides > 0).all(axis=1)]
    old = detector.anchors.numpy().reshape(-1, 2)
    recall, alike = anchor_recall(sides, old, config.loss.anchor_ratio), anchor_similarity(sides, old)
    told = f"match {recall:.1%} of the training boxes, likeness {alike:.2f}"
    wanted = config.train.fit_anchors and config.model.anchors is None
    if not wanted or (recall >= config.train.anchor_recall and alike >= config.train.anchor_similarity):
        reporter.note(f"anchors {told}")
        return
    fitted = fit_anchors(sides, *detector.anchors.shape[:2], seed=config.train.seed)
    new = fitted.reshape(-1, 2)
    better_recall, better = anchor_recall(sides, new, config.loss.anchor_ratio), anchor_similarity(sides, new)
    if better_recall < recall or better <= alike:
        reporter.note(f"anchors {told}; fitted ones would not do better")
        return
    detector.anchors.copy_(torch.from_numpy(fitted))
    shown = "; ".join(" ".join(f"{w:g}x{h:g}" for w, h in level) for level in fitted)
    reporter.note(
        f"the default anchors fit badly ({told}); fitted new ones to the data set "
        f"(match {better_recall:.1%}, likeness {better:.2f}): {shown}"
    )


def _sides(pictures: Pictures, index: int) -> Any:
    annotation = pictures.annotations[index]
    scale = pictures.imgsz / max(annotation.size)
    boxes, _ = trainable(annotation)
    return (boxes[:, 2:] - boxes[:, :2]) * scale


def class_frequencies(pictures: Pictures, num_classes: int) -> Any:
    """Boxes by class, float64 ``[C]``."""
    labels = np.concatenate([trainable(a)[1] for a in pictures.annotations])
    return np.bincount(labels, minlength=num_classes).astype(np.float64)


def inverse_class_weights(frequencies: Any) -> torch.Tensor:
    """Weights ``[C]`` in inverse proportion to the frequency, with mean 1 over the boxes; at most 10."""
    share = np.maximum(frequencies, 1) / max(1.0, frequencies.sum())
    weights = 1 / (share * len(share))
    return torch.tensor(np.minimum(weights, 10.0), dtype=torch.float32)


def picture_weights(pictures: Pictures, frequencies: Any) -> Any:
    """How often to draw each picture: by its rarest class, float64 ``[N]``; background as the commonest."""
    rarity = 1 / np.sqrt(np.maximum(frequencies, 1))
    least = float(rarity[frequencies > 0].min())
    return np.array([max((float(rarity[k]) for k in trainable(a)[1]), default=least) for a in pictures.annotations])


def build_trainer(
    config: Config,
    data: TrainingData,
    *,
    folder: Path,
    device: torch.device,
    bit_depth: int = 16,
    run: dict[str, Any] | None = None,
    processes: Processes | None = None,
    reporter: Reporter,
    stop: StopRequest | None = None,
    resume: TrainingState | None = None,
    board: bool = True,
) -> Trainer:
    """Assemble network, loss, loader, optimizer and schedule; from `resume`, go on where it was saved.

    Raises:
        UserError: a total batch that the processes cannot share, a precision that the device has not.
    """
    processes = processes or Processes()
    train = config.train
    if train.batch % processes.count:
        raise UserError(f"train.batch={train.batch} cannot be shared by {processes.count} processes; take a multiple")
    torch.manual_seed(train.seed)
    detector = build_detector(config.model, len(data.names), config.imgsz)
    if resume is None:
        choose_anchors(config, data, detector, reporter)
    else:
        detector.anchors.copy_(resume.tensors["network/anchors"])
    layout = torch.channels_last if train.channels_last else torch.contiguous_format
    detector = detector.to(device=device, memory_format=layout)  # type: ignore[call-overload]
    if train.sync_batchnorm and processes.count > 1 and device.type == "cuda":
        detector = nn.SyncBatchNorm.convert_sync_batchnorm(detector)  # type: ignore[no-untyped-call]
    task = _task(config, data, detector, device, processes)
    loader = _loader(config, data, processes)
    steps = train.epochs * -(-len(loader) // train.accumulate)
    # A short training must have time to come down again.
    warmup = min(round(train.warmup_epochs * steps / train.epochs), steps // 3)
    trainer = Trainer(
        task,
        loader,
        Validation(data.val, data.names, config.eval.batch) if data.val else None,
        optimizer=build_optimizer(
            detector,
            train.optimizer,
            lr=train.lr,
            momentum=train.momentum,
            weight_decay=train.weight_decay,
            batch=train.batch * train.accumulate,
        ),
        schedule=WarmupCosine(train.lr, train.lr_final, warmup, steps),
        average=ExponentialMovingAverage(detector, train.ema_decay),
        settings=TrainerSettings(
            epochs=train.epochs,
            accumulate=train.accumulate,
            clip_norm=train.clip_norm,
            compose_off_epochs=min(config.augment.mosaic_off_epochs, train.epochs // 5),
            patience=train.patience,
            validate_every=train.validate_every,
            save_every=train.save_every,
            freeze_batchnorm=train.freeze_batchnorm,
        ),
        folder=folder,
        save_weights=_weight_writer(config, data.names, bit_depth),
        run=run or {},
        names=data.names,
        processes=processes,
        reporter=reporter,
        stop=stop,
        board=board,
    )
    if resume is not None:
        trainer.resume(resume)
    return trainer


def _task(
    config: Config, data: TrainingData, detector: Detector, device: torch.device, processes: Processes
) -> DetectionTask:
    weights = None
    if config.loss.class_weights == "inverse_frequency":
        weights = inverse_class_weights(class_frequencies(data.train, len(data.names)))
    loss = DetectionLoss(
        detector.anchors,
        detector.strides,
        len(data.names),
        box=config.loss.box,
        objectness=config.loss.objectness,
        classification=config.loss.classification,
        balance=config.loss.objectness_balance,
        ratio=config.loss.anchor_ratio,
        box_iou=config.loss.box_iou,
        label_smoothing=config.loss.label_smoothing,
        class_weights=weights,
        mean_count=processes.mean,
        processes=processes.count,
    ).to(device)
    return DetectionTask(
        detector,
        loss,
        precision=resolve_precision(config.train.precision, device),
        confidence=config.eval.confidence,
        iou=config.eval.iou,
        max_detections=config.eval.max_detections,
    )


def _loader(config: Config, data: TrainingData, processes: Processes) -> TrainingLoader:
    recipe = AugmentRecipe(**config.augment.model_dump(exclude={"mosaic_off_epochs"}))
    weights = None
    if config.train.image_weights:
        weights = picture_weights(data.train, class_frequencies(data.train, len(data.names)))
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
    config: Config, names: tuple[str, ...], bit_depth: int
) -> Callable[[Path, nn.Module, dict[str, Any]], None]:
    preprocessing = Preprocessing(config.imgsz, bit_depth=bit_depth)

    def write(path: Path, network: nn.Module, facts: dict[str, Any]) -> None:
        card = ModelCard(config.model.model_dump(mode="json"), names, preprocessing, facts)
        save_model(path, dict(network.state_dict()), card)

    return write


def epochs_that_fit(trainer: Trainer, minutes: float, batches: int = 12) -> int:
    """Time a few batches and one scoring on this machine and say how many epochs `minutes` hold (at least 1).

    The trainer is used up by this: build another for the training.
    """
    trainer._training_mode()
    times = []
    for batch in trainer.loader.epoch(0):
        began = time.perf_counter()
        trainer._take(batch)
        times.append(time.perf_counter() - began)
        if len(times) == batches:
            break
    began = time.perf_counter()
    trainer._score()
    scoring = (time.perf_counter() - began) / trainer.settings.validate_every
    epoch = float(np.median(times)) * len(trainer.loader) + scoring
    return max(1, int(minutes * 60 * 0.95 / epoch))
