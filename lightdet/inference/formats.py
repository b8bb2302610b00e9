"""Names of formats: file formats of results, and number formats."""

from __future__ import annotations

from typing import Literal, TypeAlias

Format: TypeAlias = Literal["json", "csv", "yolo", "coco"]
FORMATS: tuple[Format, ...] = ("json", "csv", "yolo", "coco")
FilePrecision: TypeAlias = Literal["fp32", "bf16", "fp16", "int8"]
"""Number format of an exported file."""
