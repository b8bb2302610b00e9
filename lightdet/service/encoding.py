"""Pictures for answers and records: made smaller, and encoded."""

from __future__ import annotations

import cv2

from lightdet.arrays import Image
from lightdet.web.errors import RefusalError

_JPEG_MAX_SIDE = 65_500


def shrink(image: Image, side: int) -> Image:
    """Return uint8 RGB ``[H, W, 3]`` with no side longer than `side`; smaller pictures as they are."""
    height, width = image.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def encode_jpeg(image: Image, quality: int) -> bytes:
    """Encode uint8 RGB ``[H, W, 3]`` as JPEG, or as PNG where it is too large for one.

    Raises:
        RefusalError: it cannot be encoded.
    """
    large = max(image.shape[:2]) > _JPEG_MAX_SIDE
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if large else [cv2.IMWRITE_JPEG_QUALITY, quality]
    good, data = cv2.imencode(".png" if large else ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not good:
        raise RefusalError(422, "bad_picture", "this picture cannot be encoded again; send it in another format")
    return data.tobytes()
