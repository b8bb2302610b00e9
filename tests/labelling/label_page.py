"""The labelling page as a test uses it, and the boxes that it wrote."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from label_folders import SIZE


class Page:
    """The page with the picture's own coordinates."""

    def __init__(self, page: Any) -> None:
        self.page = page
        page.locator(".a9s-annotationlayer").wait_for()

    def at(self, x: float, y: float) -> tuple[float, float]:
        bounds = self.page.locator(".a9s-annotationlayer").bounding_box()
        return bounds["x"] + x * bounds["width"] / SIZE[0], bounds["y"] + y * bounds["height"] / SIZE[1]

    def drag(self, start: tuple[float, float], end: tuple[float, float], button: str = "left") -> None:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down(button=button)
        self.page.mouse.move(*self.at((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), steps=3)
        self.page.mouse.move(*self.at(*end), steps=3)
        self.page.mouse.up(button=button)

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self, word: str = "Saved") -> None:
        self.page.locator("#saved", has_text=re.compile(f"^{word}$")).wait_for()

    def names(self) -> list[str]:
        found: list[str] = self.page.locator("#boxes .what").all_inner_texts()
        return found


def rows(folder: Path, stem: str) -> list[tuple[int, list[int]]]:
    """The boxes of a YOLO file in whole pixels."""
    found = []
    for row in next(folder.rglob(f"{stem}.txt")).read_text().splitlines():
        label, *shares = row.split()
        cx, cy, w, h = map(float, shares)
        box = [(cx - w / 2) * SIZE[0], (cy - h / 2) * SIZE[1], (cx + w / 2) * SIZE[0], (cy + h / 2) * SIZE[1]]
        found.append((int(label), [round(value) for value in box]))
    return found


def near(found: list[tuple[int, list[int]]], wanted: list[tuple[int, list[int]]]) -> bool:
    """Whether boxes agree to two pixels: a screen has no finer ones here."""
    return [label for label, _ in found] == [label for label, _ in wanted] and all(
        abs(a - b) <= 2 for (_, one), (_, two) in zip(found, wanted, strict=True) for a, b in zip(one, two, strict=True)
    )
