"""One picture opened, fully decoded and described; runs in threads, keeps a few kilobytes of each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightdet.arrays import AnyArray, FloatArray
from lightdet.data.audit.duplicates import thumbnail
from lightdet.data.images import read_deep, read_file
from lightdet.data.picture_header import PictureFacts
from lightdet.errors import UserError

_COLOUR_STEP = 48
"""Channels that differ by more than this make a pixel coloured; JPEG's rounding stays far below."""


@dataclass(frozen=True)
class PictureCheck:
    """The description of a picture; everything but `path` and `error` is empty if it cannot be read.

    Attributes:
        bytes_digest, pixels_digest: equal for equal files and for equal pixels.
        thumbnail: gray float32 ``[32, 32]``.
        peak: the largest value of a 16-bit picture, otherwise 0.
        colour: share of coloured pixels, 0-1.
    """

    path: Path
    error: UserError | None = None
    facts: PictureFacts | None = None
    bytes_digest: bytes | None = None
    pixels_digest: bytes | None = None
    thumbnail: FloatArray | None = None
    peak: int = 0
    colour: float = 0.0


def check_picture(path: Path) -> PictureCheck:
    """Decode `path` and describe it; never raises for a bad picture."""
    try:
        data = read_file(path)
        pixels, facts = read_deep(data, name=str(path))
    except UserError as error:
        return PictureCheck(path, error)
    except MemoryError:
        return PictureCheck(path, UserError("too large for this computer's memory", path=path))
    shape = f"{pixels.shape[:2]}{pixels.dtype}".encode()
    return PictureCheck(
        path,
        facts=facts,
        bytes_digest=hashlib.blake2b(data, digest_size=16).digest(),
        pixels_digest=hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16, key=shape[:64]).digest(),
        thumbnail=thumbnail(pixels),
        peak=int(pixels.max()) if pixels.dtype == np.uint16 else 0,
        colour=_colour_share(pixels),
    )


def check_pictures(
    paths: Sequence[Path], progress: Callable[[int, int], None] | None = None
) -> Generator[PictureCheck, None, None]:
    """Describe many pictures with a few threads (decoders release the lock), in order.

    `progress` is called with (pictures done, pictures in all). To stop early, close the generator: pictures
    not yet started are then left out.
    """
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        try:
            for count, check in enumerate(pool.map(check_picture, paths), start=1):
                if progress is not None:
                    progress(count, len(paths))
                yield check
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _colour_share(pixels: AnyArray) -> float:
    if pixels.ndim == 2 or pixels.dtype != np.uint8:
        return 0.0
    step = max(1, min(pixels.shape[:2]) // 256)
    sparse = pixels[::step, ::step]
    return float((sparse.max(axis=2).astype(np.int16) - sparse.min(axis=2) > _COLOUR_STEP).mean())
