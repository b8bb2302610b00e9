"""A small network."""

from __future__ import annotations

from lightdet.config import ModelConfig

NAMES = ("dent", "scratch", "stain")
CONFIG = ModelConfig(widths=[8, 8, 16, 16, 16])
SIDE = 96
