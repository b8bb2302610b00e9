"""The configuration of the detectors without anchors: YOLOX-s and the loss with SimOTA."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lightdet.config.networks import Activation, NetworkConfig, Widths
from lightdet.config.schema import RunConfig
from lightdet.config.section import NonNegative, Section


class YoloxModelConfig(NetworkConfig):
    """YOLOX-s (Ge et al. 2021): the frame of YOLOv5 with C3 blocks and a decoupled head."""

    name: Literal["yolox-s"] = "yolox-s"
    widths: Widths = Field(default=[32, 64, 128, 256, 512])
    """Output channels of Focus and of the four stages below it."""
    head_width: Annotated[int, Field(ge=8, le=2048)] = 128
    """Channels of the head's two branches."""
    activation: Activation = "silu"


class SimOTALossConfig(Section):
    """Gains of YOLOX's loss, and the assignment of boxes to cells by SimOTA, see `losses`."""

    box: NonNegative = 5.0
    objectness: NonNegative = 1.0
    classification: NonNegative = 1.0
    box_iou: Literal["iou", "giou", "ciou"] = "iou"
    """iou: one minus its square, as published."""
    centre_radius: Annotated[float, Field(ge=0.5, le=10.0)] = 1.5
    """A cell may be responsible for a box if their centres are fewer than this many cells apart, in x and in y."""
    candidates: Annotated[int, Field(ge=1, le=100)] = 10
    """How many of the largest overlaps are summed to give the number of cells for a box."""
    overlap_weight: NonNegative = 3.0
    """Weight of the overlap in a cell's cost, beside the classes."""
    class_weights: Literal["none", "inverse_frequency"] = "none"


class YoloxConfig(RunConfig):
    """A run of YOLOX-s."""

    model: YoloxModelConfig = YoloxModelConfig()
    loss: SimOTALossConfig = SimOTALossConfig()
