"""Backbones: picture → features at strides 8, 16 and 32."""

from lightdet.models.backbones.slim import SlimBackbone

__all__ = ["SlimBackbone"]
