"""Zones of a picture: where to look, what to ignore, which classes count there and from which score on.

- Without a zone to look at, everything is looked at that is not ignored.
- A box is *ignored* if it lies completely in one zone to ignore. It is *looked at* if it has a point in common with
  a zone to look at whose classes include its own. What could be a defect in a place that counts is one.
- A box in several zones counts if it counts in one of them.
- Zones to look at whose areas overlap must say the same; otherwise it would be unclear which of them is meant.

Boxes are compared as reported, in hundredths of a pixel, and so are the polygons' points.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.decisions.rule_checks import check_thresholds, is_number
from lightdet.errors import UserError
from lightdet.geometry.polygons import areas_overlap, self_crossing, touches, within

MOST_ZONES = 64
MOST_POINTS = 200
"""In one zone."""
MOST_IN_ALL = 1000
"""All zones together have no more points."""
LARGEST_SIDE = 1_000_000
"""The longest side of a picture, in pixels."""
PIXEL_STEPS = 100
"""Boxes are reported in hundredths of a pixel."""
SHARE_DIGITS = 6
Points = tuple[tuple[float, float], ...]


class ZoneError(UserError):
    """A fault in one zone: `number`, from 0."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


@dataclass(frozen=True)
class Zone:
    """A polygon and its meaning.

    Attributes:
        name: for people; printable, up to 60 characters.
        points: its corners in order, in pixels or in shares of the picture's width and height; at least 3.
        ignore: nothing that lies completely inside counts; otherwise it is looked at.
        classes: only these count here; empty: all.
        threshold: the lowest score that counts here; None: as everywhere.
        thresholds: the same by class name.

    Raises:
        UserError: anything out of its range.
    """

    name: str
    points: Points
    ignore: bool = False
    classes: tuple[str, ...] = ()
    threshold: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise UserError(f"a zone needs a name that can be shown, got {self.name!r}")
        if len(self.name) > 60:
            raise UserError(f"the name of a zone has up to 60 characters, got {len(self.name)}")
        check_thresholds(0.0 if self.threshold is None else self.threshold, self.thresholds)
        if self.ignore and (self.classes or self.has_thresholds):
            raise UserError(f"zone '{self.name}' is ignored: classes and thresholds belong to zones with 'look'")
        other = next((name for name in self.thresholds if self.classes and name not in self.classes), None)
        if other is not None:
            raise UserError(f"zone '{self.name}' has a threshold for '{other}', which is not among its classes")
        if not 3 <= len(self.points) <= MOST_POINTS:
            raise UserError(f"zone '{self.name}' needs 3 to {MOST_POINTS} points, got {len(self.points)}")
        if not all(is_number(value) and math.isfinite(value) for point in self.points for value in point):
            raise UserError(f"zone '{self.name}' has a point that is not two numbers")

    @property
    def has_thresholds(self) -> bool:
        """Whether it has a threshold of its own."""
        return self.threshold is not None or bool(self.thresholds)

    def takes(self, name: str) -> bool:
        """Whether the class `name` counts here."""
        return not self.classes or name in self.classes

    def threshold_of(self, name: str) -> float | None:
        """The lowest score of the class `name` that counts here; None: as everywhere."""
        return self.thresholds.get(name, self.threshold)

    def says(self) -> tuple[Any, ...]:
        """What it means for a box, to compare two zones."""
        return frozenset(self.classes), self.threshold, frozenset(self.thresholds.items())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in the file."""
        values: dict[str, Any] = {
            "name": self.name,
            "ignore" if self.ignore else "look": [list(p) for p in self.points],
        }
        if self.classes:
            values["classes"] = list(self.classes)
        if self.threshold is not None:
            values["threshold"] = self.threshold
        return values | ({"thresholds": dict(self.thresholds)} if self.thresholds else {})


@dataclass(frozen=True)
class Zones:
    """The zones of one camera's pictures.

    Attributes:
        zones: at least one, each with a name of its own.
        size: ``(width, height)`` in pixels of the pictures on which they were drawn, the only size that they fit; None:
            points are shares, and fit any picture.

    Raises:
        ZoneError: points outside the picture, a polygon that crosses itself, zones that contradict each other.
        UserError: too many zones or points, or none.
    """

    zones: tuple[Zone, ...]
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.zones) <= MOST_ZONES:
            raise UserError(f"there must be 1 to {MOST_ZONES} zones, got {len(self.zones)}")
        if (total := sum(len(zone.points) for zone in self.zones)) > MOST_IN_ALL:
            raise UserError(f"the zones have {total} points; at most {MOST_IN_ALL} are taken")
        if self.size is not None and not all(isinstance(v, int) and 1 <= v <= LARGEST_SIDE for v in self.size):
            raise UserError(f"the size must be width and height in pixels, got {self.size}")
        width, height = self.size or (1, 1)
        digits = SHARE_DIGITS if self.size is None else 2
        placed = tuple(_placed(zone, width, height, digits, number) for number, zone in enumerate(self.zones))
        object.__setattr__(self, "zones", placed)
        grids = [np.rint(np.array(zone.points) * 10**digits).astype(np.int64) for zone in placed]
        for number, (zone, grid) in enumerate(zip(placed, grids, strict=True)):
            if any(zone.name == other.name for other in placed[:number]):
                raise ZoneError(f"two zones have the name '{zone.name}'; give each its own", number)
            _check_outline(zone, grid, number)
        for (i, first), (j, second) in combinations(enumerate(placed), 2):
            if first.ignore or second.ignore or first.says() == second.says():
                continue
            if areas_overlap(grids[i], grids[j]):
                raise ZoneError(
                    f"zones '{first.name}' and '{second.name}' overlap, and their classes or thresholds differ: which "
                    "counts there? Move their points apart, or let both say the same",
                    j,
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(zone.name for zone in self.zones)

    @property
    def has_thresholds(self) -> bool:
        """Whether any has a threshold of its own."""
        return any(zone.has_thresholds for zone in self.zones)

    @property
    def by_class(self) -> bool:
        """Whether whether a box counts depends on its class."""
        return any(zone.classes or zone.thresholds for zone in self.zones)

    @property
    def lowest_threshold(self) -> float | None:
        """The lowest of the zones' own thresholds; None: no zone has one."""
        own = [t for zone in self.zones for t in (zone.threshold, *zone.thresholds.values()) if t is not None]
        return min(own, default=None)

    def thresholds(self, names: Iterable[str]) -> dict[str, dict[str, float]]:
        """The zones' own thresholds, by zone and by those of the class `names` that have one there."""
        known = list(names)
        found = {
            zone.name: {n: t for n in known if zone.takes(n) and (t := zone.threshold_of(n)) is not None}
            for zone in self.zones
        }
        return {zone: by_class for zone, by_class in found.items() if by_class}

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse zones for classes that a model does not have.

        Raises:
            ZoneError: a zone names another class.
        """
        known = list(names)
        for number, zone in enumerate(self.zones):
            for name in [*zone.classes, *zone.thresholds]:
                if name not in known:
                    raise ZoneError(
                        f"zone '{zone.name}' names the class '{name}'; the model has {', '.join(known)}", number
                    )

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuse a picture of another size than that on which zones in pixels were drawn.

        Raises:
            UserError: it has.
        """
        if self.size is not None and size != self.size:
            raise UserError(
                f"the zones were drawn in pixels on a picture of {self.size[0]} x {self.size[1]}, and this one has "
                f"{size[0]} x {size[1]}: draw them for it, or with 'units: share'"
            )

    def of(
        self, boxes: AnyArray, labels: AnyArray, names: Sequence[str], size: tuple[int, int]
    ) -> list[tuple[str, ...] | None]:
        """Return for each box the zones in which it is looked at, by name.

        Args:
            boxes: ``[N, 4]`` corners in pixels.
            labels: ``[N]``, indices into `names`.
            names: the classes.
            size: ``(width, height)`` of the picture.

        Returns:
            None: the box does not count. Empty: it counts, and there are no zones to look at.

        Raises:
            UserError: zones in pixels, and a picture of another size.
        """
        self.check_size(size)
        grid = np.rint(np.asarray(boxes, np.float64).reshape(-1, 4) * PIXEL_STEPS).astype(np.int64)
        places = [(zone, np.rint(at * PIXEL_STEPS).astype(np.int64)) for zone, at in self.outlines(size)]
        ignored = np.zeros(len(grid), bool)
        for zone, points in places:
            if zone.ignore:
                ignored |= within(grid, points)
        looked = [(zone, touches(grid, points)) for zone, points in places if not zone.ignore]
        if not looked:
            return [None if each else () for each in ignored]
        found: list[tuple[str, ...] | None] = []
        for index, label in enumerate(labels):
            name = names[int(label)] if names else str(label)
            inside = tuple(zone.name for zone, touched in looked if touched[index] and zone.takes(name))
            found.append(inside if inside and not ignored[index] else None)
        return found

    def outlines(self, size: tuple[int, int]) -> list[tuple[Zone, AnyArray]]:
        """Return each zone with its corners in pixels of a picture of this size, float64 ``[P, 2]``."""
        scale = np.array(size if self.size is None else (1, 1), np.float64)
        return [(zone, np.array(zone.points, np.float64) * scale) for zone in self.zones]

    def describe(self) -> str:
        """``'thread', 'label'``, for people."""
        return ", ".join(f"'{name}'" for name in self.names)

    @property
    def digest(self) -> str:
        """The first eight digits of the SHA-256 of their content."""
        return zones_digest(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON and as in the file; `from_dict` reads them."""
        units: dict[str, Any] = (
            {"units": "share"} if self.size is None else {"units": "pixels", "size": list(self.size)}
        )
        return {**units, "zones": [zone.as_dict() for zone in self.zones]}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Zones:
        """Read what `as_dict` gave, or what a file holds.

        Raises:
            ZoneError, UserError: as the constructors.
            ValueError, TypeError, KeyError: it is something else.
        """
        zones = []
        for number, each in enumerate(values["zones"]):
            if ("look" in each) == ("ignore" in each):
                raise ZoneError(f"zone '{each['name']}' needs a polygon, as either 'look' or 'ignore'", number)
            points = tuple((x, y) for x, y in each["look" if "look" in each else "ignore"])
            classes, own = each.get("classes", ()), each.get("thresholds", {})
            if not all(isinstance(name, str) for name in [*classes, *own]) or isinstance(classes, str):
                raise ValueError("not zones")
            try:
                zones.append(
                    Zone(each["name"], points, "ignore" in each, tuple(classes), each.get("threshold"), dict(own))
                )
            except UserError as error:
                raise ZoneError(error.message, number) from None
        in_pixels = values["units"] == "pixels"
        if not in_pixels and (values["units"] != "share" or values.get("size") is not None):
            raise ValueError("not zones")
        width, height = values["size"] if in_pixels else (0, 0)
        return Zones(tuple(zones), (width, height) if in_pixels else None)


def zones_digest(values: Mapping[str, Any]) -> str:
    """Return the first eight digits of the SHA-256 of zones as plain values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def _placed(zone: Zone, width: float, height: float, digits: int, number: int) -> Zone:
    """The zone with its points rounded, and without a last point that repeats the first."""
    for x, y in zone.points:
        if not (0 <= x <= width and 0 <= y <= height):
            where = "0 to 1" if digits == SHARE_DIGITS else f"the picture, {width:g} x {height:g}"
            raise ZoneError(f"zone '{zone.name}' has the point [{x:g}, {y:g}], which is not within {where}", number)
    points = [(round(float(x), digits), round(float(y), digits)) for x, y in zone.points]
    if len(points) > 3 and points[0] == points[-1]:
        points.pop()
    return Zone(zone.name, tuple(points), zone.ignore, zone.classes, zone.threshold, zone.thresholds)


def _check_outline(zone: Zone, grid: AnyArray, number: int) -> None:
    for index, (point, following) in enumerate(zip(grid, np.roll(grid, -1, axis=0), strict=True)):
        if (point == following).all():
            after = (index + 1) % len(grid) + 1
            raise ZoneError(f"points {index + 1} and {after} of zone '{zone.name}' are the same; leave one out", number)
    if crossing := self_crossing(grid):
        first, second = (f"points {edge + 1} and {(edge + 1) % len(grid) + 1}" for edge in crossing)
        raise ZoneError(
            f"zone '{zone.name}' meets itself: the line between {first} meets that between {second}", number
        )
