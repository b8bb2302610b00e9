"""Model configuration → network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightdet.config import ModelConfig, NetworkConfig

if TYPE_CHECKING:
    from lightdet.models import DetectionNetwork


def build_detector(config: NetworkConfig, num_classes: int, imgsz: int) -> DetectionNetwork:
    """Return a fresh network for `num_classes`; anchors as configured, else YOLOv5's scaled to `imgsz`."""
    from lightdet.models import zoo  # noqa: PLC0415 - torch only when a network is wanted

    if isinstance(config, ModelConfig):
        return zoo.lightdet(
            num_classes,
            anchors=config.anchors or zoo.default_anchors(imgsz),
            widths=config.widths,
            backbone_block=config.backbone_block,
            attention_at=config.attention_at,
            gate_at=config.gate_at,
            gate=config.gate,
            activation=config.activation,
        )
    raise TypeError(f"no network is known for a {type(config).__name__}")
