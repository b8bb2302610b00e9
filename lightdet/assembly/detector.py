"""A detector's configuration → its network; a model file → a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lightdet.card import ModelCard, check_task
from lightdet.config import (
    BackboneConfig,
    FasterRCNNModelConfig,
    LightNetworkConfig,
    NetworkConfig,
    SSDModelConfig,
    YamlFile,
    YoloModelConfig,
    YoloxModelConfig,
    load_network_config,
)

if TYPE_CHECKING:
    from lightdet.models import AnchorFreeDetector, DetectionNetwork, Detector
    from lightdet.models.faster_rcnn import FasterRCNN
    from lightdet.models.ssd import SSD


def build_detector(config: NetworkConfig, num_classes: int, imgsz: int) -> DetectionNetwork:
    """Return a network with random weights for `num_classes`; anchors as configured, or YOLOv5's scaled to `imgsz`."""
    if isinstance(config, LightNetworkConfig):
        return _light(config, num_classes, imgsz)
    if isinstance(config, YoloModelConfig):
        return _yolo(config, num_classes, imgsz)
    if isinstance(config, YoloxModelConfig):
        return _yolox(config, num_classes)
    if isinstance(config, FasterRCNNModelConfig):
        return _faster_rcnn(config, num_classes, imgsz)
    if isinstance(config, SSDModelConfig):
        return _ssd(config, num_classes)
    raise TypeError(f"no network is known for a {type(config).__name__}")


def load_detector(path: str | Path) -> tuple[DetectionNetwork, ModelCard]:
    """Rebuild the network of a model file on the CPU, with its card.

    Raises:
        UserError: a missing, truncated or foreign file; a card and weights that do not fit each other.
    """
    from lightdet.models.weights import load_model, rebuilt  # noqa: PLC0415

    weights, card = load_model(path)
    check_task(card, "detect", path)
    config = load_network_config(YamlFile(card.model, Path(path)))
    names, side = card.names, card.preprocessing.imgsz
    return rebuilt(lambda: build_detector(config, len(names), side), weights, path), card


def load_backbone(config: NetworkConfig, network: DetectionNetwork) -> bool:
    """Load the backbone's trained weights if the configuration names a file; returns whether it does.

    Only for a network about to be trained: a trained one has all of its weights.

    Raises:
        UserError: the file is missing, unreadable or another network's.
    """
    from lightdet.models.backbone_file import read_backbone  # noqa: PLC0415
    from lightdet.models.torchvision_detectors import BuiltInLossNetwork  # noqa: PLC0415

    if not isinstance(config, BackboneConfig) or config.backbone_weights is None:
        return False
    assert isinstance(network, BuiltInLossNetwork)  # noqa: S101 - for the type checker
    network.load_backbone(read_backbone(config.backbone_weights), config.backbone_weights)
    return True


def _light(config: LightNetworkConfig, num_classes: int, imgsz: int) -> Detector:
    from lightdet.models import zoo  # noqa: PLC0415 - torch only when a network is wanted

    make = {"lightdet": zoo.lightdet, "lightdet-nano": zoo.lightdet_nano, "lightdet-plus": zoo.lightdet_plus}
    return make[config.name](
        num_classes,
        anchors=config.anchors or zoo.default_anchors(imgsz, config.heads_at),
        widths=config.widths,
        backbone_block=config.backbone_block,
        heads_at=config.heads_at,
        attention_at=config.attention_at,
        gate_at=config.gate_at,
        gate=config.gate,
        activation=config.activation,
    )


def _yolo(config: YoloModelConfig, num_classes: int, imgsz: int) -> Detector:
    from lightdet.models import zoo  # noqa: PLC0415

    anchors = config.anchors or zoo.default_anchors(imgsz)
    activation = config.activation
    if config.name == "yolov4":
        own = {} if activation is None else {"activation": activation, "neck_activation": activation}
        return zoo.yolov4(num_classes, anchors=anchors, **own)
    make = {"yolov3": zoo.yolov3, "yolov5n": zoo.yolov5n, "yolov5s": zoo.yolov5s, "yolov5m": zoo.yolov5m}
    return make[config.name](num_classes, anchors=anchors, activation=activation or "leaky_relu")


def _yolox(config: YoloxModelConfig, num_classes: int) -> AnchorFreeDetector:
    from lightdet.models import zoo  # noqa: PLC0415

    return zoo.yolox_s(num_classes, widths=config.widths, head_width=config.head_width, activation=config.activation)


def _faster_rcnn(config: FasterRCNNModelConfig, num_classes: int, imgsz: int) -> FasterRCNN:
    from lightdet.models import zoo  # noqa: PLC0415

    return zoo.faster_rcnn(
        num_classes,
        anchor_sizes=config.anchor_sizes or zoo.default_anchor_sizes(imgsz),
        pretrained=config.backbone_weights is not None,
        trainable_stages=config.trainable_stages,
    )


def _ssd(config: SSDModelConfig, num_classes: int) -> SSD:
    from lightdet.models import zoo  # noqa: PLC0415

    return zoo.ssd(
        num_classes,
        normalization=config.normalization,
        pretrained=config.backbone_weights is not None,
        trainable_stages=config.trainable_stages,
    )
