"""The segments of a JPEG (ITU T.81, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator

FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers that are followed by the size (table B.1)."""
PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
SCAN, END, RESTART_INTERVAL = 0xDA, 0xD9, 0xDD
_TEMPORARY, _START = 0x01, 0xD8
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""A marker that is neither an escaped 0xFF in entropy-coded data (``ff 00``) nor a restart.

Any number of 0xFF may precede it; a pattern with ``\xff+`` would take a quadratic time for a long row of them.
"""


def jpeg_segments(data: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield marker, where its parameters begin and where it ends, of each segment to the end of the picture."""
    place = start + 2
    while found := _NEXT_MARKER.search(data, place):  # skips entropy-coded data, and anything that is not a marker
        marker, begin = data[found.end() - 1], found.end()
        alone = marker == END or marker in (_TEMPORARY, _START)
        place = begin if alone else begin + max(2, int.from_bytes(data[begin : begin + 2], "big"))
        yield marker, begin + 2, place
        if marker == END:
            return
