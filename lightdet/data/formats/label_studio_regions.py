"""The regions of a Label Studio annotation as boxes: rectangles, polygons and ellipses, perhaps rotated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from lightdet.data.formats.enclosing import Box, ShapeError, ellipse_box, polygon_box, rotated_box
from lightdet.data.formats.json_scanner import is_number
from lightdet.data.formats.listed import ListedImage, Mark

LABELS = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")
"""Where a region keeps its class."""
BESIDE = {"choices", "textarea", "rating", "number", "datetime", "taxonomy", "pairwise", "ranker", "relation"}
"""Results that mark no place."""


Regions: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]


def regions_of(results: Sequence[Any]) -> Regions:
    """The results of each region, by its id; results without an id are regions of their own."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        if isinstance(result, dict) and isinstance(result.get("id"), str | int):
            found.setdefault(str(result["id"]), []).append(result)
    return found


def targets(results: Sequence[object]) -> list[str | None]:
    """The pictures that regions are drawn on, each once: the entry in ``data``, else the control; None if unsaid."""
    found: dict[str | None, None] = {}
    for result in results:
        if isinstance(result, dict) and _shape(result) is not None:
            source, control = result.get("source"), result.get("to_name")
            entry = source.removeprefix("$") if isinstance(source, str) else control
            found[entry if isinstance(entry, str) and entry else None] = None
    return list(found)


def add_region(result: Mapping[str, Any], regions: Regions, image: ListedImage) -> None:
    """Add the box of a result to `image`; results that mark no place, or name the class of another, add nothing.

    Args:
        result: one result of a region.
        regions: all results of the annotation, by region: another may name its class.
        image: gets the box, the size it was drawn on, and remarks on how it was read.

    Raises:
        ShapeError: it cannot be used.
    """
    shape, value = _shape(result), result.get("value")
    if shape is None:
        return
    if not isinstance(value, dict):
        raise ShapeError("has no 'value'")
    alike = regions.get(str(result.get("id")), ())
    shapes = [other for other in alike if _shape(other) is not None]
    drawn = [other for other in shapes if other.get("type") != "labels"] or shapes
    if drawn and drawn[0] is not result:
        names = result.get("type") == "labels" != drawn[0].get("type")
        if not names and _geometry(drawn[0]) != _geometry(result):
            raise ShapeError("has the id of another shape")
        return  # the same again, or its class
    if shape not in _READERS:
        raise ShapeError(f"is of type '{result.get('type')!s:.40}', which is not read: draw a rectangle or a polygon")
    turned = result.get("image_rotation", 0)
    if turned not in (0, 360, None):
        raise ShapeError(f"was drawn while the picture was turned by {turned!s:.10}°: turn it back in Label Studio")
    width, height = result.get("original_width"), result.get("original_height")
    if is_number(width) and is_number(height) and width > 0 and height > 0:
        if image.size is not None and image.size != (width, height):
            raise ShapeError(f"was drawn on {width} x {height} pixels, and others on another size")
        image.size = (width, height)
    image.marks.append(Mark(_name([result, *alike]), _READERS[shape](value, image), image.line, 100.0))


def _shape(result: Mapping[str, Any]) -> str | None:
    """What is drawn: ``rectangle``, or what else the result's type says; None if it marks no place."""
    kind, value = result.get("type"), result.get("value")
    if (isinstance(kind, str) and kind in BESIDE) or (kind == "labels" and not is_region(value)):
        return None
    if kind == "labels" and isinstance(value, dict):
        return "polygon" if "points" in value else "ellipse" if "radiusX" in value else "rectangle"
    return kind.removesuffix("labels") if isinstance(kind, str) else ""


def _geometry(result: Mapping[str, Any]) -> object:
    value = result.get("value")
    places = {key: value[key] for key in value if not key.endswith("labels")} if isinstance(value, dict) else value
    return _shape(result), places


def is_region(value: object) -> bool:
    """Whether a result's value has a place in the picture."""
    return isinstance(value, dict) and bool({"width", "points", "radiusX"} & set(value))


def _name(results: Sequence[Mapping[str, Any]]) -> str:
    """The class of a region: the one that its results name."""
    found: list[str] = []
    for entry in results:
        value = entry.get("value")
        for key in LABELS:
            given = value.get(key) if isinstance(value, dict) else None
            if isinstance(given, list):
                found += [name.strip() for name in given if isinstance(name, str)]
    names = list(dict.fromkeys(name for name in found if name))
    if len(names) != 1:
        raise ShapeError(f"has the classes {', '.join(names)[:100]}; keep one" if names else "has no class")
    return names[0]


def _percent(value: Mapping[str, Any], *keys: str) -> list[float]:
    numbers = [value.get(key) for key in keys]
    found = [float(number) for number in numbers if is_number(number)]
    if len(found) < len(numbers):
        raise ShapeError(f"needs numbers as {', '.join(keys)}")
    if not all(-200 < number < 300 for number in found):
        outlier = next(number for number in found if not -200 < number < 300)
        raise ShapeError(f"has the value {outlier:g}, and must be in per cent of the picture's sides (pixels?)")
    return found


def _rectangle(value: Mapping[str, Any], image: ListedImage) -> Box:
    x, y, width, height = _percent(value, "x", "y", "width", "height")
    if width < 0 or height < 0:
        raise ShapeError("has a negative width or height")
    return _turned((x, y, x + width, y + height), value, image, (x, y))


def _turned(box: Box, value: Mapping[str, Any], image: ListedImage, pivot: tuple[float, float]) -> Box:
    """The box around a rectangle turned clockwise around `pivot`; angles are those of pixels, not of per cents."""
    degrees = value.get("rotation") or 0
    if not is_number(degrees):
        raise ShapeError("has a 'rotation' that is not a number")
    if not degrees % 360:
        return box
    sides = _sides(image)
    scaled = rotated_box(_scaled(box, sides), float(degrees), (pivot[0] * sides[0], pivot[1] * sides[1]))
    image.remarks.append((f"a rectangle rotated by {degrees:g}° is read as the box around it", image.line))
    return _scaled(scaled, (1 / sides[0], 1 / sides[1]))


def _sides(image: ListedImage) -> tuple[float, float]:
    if image.size is None:
        raise ShapeError("is rotated, and needs 'original_width' and 'original_height'")
    return image.size


def _scaled(box: Box, sides: tuple[float, float]) -> Box:
    return box[0] * sides[0], box[1] * sides[1], box[2] * sides[0], box[3] * sides[1]


def _polygon(value: Mapping[str, Any], _: ListedImage) -> Box:
    points = value.get("points")
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise ShapeError("needs 'points': a list of [x, y]")
    numbers = [_percent({"x": x, "y": y}, "x", "y") for x, y in points]
    return polygon_box([x for x, _ in numbers], [y for _, y in numbers])


def _ellipse(value: Mapping[str, Any], image: ListedImage) -> Box:
    x, y, rx, ry = _percent(value, "x", "y", "radiusX", "radiusY")
    degrees = value.get("rotation") or 0
    if not is_number(degrees):
        raise ShapeError("has a 'rotation' that is not a number")
    if not degrees % 180:
        return ellipse_box(x, y, rx, ry)
    width, height = _sides(image)
    image.remarks.append((f"an ellipse rotated by {degrees:g}° is read as the box around it", image.line))
    box = ellipse_box(x * width, y * height, rx * width, ry * height, float(degrees))
    return _scaled(box, (1 / width, 1 / height))


_READERS: dict[str, Callable[[Mapping[str, Any], ListedImage], Box]] = {
    "rectangle": _rectangle,
    "polygon": _polygon,
    "ellipse": _ellipse,
}
