"""Any kind of picture from a caller → uint8 RGB ``[H, W, 3]``, or a message that says what is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from PIL import Image as Pil
from PIL import ImageOps

from lightdet.arrays import AnyArray, Image
from lightdet.data.images import read_image
from lightdet.errors import UserError

ImageLike: TypeAlias = "str | Path | bytes | AnyArray | Pil.Image"
"""A path, the bytes of a picture file, an array in RGB order (see `to_picture`), or a Pillow picture."""


def to_picture(image: ImageLike, *, bit_depth: int = 16) -> Image:
    """Return the picture as uint8 RGB ``[H, W, 3]``.

    Arrays are ``[H, W]`` or ``[H, W, 1]`` gray, ``[H, W, 3]`` RGB or ``[H, W, 4]`` RGBA (alpha is dropped), uint8
    or uint16; uint16 is scaled by ``255 / (2**bit_depth - 1)``. OpenCV reads pictures as BGR: convert them first.

    Raises:
        UserError: a file that cannot be read; an array of the wrong type or shape.
    """
    if isinstance(image, (str, Path, bytes)):
        return read_image(image, bit_depth=bit_depth)
    if isinstance(image, Pil.Image):
        image = _from_pillow(image)
    if not isinstance(image, np.ndarray):
        kind = f"{type(image).__module__}.{type(image).__name__}".removeprefix("builtins.")
        hint = "; give tensor.cpu().numpy(), uint8 [H, W, 3] with values 0-255" if kind.startswith("torch") else ""
        raise UserError(f"a picture must be a path, bytes, a numpy array or a Pillow picture, got {kind}{hint}")
    return _check_array(image, bit_depth)


def read_timed(image: ImageLike, bit_depth: int) -> tuple[Image, dict[str, float]]:
    """Return the picture, and the milliseconds of reading it (``read``; empty for an array).

    Raises:
        UserError: see `to_picture`.
    """
    start = time.perf_counter()
    picture = to_picture(image, bit_depth=bit_depth)
    return picture, {} if isinstance(image, np.ndarray) else {"read": (time.perf_counter() - start) * 1e3}


def check_several(images: Sequence[ImageLike]) -> None:
    """Refuse one picture where several are expected: a path would give its letters, an array its rows.

    Raises:
        UserError: a path, bytes, a Pillow picture, or an array that is or may be one picture.
    """
    if isinstance(images, (str, Path, bytes, Pil.Image)):
        raise UserError("batch takes a list of pictures; for one picture call predictor(picture)")
    if not isinstance(images, np.ndarray) or images.ndim not in (2, 3):
        return
    shape = "x".join(map(str, images.shape))
    if images.ndim == 2 or images.shape[2] in (1, 3, 4):
        raise UserError(
            f"batch takes several pictures, and an array of shape {shape} is one: call predictor(picture), or give "
            "batch a list or an array [B, H, W, 3]"
        )
    if images.shape[0] in (3, 4):
        raise UserError(
            f"an array of shape {shape} may be {images.shape[0]} gray pictures, or one with its channels first: give "
            "batch a list of pictures, or predictor(picture.transpose(1, 2, 0))"
        )


def _check_array(array: AnyArray, bit_depth: int) -> Image:
    shape = "x".join(map(str, array.shape))
    if np.issubdtype(array.dtype, np.floating):
        raise UserError(
            f"the picture has float values ({array.dtype}); give uint8 0-255: (image * 255).astype(numpy.uint8) "
            "if they lie in 0-1"
        )
    if array.dtype not in (np.uint8, np.uint16):
        raise UserError(f"the picture has values of type {array.dtype}; give uint8 (0-255) or uint16")
    if array.ndim == 4 and array.shape[0] == 1:
        raise UserError(f"the picture has shape {shape}; give one picture as image[0], or several to .batch(...)")
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3, 4):
        raise UserError(f"the picture has shape {shape}, channels first; give image.transpose(1, 2, 0)")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise UserError(f"the picture has shape {shape}; give [H, W], [H, W, 3] or [H, W, 4]")
    if 0 in array.shape:
        raise UserError(f"the picture is empty (shape {shape})")
    if array.dtype == np.uint16:
        # The same rounding as in `read_image`: an array gives the same values as its file.
        scaled = np.rint(array.astype(np.float64) * (255.0 / (2**bit_depth - 1)))
        array = np.minimum(scaled, 255).astype(np.uint8)
    if array.ndim == 2 or array.shape[2] == 1:
        return cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_GRAY2RGB)  # type: ignore[return-value]
    return array[:, :, :3]


def _from_pillow(picture: Pil.Image) -> AnyArray:
    if picture.mode == "I":  # converting it clips at 255, and it is unknown whether white is 255 or 65535
        raise UserError(
            "the Pillow picture has 32-bit pixels (mode I); give its path, or numpy.asarray(picture) as uint8 or uint16"
        )
    if picture.mode == "LAB":  # its white point is not given
        raise UserError("the Pillow picture has LAB colours; convert it to RGB with its own profile")
    try:
        picture = ImageOps.exif_transpose(picture)
        if picture.mode.startswith("I;16"):
            return np.asarray(picture).astype(np.uint16)  # in the byte order of this computer
        if picture.mode in ("L", "RGB", "RGBA", "F"):
            return np.asarray(picture)
        return np.asarray(picture.convert("RGBA" if "transparency" in picture.info else "RGB"))
    except (OSError, ValueError) as error:
        raise UserError(f"the Pillow picture cannot be decoded: {error}") from None
