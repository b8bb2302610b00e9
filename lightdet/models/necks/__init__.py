"""Necks: features of three strides or four, mixed."""

from lightdet.models.necks.conv_pan import ConvPAN
from lightdet.models.necks.fpn import FPN
from lightdet.models.necks.pan import PAN, FinePAN

__all__ = ["FPN", "PAN", "ConvPAN", "FinePAN"]
