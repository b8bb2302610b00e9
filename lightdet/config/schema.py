"""The configuration of a training: every key, its meaning, its range and its default.

The networks' keys are in `lightdet.config.networks`. ``configs/lightdet.yaml`` spells the same values out; a test holds
the two equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lightdet.config.networks import (
    LightNetworkConfig,
    ModelConfig,
    NanoModelConfig,
    NetworkConfig,
    PlusModelConfig,
    YoloModelConfig,
)
from lightdet.config.section import Fraction, NonNegative, Positive, Section, numbers

Balance = Annotated[
    list[Positive] | None,
    numbers("three numbers: the weights of the grids, finest first; or four with a head at stride 4", 3, 4),
]


class LossConfig(Section):
    """Weights x, y, z of eq. 8 and the assignment. Gains are scaled by classes and input size, see `losses`."""

    box: NonNegative = 0.05
    objectness: NonNegative = 1.0
    classification: NonNegative = 0.5
    box_iou: Literal["giou", "ciou"] = "giou"
    anchor_ratio: Annotated[float, Field(gt=1.0)] = 4.0
    """A box matches an anchor if neither side differs by more than this factor."""
    assignment: Literal["shape", "aligned"] | None = None
    """Which anchors learn a box: all whose shape fits, or, unless it is small, the ten of them that find it best
    (`losses.TaskAligned`). null: aligned when training starts from trained weights, which already find something, and
    takes 100 steps or more; else shape."""
    label_smoothing: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.0
    objectness_balance: Balance = None
    """Weight of the objectness term by grid, finest first; null: 4, 1, 0.4, and 4 for a grid at stride 4 as well."""
    class_weights: Literal["none", "inverse_frequency"] = "none"

    def balance(self, strides: Sequence[int]) -> list[float]:
        """`objectness_balance` for grids with these strides, finest first."""
        return self.objectness_balance or [4.0 if stride <= 8 else 1.0 if stride == 16 else 0.4 for stride in strides]


class AugmentConfig(Section):
    """Random changes to training pictures; probabilities in [0, 1], all drawn from (seed, epoch, position)."""

    mosaic: Fraction | None = None
    """Share of samples built from four pictures; null: see `resolved`."""
    mosaic_off_epochs: Annotated[int, Field(ge=0)] | None = None
    """Final epochs on single pictures, as in use; at most a fifth of all epochs; null: see `resolved`."""
    mixup: Fraction = 0.0
    copy_paste: Fraction = 0.0
    flip_lr: Fraction = 0.5
    flip_ud: Fraction = 0.0
    rotate_90: Fraction = 0.0
    hsv_h: Fraction = 0.015
    hsv_s: Fraction = 0.4
    hsv_v: Fraction = 0.4
    degrees: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    translate: Annotated[float, Field(ge=0.0, le=0.9)] = 0.1
    scale: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    """Zoom by up to this share, in and out; null: see `resolved`."""
    shear: Annotated[float, Field(ge=0.0, le=45.0)] = 0.0
    albumentations: dict[str, Fraction] = {}
    """Names of pixel transforms of albumentations (`GaussianBlur`, `CLAHE`, ...) and their probability."""

    def resolved(self, *, from_weights: bool) -> AugmentConfig:
        """The configured values; where they are null, what suits a start from trained or from random weights.

        From trained weights pictures are changed less (docs/recipe.md).
        """
        mosaic, off, scale = (0.5, 10, 0.25) if from_weights else (1.0, 30, 0.5)
        usual = {"mosaic": mosaic, "mosaic_off_epochs": off, "scale": scale}
        return self.model_copy(update={key: value for key, value in usual.items() if getattr(self, key) is None})


OptimizerName = Literal["sgd", "adamw", "muon"]


class TrainConfig(Section):
    """The optimization."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 100
    minutes: Positive | None = None
    """Wall-clock budget from the command's start to its end, instead of `epochs`; the schedule follows the clock."""
    batch: Annotated[int, Field(ge=1, le=4096)] = 16
    accumulate: Annotated[int, Field(ge=1, le=1024)] = 1
    """Batches per step."""
    optimizer: OptimizerName | None = None
    """null: as in `Pace`, depending on the starting weights and on the boxes."""
    lr: Positive | None = None
    """Highest learning rate; null: as in `Pace`, depending on the starting weights."""
    lr_final: Fraction = 0.01
    """Last learning rate as a share of `lr` (cosine)."""
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    weight_decay: NonNegative = 0.02
    warmup_epochs: NonNegative | None = None
    """Epochs in which the rate rises from 0 to `lr`, at most a third of all; null: as in `Pace`."""
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999
    clip_norm: NonNegative = 10.0
    """Largest gradient norm; 0 disables clipping."""
    probe: bool = True
    """Measure for a second how this machine computes fastest; false: use fixed choices for what is left open here."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto: bf16 if the processor or GPU has units for it and is faster with them, otherwise fp32."""
    channels_last: bool | None = None
    """Channels-last memory order of pictures and features; null: as measured, or true."""
    pools: Literal["auto", "torch", "onednn"] = "auto"
    """Which library's max-pools compute on a CPU; auto: as measured, or torch."""
    replicas: Annotated[int, Field(ge=1, le=64)] | None = None
    """Copies of the network that share each batch, side by side in threads (docs/adr/0015); null: as measured, or 1."""
    sync_batchnorm: bool = True
    freeze_batchnorm: bool = False
    image_weights: bool = False
    """Draw pictures of rare classes more often."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Stop after this many validations without a better mAP@0.5:0.95 (for a classifier: balanced accuracy, or the same
    with a smaller loss); 0 never stops early."""
    validate_every: Annotated[int, Field(ge=1)] | None = None
    """Epochs from one validation to the next; null: 1, or more if validation takes over a tenth of the time."""
    save_every: Annotated[int, Field(ge=1)] = 1
    fit_anchors: bool = True
    anchor_recall: Fraction = 0.98
    """Anchors are refitted to the data set if a smaller share of its boxes than this matches one,"""
    anchor_similarity: Fraction = 0.7
    """... or if boxes and their best anchors are less similar than this (mean of the smaller side ratio)."""
    workers: Annotated[int, Field(ge=0, le=64)] | None = None
    """Threads that prepare batches; null: chosen from the processor count."""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Compute threads per replica; null: as measured (docs/adr/0009), or OMP_NUM_THREADS."""
    start: str | None = None
    """pretrained (the package's own weights for this network), chance, or a model file; null: pretrained if there
    are such weights, otherwise chance."""
    keep_classes: bool = False
    """Keep the classes of the model to start from (`start`, ``--weights``), whether or not the data has them."""
    stand_in: bool = True
    """Where a class is not labelled, what that model finds of it stands in for labels; false: it is background."""
    distill: str | Annotated[list[str], Field(min_length=2, max_length=16)] | None = None
    """A trained detector (a .safetensors file) to learn from as well as from the labels, or several, which answer
    together; null: labels only."""
    distill_weight: NonNegative = 1.0
    """Weight of the distance from those detectors' outputs."""
    cache: bool = True
    """Keep decoded pictures in memory while they fit (see `cache_mib`)."""
    cache_mib: Annotated[int, Field(ge=0)] = 1024
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @property
    def teachers(self) -> list[Path]:
        """The files that `distill` names; a URL as a path."""
        named = [self.distill] if isinstance(self.distill, str) else self.distill or []
        return [Path(each) for each in named]


@dataclass(frozen=True)
class Pace:
    """Learning rate, warm-up and optimizer; what works depends on the starting weights (docs/recipe.md).

    Attributes:
        lr: highest learning rate.
        warmup_epochs: epochs until it is reached.
        optimizer: which one takes the steps.
    """

    lr: float
    warmup_epochs: float
    optimizer: OptimizerName = "adamw"

    @classmethod
    def of(cls, train: TrainConfig, *, from_weights: bool, small: bool = False) -> Pace:
        """The configured values, and for the rest what suits a start from trained or from random weights.

        Args:
            train: the configuration.
            from_weights: training starts from trained weights.
            small: ... and these are the package's, and most boxes are small.
        """
        usual = FROM_CHANCE if not from_weights else FROM_WEIGHTS_SMALL if small else FROM_WEIGHTS
        return cls(
            usual.lr if train.lr is None else train.lr,
            usual.warmup_epochs if train.warmup_epochs is None else train.warmup_epochs,
            train.optimizer or usual.optimizer,
        )


FROM_CHANCE, FROM_WEIGHTS, FROM_WEIGHTS_SMALL = Pace(0.002, 3.0), Pace(0.003, 1.0), Pace(0.005, 1.0, "muon")


class EvalConfig(Section):
    """Evaluation and post-processing."""

    confidence: Fraction = 0.001
    """Lowest score that enters the metrics."""
    iou: Fraction = 0.55
    """NMS threshold."""
    max_detections: Annotated[int, Field(ge=1, le=10_000)] = 300
    batch: Annotated[int, Field(ge=1, le=4096)] = 16
    show_confidence: Fraction = 0.25
    """Lowest score of a box that is reported by `detect` and all others that use the model, unless told otherwise;
    stored in the model file."""


class EvaluationConfig(Section):
    """The part of a configuration that applies to a finished model."""

    imgsz: int | None = None
    eval: EvalConfig = EvalConfig()


class TilesConfig(Section):
    """Pictures larger than a tile are seen in parts: training draws crops, all that follows joins the tiles' boxes."""

    size: Annotated[int, Field(ge=32, le=8192)]
    """Side of a tile in pixels of the picture; it is scaled to `imgsz`."""
    overlap: Annotated[float, Field(ge=0.0, le=0.9)] = 0.2
    """Smallest share of the side that neighbouring tiles have in common."""


class RunConfig(Section):
    """A whole run, for any network."""

    imgsz: Annotated[int, Field(ge=32, le=8192)] = 608
    tiles: TilesConfig | None = None
    """null: whole pictures, scaled to `imgsz`."""
    model: NetworkConfig
    loss: Section
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    eval: EvalConfig = EvalConfig()

    @field_validator("imgsz")
    @classmethod
    def _check_imgsz(cls, imgsz: int) -> int:
        if imgsz % 32:
            low = imgsz // 32 * 32
            raise ValueError(f"must be a multiple of 32; take {low} or {low + 32}")
        return imgsz


class _LightConfig(RunConfig):
    model: LightNetworkConfig
    loss: LossConfig = LossConfig()

    @model_validator(mode="after")
    def _check_balance(self) -> Self:
        weights, heads = self.loss.objectness_balance, self.model.heads_at
        if weights is not None and len(weights) != len(heads):
            raise ValueError(f"loss.objectness_balance has {len(weights)} weights, but model.heads_at is {heads}")
        return self


class Config(_LightConfig):
    """A run of our own detector."""

    model: ModelConfig = ModelConfig()


class NanoConfig(_LightConfig):
    """A run of its smaller sibling."""

    model: NanoModelConfig = NanoModelConfig()


class PlusConfig(_LightConfig):
    """A run of its larger sibling."""

    model: PlusModelConfig = PlusModelConfig()


class YoloConfig(RunConfig):
    """A run of a YOLO with anchors."""

    model: YoloModelConfig
    loss: LossConfig = LossConfig()
