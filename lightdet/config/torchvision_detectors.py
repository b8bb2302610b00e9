"""The configuration of torchvision's detectors, which contain their own losses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lightdet.config.networks import NetworkConfig
from lightdet.config.schema import RunConfig, TrainConfig
from lightdet.config.section import NonNegative, Positive, Section


class BackboneConfig(NetworkConfig):
    """A network whose backbone is a known classifier."""

    backbone_weights: str | None = None
    """File with the classifier's trained weights (safetensors, or a state_dict saved by torch); null: none."""
    trainable_stages: Annotated[int, Field(ge=0, le=5)] | None = None
    """How many of the backbone's five stages are trained, from the last; null: torchvision's if pretrained, or all."""


class FasterRCNNModelConfig(BackboneConfig):
    """Faster R-CNN with ResNet-50 and a feature pyramid; with trained weights its normalization layers are frozen."""

    name: Literal["faster-rcnn"] = "faster-rcnn"
    anchor_sizes: Annotated[list[Positive], Field(min_length=5, max_length=5)] | None = None
    """Sides of the square anchors at strides 4, 8, 16, 32, 64 in pixels at `imgsz`; null: torchvision's, which are
    32, 64, 128, 256, 512 for pictures of 800 pixels, scaled."""


class SSDModelConfig(BackboneConfig):
    """SSD with VGG16; made for 300 pixels, takes any input."""

    name: Literal["ssd"] = "ssd"
    normalization: Literal["imagenet", "caffe"] = "imagenet"
    """Normalization of the input to match the backbone's weights: torchvision's own vgg16, or that of the SSD paper."""


class NoLossConfig(Section):
    """The network brings its own loss: there is nothing to choose."""


class SmallStepsConfig(TrainConfig):
    """The optimization of networks with a classifier's deep backbone, which need smaller steps than our own."""

    lr: Positive = 0.0002


class FasterRCNNTrainConfig(SmallStepsConfig):
    """The optimization of Faster R-CNN."""

    weight_decay: NonNegative = 0.05


class FasterRCNNConfig(RunConfig):
    """A run of Faster R-CNN."""

    model: FasterRCNNModelConfig = FasterRCNNModelConfig()
    loss: NoLossConfig = NoLossConfig()
    train: FasterRCNNTrainConfig = FasterRCNNTrainConfig()


class SSDConfig(RunConfig):
    """A run of SSD."""

    model: SSDModelConfig = SSDModelConfig()
    loss: NoLossConfig = NoLossConfig()
    train: SmallStepsConfig = SmallStepsConfig()
