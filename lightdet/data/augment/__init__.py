"""Random changes to training pictures; every draw comes from the generator that is passed in."""

from lightdet.data.augment.affine import AffineRange, filter_boxes, random_affine
from lightdet.data.augment.blend import copy_paste, mixup
from lightdet.data.augment.color import jitter_hsv
from lightdet.data.augment.flip import flip_lr, flip_ud, rotate_90
from lightdet.data.augment.gray import gray_plane, solid
from lightdet.data.augment.mosaic import mosaic, mosaic_affine
from lightdet.data.augment.pixel import PixelTransforms

__all__ = [
    "AffineRange",
    "PixelTransforms",
    "copy_paste",
    "filter_boxes",
    "flip_lr",
    "flip_ud",
    "gray_plane",
    "jitter_hsv",
    "mixup",
    "mosaic",
    "mosaic_affine",
    "random_affine",
    "rotate_90",
    "solid",
]
