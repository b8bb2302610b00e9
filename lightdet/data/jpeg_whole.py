"""Whether a JPEG holds all of its pixels: decoders silently fill up what is missing before an end marker.

Appending data to its scans changes nothing if all blocks were present: that shows what is missing. It costs a second
decoding, so a JPEG with one scan gets it only if its last block has no details, since a filled-up block has none;
a cut within the very last blocks (16 x 16 pixels) is not detected, nor is the last bit of some coefficients.
"""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image as Pil

from lightdet.arrays import AnyArray
from lightdet.data.deep_pixels import UnsupportedError
from lightdet.data.jpeg_segments import END, FRAMES, PROGRESSIVE, RESTART_INTERVAL, SCAN, jpeg_segments
from lightdet.data.quiet_warnings import quiet_warnings

_COEFFICIENTS, _BLOCK = 64, 8
_JUNK = bytes.fromhex("5aa9c3713e8d1bb4d26687f0095ce12d")
"""Entropy-coded data that belong to no picture."""
_LONG_JUNK = _JUNK * 16
"""As much as some blocks take: at the picture's edges there are blocks outside it, whose change is not seen."""
_RESTARTS = range(0xD0, 0xD8)
_SEGMENT_END = re.compile(rb"\xff[^\x00\xff]")
"""The end of entropy-coded data: any marker, including restarts; any number of 0xFF may precede it."""


def check_whole(pixels: AnyArray, data: bytes) -> None:
    """Refuse a JPEG whose scans do not hold all of its blocks, or whose last scans or end are missing.

    Args:
        pixels: as decoded, before rotation or conversion.
        data: the file.

    Raises:
        UnsupportedError: it is one.
    """
    ends, simple = _scans(data)
    if simple and not _is_flat(pixels):
        return
    with quiet_warnings():
        again = Pil.open(io.BytesIO(_with_junk(data, ends)))
    with again:
        if not np.array_equal(np.asarray(again), pixels):
            raise UnsupportedError("the picture is truncated: a part of its pixels is missing; copy or export it again")


def _scans(data: bytes) -> tuple[list[int], bool]:
    """Where the entropy-coded data of each scan begin, and whether it is one scan of complete blocks without restarts.

    Raises:
        UnsupportedError: a component has no scan, or (progressive) not all bits of all coefficients; no end marker.
    """
    starts, restarts, progressive, marker = [], False, False, 0
    missing: dict[int, list[int]] = {}
    for marker, place, end in jpeg_segments(data, 0):
        if marker in FRAMES:
            progressive = marker in PROGRESSIVE
            missing = {data[place + 6 + 3 * i]: [-1] * _COEFFICIENTS for i in range(data[place + 5])}
        elif marker == RESTART_INTERVAL:
            restarts = restarts or data[place : place + 2] != b"\0\0"
        elif marker == SCAN:
            starts.append(end)
            components = [data[place + 1 + 2 * i] for i in range(data[place])]
            first, last, bits = data[end - 3 : end]
            for component in components:
                if component in missing:
                    low = bits & 15 if progressive else 0
                    last = last if progressive else _COEFFICIENTS - 1
                    missing[component][first : last + 1] = [low] * (last + 1 - first)
    if marker != END:  # decoders take the zeros of a place reserved for the rest of a file for blocks
        raise UnsupportedError("the picture is truncated: its end is missing; copy or export it again")
    if any(low != 0 for coefficients in missing.values() for low in coefficients):
        raise UnsupportedError("the picture is truncated: its last scans are missing; copy or export it again")
    return starts, len(starts) == 1 and not progressive and not restarts


def _is_flat(pixels: AnyArray) -> bool:
    """Whether the block in the last corner has a single value, as a filled-up block has.

    Its first row and column do not count: colour at half the resolution is smoothed into them from their neighbours.
    """
    height, width = ((length - 1) // _BLOCK * _BLOCK + 1 for length in pixels.shape[:2])
    corner = pixels[height:, width:]
    return bool((corner == corner[:1, :1]).all())


def _with_junk(data: bytes, starts: list[int]) -> bytes:
    """Append data to all entropy-coded data: ignored if those are complete, otherwise read as the missing ones."""
    parts, done = [], 0
    for start in starts:
        place, restarts = start, 0
        while found := _SEGMENT_END.search(data, place):
            restart = data[found.end() - 1] in _RESTARTS
            restarts += restart
            end = place + len(data[place : found.start()].rstrip(b"\xff"))
            parts += [data[done:end], _JUNK if restart else _junk_at_end(restarts)]
            done, place = end, found.end()
            if not restart:
                break
    return b"".join([*parts, data[done:]])


def _junk_at_end(restarts: int) -> bytes:
    """Data for a scan that ends after so many restarts, also behind the next markers, of which the first is due."""
    due = [_RESTARTS[(restarts + each) % len(_RESTARTS)] for each in range(len(_RESTARTS))]
    return _LONG_JUNK * 4 + b"".join(bytes((0xFF, marker)) + _LONG_JUNK for marker in due)
