"""Keep the decoders' own messages about broken files off the terminal: we report what is wrong in one line."""

from __future__ import annotations

import ctypes
import logging
from functools import cache

import cv2
from PIL import _imaging


@cache
def quiet_decoders() -> None:
    """Silence OpenCV, Pillow's TIFF reader and the libtiff below it; done once, for the whole process.

    A program that has set up Pillow's logger still sees its messages. If Pillow contains libtiff statically (Windows),
    its functions cannot be reached, and it still prints.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # otherwise Python prints what no handler takes
    try:
        # A lookup in an extension module continues in the libraries that it is linked with.
        library = ctypes.CDLL(_imaging.__file__)
        setters = (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler)
    except (OSError, AttributeError):
        return
    for setter in setters:
        setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
        setter(None)
