"""A window that shows marked-up pictures as they are made."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Self

import cv2

from lightdet.arrays import Image
from lightdet.errors import UserError
from lightdet.missing import how_to_install

_END_KEYS = (27, ord("q"))
"""Escape and q."""


class Window:
    """Shows pictures until it is closed: Escape or q ends, any other key goes to the next picture.

    Raises:
        UserError: this OpenCV has no windows, or there is no screen.
    """

    def __init__(self, title: str = "lightdet") -> None:
        if not cv2.currentUIFramework():
            raise UserError(
                f"--show: this OpenCV is built without windows; {how_to_install('gui')}, or leave --show out and "
                "look at the files in the output folder"
            )
        # Without a screen some builds kill the whole process instead of raising, so check first.
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise UserError("--show: there is no screen here (DISPLAY is not set); leave out --show")
        self.title = title
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error:
            raise UserError("--show: no window can be opened on this screen; leave out --show") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the window."""
        cv2.destroyAllWindows()

    def show(self, image: Image, moving: bool) -> bool:
        """Show uint8 RGB ``[H, W, 3]``; wait for a key unless it is `moving` (a video). False: end."""
        cv2.imshow(self.title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        while True:
            key = cv2.waitKey(1 if moving else 50)
            if key in _END_KEYS or cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1:
                return False
            if moving or key >= 0:
                return True
