"""The strips or tiles of a TIFF page (TIFF 6.0, sections 3 and 15): where each lies, and what it must hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightdet.data.deep_pixels import UnsupportedError

_WIDTH, _HEIGHT, _BITS, _SAMPLES, _PLANAR = 256, 257, 258, 277, 284
_STRIPS, _ROWS, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 322, 323, 324, 325
_SEPARATE = 2


@dataclass(frozen=True)
class TiffParts:
    """The strips or tiles of one page, in the file's order.

    Attributes:
        offsets: where each begins.
        counts: bytes of each, as the file says; fewer than offsets where it does not say.
        needed: how many a page of this size has.
        width, height: pixels of a part; the last strip of a plane may have fewer rows, see `rows`.
        line: bytes of one row of a part.
        tiled: tiles, which are whole even beyond the picture's edges.
        page_height: rows of the page.
        page_bytes: bytes of its pixels, unpacked.
    """

    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    needed: int
    width: int
    height: int
    line: int
    tiled: bool
    page_height: int
    page_bytes: int

    def rows(self, index: int) -> int:
        """Rows that part `index` must hold."""
        if self.tiled:
            return self.height
        above = index % math.ceil(self.page_height / self.height) * self.height
        return min(self.height, self.page_height - above)


def tiff_parts(tags: Mapping[int, Any]) -> TiffParts:
    """Read where the parts of a page lie from its `tags`, as Pillow gives them.

    Raises:
        UnsupportedError: sizes are missing or not positive, or it has strips and tiles.
    """
    tiled = _TILES in tags
    if tiled != (_TILE_WIDTH in tags) or tiled == (_STRIPS in tags):
        raise UnsupportedError("the picture is damaged: it must have either strips or tiles; copy or export it again")
    width, height = tags.get(_WIDTH), tags.get(_HEIGHT)
    across, down = (tags.get(_TILE_WIDTH), tags.get(_TILE_HEIGHT)) if tiled else (width, tags.get(_ROWS, height))
    sizes = [each for each in (width, height, across, down) if isinstance(each, int) and each > 0]
    if len(sizes) < 4:
        raise UnsupportedError("the picture is damaged: the size of its strips or tiles; copy or export it again")
    part = (sizes[2], sizes[3] if tiled else min(sizes[3], sizes[1]))
    samples, bits = int(tags.get(_SAMPLES, 1)), _numbers(tags, _BITS) or (1,)
    planes = samples if tags.get(_PLANAR) == _SEPARATE else 1
    pixel = max(bits) if planes > 1 else sum(bits[:samples]) if len(bits) > 1 else bits[0] * samples
    return TiffParts(
        offsets=_numbers(tags, _TILES if tiled else _STRIPS),
        counts=_numbers(tags, _TILE_BYTES if tiled else _STRIP_BYTES),
        needed=math.ceil(sizes[0] / part[0]) * math.ceil(sizes[1] / part[1]) * planes,
        width=part[0],
        height=part[1],
        line=(part[0] * pixel + 7) // 8,
        tiled=tiled,
        page_height=sizes[1],
        page_bytes=(sizes[0] * pixel + 7) // 8 * sizes[1] * planes,
    )


def _numbers(tags: Mapping[int, Any], tag: int) -> tuple[int, ...]:
    value = tags.get(tag, ())
    return tuple(int(each) for each in (value if isinstance(value, tuple) else (value,)))
