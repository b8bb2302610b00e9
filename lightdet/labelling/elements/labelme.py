"""A shape of LabelMe's JSON; the picture inside the file and all other keys stay as they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lightdet.data.formats.labelme import rectangle
from lightdet.labelling.elements.kind import Size
from lightdet.labelling.marks import Box


class LabelmeShapes:
    """Shapes, each as JSON."""

    def split(self, text: str) -> list[str]:
        """Each shape."""
        return [_text(shape) for shape in json.loads(text.removeprefix("\ufeff"))["shapes"]]

    def joined(self, text: str, elements: Sequence[str]) -> str:
        """The file as LabelMe lays it out."""
        values: dict[str, Any] = json.loads(text.removeprefix("\ufeff"))
        values["shapes"] = [json.loads(element) for element in elements]
        return json.dumps(values, ensure_ascii=False, indent=2) + "\n"

    def empty(self, image_path: str, size: Size) -> str:
        """Without the picture in it."""
        head: dict[str, Any] = {"version": "5.5.0", "flags": {}, "shapes": [], "imagePath": image_path}
        return _text(head | {"imageData": None, "imageHeight": size[1], "imageWidth": size[0]})

    def fresh(self, box: Box, name: str, size: Size) -> str:
        """A rectangle."""
        return _text(rectangle(box, name))

    def renamed(self, element: str, name: str) -> str:
        """With another label."""
        return _text({**json.loads(element), "label": name})

    def moved(self, element: str, box: Box, size: Size) -> str:
        """A rectangle with the flags and the description of what it was."""
        shape: dict[str, Any] = json.loads(element)
        new = rectangle(box, shape["label"])
        return _text({**shape, **{key: new[key] for key in ("points", "shape_type", "mask")}})

    def is_outline(self, element: str) -> bool:
        """All but rectangles."""
        return bool(json.loads(element).get("shape_type", "polygon") != "rectangle")


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
