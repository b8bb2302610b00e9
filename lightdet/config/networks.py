"""The ``model`` section of our detector, its siblings and the YOLOs with anchors."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lightdet.config.section import Positive, Section, numbers

Stride = Literal[4, 8, 16, 32]
Activation = Literal["leaky_relu", "relu", "silu", "hardswish", "mish"]
Anchors = list[Annotated[list[tuple[Positive, Positive]], Field(max_length=100)]]
Widths = Annotated[
    list[Annotated[int, Field(ge=8, le=2048)]],
    numbers("five numbers: the channels of Focus and of the four stages below it", 5),
]
LIGHTDET_WIDTHS = [16, 32, 64, 128, 224]


class NetworkConfig(Section):
    """What every network's section has; see `lightdet.config.families` for the networks there are."""

    name: str


class AnchorNetworkConfig(NetworkConfig):
    """A network whose cells carry anchors."""

    anchors: Anchors | None = None
    """Three (width, height) pairs per stride in pixels at `imgsz`, finest stride first; null: YOLOv5's, scaled."""

    @field_validator("anchors")
    @classmethod
    def _check_anchors(cls, anchors: Anchors | None) -> Anchors | None:
        counts = (3, 4) if "heads_at" in cls.model_fields else (3,)
        if anchors is None:
            return None
        if len(anchors) not in counts or len({len(pairs) for pairs in anchors}) != 1 or not anchors[0]:
            raise ValueError("must be three lists (strides 8, 16, 32) of equally many [width, height] pairs")
        return anchors


class LightNetworkConfig(AnchorNetworkConfig):
    """Our detector and its siblings: the same parts at other widths."""

    widths: Widths
    """Output channels of Focus and of the four stages below it."""
    activation: Activation = "leaky_relu"
    backbone_block: Literal["spp_residual", "spp", "csp"] = "spp_residual"
    """What each backbone stage ends with: the paper's SPP block, residual or plain, or the CSP1_X it replaces."""
    heads_at: list[Stride] = [8, 16, 32]
    """Strides of the grids; [4, 8, 16, 32] adds one for defects of a few pixels (docs/recipe.md: no gain so far)."""
    attention_at: list[Stride] = [8]
    """Strides of the heads that get CBAM before their 1x1 convolution (Table 4 of the paper)."""
    gate_at: list[Stride] = [16, 32]
    """Strides of the heads that get the gated residual branch (eqs. 4-7)."""
    gate: Literal["scalar", "channel", "input"] = "channel"
    """The gate J: one learned number, one per channel, or a 1x1 convolution of the shallow feature."""

    @field_validator("heads_at")
    @classmethod
    def _check_heads(cls, heads: list[int]) -> list[int]:
        if heads not in ([8, 16, 32], [4, 8, 16, 32]):
            raise ValueError("must be [8, 16, 32] or [4, 8, 16, 32]")
        return heads

    @model_validator(mode="after")
    def _check_parts_of_heads(self) -> Self:
        shown = f"heads_at: {self.heads_at}"
        for name in ("attention_at", "gate_at"):
            if not set(getattr(self, name)) <= set(self.heads_at):
                raise ValueError(f"has {name}: {getattr(self, name)}, but {shown}")
        if self.anchors is not None and len(self.anchors) != len(self.heads_at):
            raise ValueError(f"has {len(self.anchors)} lists of anchors, but {shown}: give one for each")
        return self


class ModelConfig(LightNetworkConfig):
    """Our detector."""

    name: Literal["lightdet"] = "lightdet"
    widths: Widths = LIGHTDET_WIDTHS


class _SiblingConfig(LightNetworkConfig):
    @field_validator("widths", check_fields=False)
    @classmethod
    def _not_those_of_another(cls, widths: list[int]) -> list[int]:
        # configs/lightdet.yaml gives its widths: with only the name changed, the same network would be called nano
        if widths == LIGHTDET_WIDTHS:
            own = cls.model_fields["name"].default
            raise ValueError(f"are those of 'lightdet'; start from configs/{own}.yaml, or give others")
        return widths


class NanoModelConfig(_SiblingConfig):
    """Its sibling, half the size."""

    name: Literal["lightdet-nano"] = "lightdet-nano"
    widths: Widths = [16, 32, 48, 96, 144]


class PlusModelConfig(_SiblingConfig):
    """Its sibling, twice the size."""

    name: Literal["lightdet-plus"] = "lightdet-plus"
    widths: Widths = [32, 48, 96, 176, 304]


class YoloModelConfig(AnchorNetworkConfig):
    """The networks for comparison that share our loss; their sizes are as published."""

    name: Literal["yolov3", "yolov4", "yolov5n", "yolov5s", "yolov5m"]
    activation: Activation | None = None
    """null: as published, leaky_relu (yolov4: mish in the backbone, leaky_relu in the neck); a name: everywhere."""
