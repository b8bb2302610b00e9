"""Named models, each an explicit function whose parts fit on one screen."""

from lightdet.models.zoo.anchors import ANCHORS_640, default_anchors
from lightdet.models.zoo.light import lightdet, lightdet_nano, lightdet_plus
from lightdet.models.zoo.torchvision_detectors import default_anchor_sizes, faster_rcnn, ssd
from lightdet.models.zoo.yolo import yolov3, yolov4, yolov5m, yolov5n, yolov5s
from lightdet.models.zoo.yolox import yolox_s

__all__ = [
    "ANCHORS_640",
    "default_anchor_sizes",
    "default_anchors",
    "faster_rcnn",
    "lightdet",
    "lightdet_nano",
    "lightdet_plus",
    "ssd",
    "yolov3",
    "yolov4",
    "yolov5m",
    "yolov5n",
    "yolov5s",
    "yolox_s",
]
