"""Backbones: picture → features at strides 8, 16 and 32."""

from lightdet.models.backbones.csp import CSPBackbone
from lightdet.models.backbones.darknet import CSPDarknet53, Darknet53
from lightdet.models.backbones.slim import SlimBackbone

__all__ = ["CSPBackbone", "CSPDarknet53", "Darknet53", "SlimBackbone"]
