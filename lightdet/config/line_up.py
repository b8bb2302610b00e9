"""The YAML of a service with several models: every key and its meaning on one page."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lightdet.config.line import Name, Text
from lightdet.config.section import Fraction, Section
from lightdet.config.yaml_file import YamlFile, validate

Pixels = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True, ge=1, le=100_000)]


class ServedModelSection(Section):
    """A model with its rule. What is not given is as on the command line of ``lightdet serve``."""

    file: Text
    """Model file or its URL, as for ``lightdet.load``."""
    threshold: Fraction | None = None
    """Lowest score of a defect; default: the model's calibrated rule, or 0.25."""
    class_threshold: dict[str, Fraction] = Field(default_factory=dict)
    """The same by class name."""
    min_size: Pixels | None = None
    """Shortest defect, in pixels of the picture."""
    class_min_size: dict[str, Pixels] = Field(default_factory=dict)
    """The same by class name."""
    confidence: Fraction | None = None
    """Lowest score that is reported at all."""
    zones: Text | None = None
    """Where to look: a YAML file of zones, which the service may write."""
    no_promise: bool = False
    imgsz: Whole | None = None
    iou: Fraction | None = None
    agnostic: bool = False
    max_detections: Whole | None = None
    rect: bool = False
    tile: Annotated[int, Field(strict=True, ge=0, le=100_000)] | None = None
    """Side of the tiles in pixels; 0: whole pictures; default: as the model was trained or calibrated."""
    overlap: Annotated[float, Field(ge=0.0, le=0.9)] | None = None
    device: Text = "auto"
    precision: Literal["fp32", "bf16", "fp16"] | None = None


class LineUpSection(Section):
    """Models by name: up to 20, for each worker holds all of them."""

    models: Annotated[dict[Name, ServedModelSection], Field(min_length=1, max_length=20)]


def check_line_up(file: YamlFile) -> LineUpSection:
    """Check the keys and values of the YAML.

    Raises:
        UserError: for the first problem, with its line.
    """
    found: Any = validate(LineUpSection, file)
    return LineUpSection.model_validate(found)
