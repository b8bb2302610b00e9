"""An entry of COCO's ``annotations``; its keys besides the box stay as they are."""

from __future__ import annotations

import json
from typing import Any

from lightdet.data.formats.coco import coco_box
from lightdet.labelling.elements.kind import Size
from lightdet.labelling.marks import Box


class CocoEntries:
    """Entries, each as JSON; `categories` gives the id of each class."""

    def __init__(self, categories: dict[str, int]) -> None:
        self.categories = categories

    def fresh(self, box: Box, name: str, size: Size) -> str:
        """An entry without id and picture: they are given when it is written."""
        return _text({"category_id": self.categories[name], **_shape(box), "iscrowd": 0})

    def renamed(self, element: str, name: str) -> str:
        """With another category."""
        entry = {**json.loads(element), "category_id": self.categories[name]}
        return _text(entry | ({"category_name": name} if "category_name" in entry else {}))

    def moved(self, element: str, box: Box, size: Size) -> str:
        """With another box; the outline and its key points go."""
        entry: dict[str, Any] = {**json.loads(element), **_shape(box)}
        return _text({key: value for key, value in entry.items() if key not in _OUTLINE})

    def is_outline(self, element: str) -> bool:
        """Entries with a segmentation or key points."""
        entry = json.loads(element)
        return any(entry.get(key) for key in _OUTLINE)


_OUTLINE = ("segmentation", "keypoints", "num_keypoints")


def _shape(box: Box) -> dict[str, Any]:
    x, y, width, height = coco_box(box)
    return {"bbox": [x, y, width, height], "area": width * height}


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
