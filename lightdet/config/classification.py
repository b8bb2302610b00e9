"""The configuration of a classifier: every key, its meaning, its range and its default on one page.

A YAML with ``task: classify`` is read by this; ``model.name`` chooses the network, and with it the keys of ``model``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from lightdet.config.schema import TrainConfig
from lightdet.config.section import Fraction, Positive, Section
from lightdet.config.yaml_file import YamlFile, merge, parse_overrides, validate
from lightdet.errors import UserError
from lightdet.wording import named

Width = Annotated[int, Field(ge=1, le=65_536)]
Hidden = Annotated[tuple[Width, ...], Field(max_length=32)]


class ClassifierConfig(Section):
    """What every classifier has."""

    name: str
    output: Literal["softmax", "sigmoid"] = "softmax"
    """One logit per class, or (two classes only) one logit: the second class's."""


class TorchvisionClassifierConfig(ClassifierConfig):
    """torchvision's networks."""

    name: Literal["mobilenet_v2", "resnet18", "efficientnet_b0"] = "mobilenet_v2"
    pretrained: bool | Literal["auto"] | Annotated[str, Field(min_length=1)] = False
    """ImageNet weights to start from: true downloads torchvision's, auto does so if possible, or the path of a file."""
    hidden: Hidden = ()
    """Fully connected layers before the last one; [1024, 512] in the casting paper's EfficientNet."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    """Before the last layer and after each hidden one; null: the network's own (0.2; ResNet-18 has none)."""


class CnnConfig(ClassifierConfig):
    """The basic CNN."""

    name: Literal["cnn"] = "cnn"
    widths: Annotated[tuple[Width, ...], Field(min_length=1, max_length=8)] = (32, 64, 128)
    """Channels of the convolution blocks; each halves the picture."""
    hidden: Hidden = (128, 64)
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    """After the first hidden layer."""
    batch_norm: bool = False
    """Normalize after each convolution; it learns faster and gets further."""
    pool: Literal["flatten", "mean", "max", "both"] = "flatten"
    """Input of the dense layers: the whole last map, each channel's mean, its largest value, or both."""


class DnnConfig(ClassifierConfig):
    """The network of dense layers alone."""

    name: Literal["dnn"] = "dnn"
    output: Literal["softmax", "sigmoid"] = "sigmoid"
    hidden: Hidden = (128, 64)
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    """After each hidden layer."""


class MixerConfig(ClassifierConfig):
    """MLP-Mixer."""

    name: Literal["mlp_mixer"] = "mlp_mixer"
    patch: Annotated[int, Field(ge=2, le=256)] = 16
    """Side of a patch in pixels; `imgsz` is a multiple of it."""
    width: Width = 256
    depth: Annotated[int, Field(ge=1, le=64)] = 8
    token_hidden: Width = 128
    channel_hidden: Width = 1024
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0


class ClassifyLossConfig(Section):
    """Cross-entropy (softmax) or binary cross-entropy (sigmoid)."""

    label_smoothing: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.0
    class_weights: Literal["none", "inverse_frequency"] | Annotated[list[Positive], Field(min_length=2)] = "none"
    """Weight of each class in the loss: by its rarity in training, or a number per class in the order of the ids."""


class ClassifyAugmentConfig(Section):
    """Random changes to training pictures; probabilities in [0, 1], all drawn from (seed, epoch, position)."""

    flip_lr: Fraction = 0.5
    flip_ud: Fraction = 0.0
    rotate_90: Fraction = 0.0
    degrees: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    """Rotation by up to this angle in either direction."""
    translate: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    scale: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Zoom by a factor within ``1 ± scale``."""
    shear: Annotated[float, Field(ge=0.0, le=45.0)] = 0.0
    border: Literal["gray", "mirror"] = "gray"
    """What fills the gaps left by rotation, shift and scaling: gray, or the picture's mirror image, which looks more
    like an unrotated picture."""
    hsv_h: Fraction = 0.0
    hsv_s: Fraction = 0.0
    hsv_v: Fraction = 0.0
    """Brightness by a factor within ``1 ± hsv_v``."""
    albumentations: dict[str, Fraction] = Field(default_factory=dict)
    """Names of pixel transforms of albumentations (`GaussianBlur`, `CLAHE`, ...) and their probability."""


class ClassifyEvalConfig(Section):
    """Evaluation."""

    batch: Annotated[int, Field(ge=1, le=4096)] = 32
    intervals: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """Confidence level of all intervals."""


class ClassifyEvaluationConfig(Section):
    """The part of a configuration that applies to a finished classifier."""

    imgsz: int | None = None
    eval: ClassifyEvalConfig = ClassifyEvalConfig()


class ClassifyConfig(Section):
    """A whole run of a classifier."""

    task: Literal["classify"] = "classify"
    imgsz: Annotated[int, Field(ge=32, le=2048)] = 224
    """Side of the square input in pixels, a multiple of 32; pictures are scaled to fit and padded with gray."""
    gray: bool = False
    """Convert colours to gray first (three equal channels)."""
    normalize: Literal["auto", "none", "imagenet", "dataset"] = "auto"
    """Mean and deviation that values in [0, 1] are normalized with: ImageNet's, those of the training pictures, or
    none; auto: ImageNet's for pretrained weights, otherwise those of the training pictures."""
    sampling: Literal["none", "balanced", "oversample", "undersample"] = "none"
    """balanced: each class drawn equally often, by chance; oversample: rare classes repeated up to the largest;
    undersample: as many of each class as the rarest has, drawn again each epoch."""
    model: ClassifierConfig
    loss: ClassifyLossConfig = ClassifyLossConfig()
    augment: ClassifyAugmentConfig = ClassifyAugmentConfig()
    train: TrainConfig = TrainConfig(epochs=25, batch=32, lr=0.001)
    eval: ClassifyEvalConfig = ClassifyEvalConfig()

    @field_validator("imgsz")
    @classmethod
    def _check_imgsz(cls, imgsz: int) -> int:
        if imgsz % 32:
            low = imgsz // 32 * 32
            raise ValueError(f"must be a multiple of 32; take {low} or {low + 32}")
        return imgsz

    @model_validator(mode="after")
    def _check_together(self) -> ClassifyConfig:
        if self.train.image_weights:
            raise ValueError("train.image_weights belongs to detectors; take sampling: balanced")
        if self.train.distill is not None:
            raise ValueError("train.distill belongs to detectors; leave it out")
        if self.train.start not in (None, "chance") and isinstance(self.model, TorchvisionClassifierConfig):
            raise ValueError("train.start is for lightdet's own networks; this one takes model.pretrained=FILE")
        if isinstance(self.model, MixerConfig) and self.imgsz % self.model.patch:
            raise ValueError(f"model.patch {self.model.patch} does not divide imgsz {self.imgsz}")
        if isinstance(self.model, CnnConfig) and self.imgsz >> len(self.model.widths) < 1:
            raise ValueError(f"model.widths: {len(self.model.widths)} blocks leave nothing of {self.imgsz} pixels")
        return self


class TorchvisionRun(ClassifyConfig):
    """A run of one of torchvision's networks."""

    model: TorchvisionClassifierConfig = TorchvisionClassifierConfig()


class CnnRun(ClassifyConfig):
    """A run of the basic CNN."""

    model: CnnConfig = CnnConfig()


class DnnRun(ClassifyConfig):
    """A run of the dense network."""

    imgsz: Annotated[int, Field(ge=32, le=2048)] = 64
    model: DnnConfig = DnnConfig()


class MixerRun(ClassifyConfig):
    """A run of MLP-Mixer."""

    model: MixerConfig = MixerConfig()


RUNS: tuple[type[ClassifyConfig], ...] = (TorchvisionRun, CnnRun, DnnRun, MixerRun)
DEFAULT_NAME = "mobilenet_v2"


def load_classify_config(file: YamlFile, overrides: Sequence[str] = ()) -> ClassifyConfig:
    """Check `file` with ``key.path=value`` overrides against the configuration of the classifier that it names.

    Raises:
        UserError: an unknown network; otherwise as `lightdet.config.validate`.
    """
    over = parse_overrides(overrides)
    model = merge(file.values, over).get("model")
    name = model.get("name", DEFAULT_NAME) if isinstance(model, Mapping) else DEFAULT_NAME
    given = over.get("model")
    told_by_override = isinstance(given, Mapping) and "name" in given
    return validate(_run_of(name, file, ("model", "name"), told_by_override), file, overrides)


def load_classifier_config(file: YamlFile) -> ClassifierConfig:
    """Check only the ``model`` section, as stored in a model's card.

    Raises:
        UserError: an unknown network; otherwise as `lightdet.config.validate`.
    """
    return validate(_model_of(_run_of(file.values.get("name"), file, ("name",), from_command_line=False)), file)


def classifier_names() -> list[str]:
    """All classifiers, by the name that ``model.name`` takes."""
    return [name for run in RUNS for name in get_args(_model_of(run).model_fields["name"].annotation)]


def _run_of(name: Any, file: YamlFile, key: tuple[str, ...], from_command_line: bool) -> type[ClassifyConfig]:
    for run in RUNS:
        if name in get_args(_model_of(run).model_fields["name"].annotation):
            return run
    known = classifier_names()
    close = difflib.get_close_matches(name, known, n=1) if isinstance(name, str) else []
    hint = f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}"
    message = f"'{'.'.join(key)}': there is no classifier called {named(name)}{hint}"
    if from_command_line:
        raise UserError(f"{message} (from the command line)")
    path, line = file.place(key)
    raise UserError(message, path=path, line=line)


def _model_of(run: type[ClassifyConfig]) -> type[ClassifierConfig]:
    found: Any = run.model_fields["model"].annotation
    return found  # type: ignore[no-any-return]
