"""What people said of a picture in their corrections: the boxes it should have, as far as that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

CorrectedBoxes: TypeAlias = list[Mapping[str, Any]]
"""``{"name", "box": [x1, y1, x2, y2]}`` each, in pixels of the picture."""


@dataclass(frozen=True)
class Truth:
    """What corrections say together.

    Attributes:
        corrected: whether any says something; remarks alone do not.
        boxes: all boxes that the picture should have; None: that is not known.
        contradicting: whether a later one says something else than an earlier one.
    """

    corrected: bool = False
    boxes: CorrectedBoxes | None = None
    contradicting: bool = False


def truth_of(corrections: Iterable[Mapping[str, Any]]) -> Truth:
    """Go through the corrections of one picture in the order of time; the newest that says something holds.

    OK without boxes says that there are none. NG without boxes says nothing of them: boxes of an earlier correction
    stay, but "no boxes" does not.
    """
    corrected = contradicting = False
    decision: str | None = None
    boxes: CorrectedBoxes | None = None
    for each in sorted(corrections, key=lambda one: str(one["id"])):
        verdict, said = each["decision"], each["boxes"]
        if verdict is None and said is None:
            continue
        if said is None and verdict == "OK":
            said = []
        differs = said is not None and boxes is not None and _sorted(said) != _sorted(boxes)
        contradicting |= differs or (None not in (verdict, decision) and verdict != decision)
        decision, corrected = verdict or decision, True
        boxes = (boxes or None) if said is None else said
    return Truth(corrected, boxes, contradicting)


def _sorted(boxes: CorrectedBoxes) -> list[tuple[Any, ...]]:
    return sorted((each["name"], *each["box"]) for each in boxes)
