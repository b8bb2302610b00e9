"""Necks: features of three strides, mixed."""

from lightdet.models.necks.pan import PAN

__all__ = ["PAN"]
