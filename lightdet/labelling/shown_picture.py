"""A picture's file as a browser can show it."""

from __future__ import annotations

import hashlib
import os

import cv2

from lightdet import __version__
from lightdet.data.headers import checked_facts
from lightdet.data.images import read_file, read_image
from lightdet.labelling.pictures import Picture

_SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "BMP": "image/bmp"}
"""Formats that every browser shows, in the colours in which lightdet reads them."""
_PLAIN = ("L", "RGB", "P", "1")


def shown_picture(picture: Picture, bit_depth: int) -> tuple[bytes, str]:
    """Return a file and its media type: the picture's own if browsers show it, or else a PNG of its pixels.

    Args:
        picture: the picture.
        bit_depth: significant bits of 16-bit pictures, as `lightdet.data.images.read_image` takes them.

    Raises:
        UserError: it cannot be read.
    """
    facts = checked_facts(picture.path)
    own = picture.path.suffix.lower() != ".json"  # LabelMe's files may hold their picture
    upright = facts.orientation == 1 or facts.format == "JPEG"  # browsers turn other formats or do not
    if own and upright and facts.format in _SHOWN and facts.mode in _PLAIN and facts.bits <= 8:
        return read_file(picture.path), _SHOWN[facts.format]
    pixels = read_image(picture.path, bit_depth=bit_depth)
    _, data = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes(), "image/png"


def picture_tag(picture: Picture, bit_depth: int) -> str:
    """Return 16 hexadecimal digits for what `shown_picture` returns: others for another file, of the same name too."""
    try:
        found = picture.path.stat()
        state = [found.st_mtime_ns, found.st_size, found.st_ino]
    except OSError:  # `shown_picture` says so
        state = []
    facts = repr((picture.path.absolute(), state, bit_depth, __version__))
    return hashlib.sha256(os.fsencode(facts)).hexdigest()[:16]
