"""Keep the decoders' own lines about broken files off the terminal: what is wrong is told in one line of ours."""

from __future__ import annotations

import ctypes
import logging
from functools import cache

import cv2
from PIL import _imaging


@cache
def quiet_decoders() -> None:
    """Silence OpenCV, Pillow's TIFF reader and the libtiff below it; done once, for the whole process.

    A program that has set up Pillow's logger goes on seeing what it says. Where Pillow has libtiff inside (Windows),
    its functions cannot be reached, and it goes on printing.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # else Python prints what nobody else takes
    try:
        # A look-up in an extension module goes on in the libraries that it was linked with.
        library = ctypes.CDLL(_imaging.__file__)
        setters = (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler)
    except (OSError, AttributeError):
        return
    for setter in setters:
        setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
        setter(None)
