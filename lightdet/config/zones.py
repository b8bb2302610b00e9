"""The YAML of zones: every key and its meaning on one page."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lightdet.config.section import Section
from lightdet.config.yaml_file import YamlFile, validate

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Polygon = Annotated[tuple[tuple[Number, Number], ...], Field(min_length=3, max_length=200)]
Score = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
Name = Annotated[str, Field(min_length=1, max_length=60)]
Side = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


class ZoneSection(Section):
    """One zone: a polygon to look at, or one to ignore."""

    name: Name
    look: Polygon | None = None
    """Corners ``[x, y]`` in order: a box with a point in it is looked at."""
    ignore: Polygon | None = None
    """Corners in order: a box completely in it does not count."""
    classes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)] | None = None
    """With `look`, only these classes count here; default: all."""
    threshold: Score | None = None
    """With `look`, the lowest score that counts here; default: as everywhere."""
    thresholds: dict[Name, Score] | None = None
    """The same by class."""

    @model_validator(mode="after")
    def _one_polygon(self) -> ZoneSection:
        if (self.look is None) == (self.ignore is None):
            raise ValueError("needs a polygon, as either 'look' or 'ignore'")
        return self


class ZonesSection(Section):
    """All zones of a camera's pictures."""

    units: Literal["share", "pixels"]
    """Points are shares of the picture's width and height, or pixels."""
    size: tuple[Side, Side] | None = None
    """With pixels: width and height of the pictures on which they were drawn."""
    zones: Annotated[tuple[ZoneSection, ...], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _size_of_pixels(self) -> ZonesSection:
        if self.units == "pixels" and self.size is None:
            raise ValueError("with 'units: pixels', add 'size: [width, height]' of the pictures they were drawn on")
        if self.units == "share" and self.size is not None:
            raise ValueError("'size' belongs to 'units: pixels'; shares fit any picture: leave it out")
        return self


def check_zones(file: YamlFile) -> ZonesSection:
    """Check the keys and values of a file of zones; what they mean together is checked by `lightdet.decisions.zones`.

    Raises:
        UserError: for the first problem, with its line.
    """
    return validate(ZonesSection, file)
