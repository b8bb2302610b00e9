"""A PNG that ends before its last row is refused, whichever kind it is; a whole one is read."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.data.deep_pixels import UnsupportedError
from lightdet.data.images import read_image
from lightdet.data.png_rows import count_rows
from lightdet.errors import UserError

DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8,), 3: (1, 2, 4, 8), 4: (8,), 6: (8,)}
KINDS = [(depth, colour) for colour, depths in DEPTHS.items() for depth in depths]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png(width: int, height: int, kind: tuple[int, int], rows: int, pieces: int = 1, value: int = 0) -> bytes:
    """An uninterlaced picture of one value whose data hold `rows` rows, in several pieces."""
    depth, colour = kind
    line = b"\0" + bytes([value]) * ((width * CHANNELS[colour] * depth + 7) // 8)
    packed = zlib.compress(line * rows)
    cuts = [len(packed) * i // pieces for i in range(pieces + 1)]
    palette = [(b"PLTE", bytes(3 << depth))] if colour == 3 else []
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = [(b"IDAT", packed[a:b]) for a, b in pairwise(cuts)]
    chunks = [(b"IHDR", head), *palette, *data, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


@given(st.integers(1, 40), st.integers(2, 40), st.sampled_from(KINDS), st.integers(1, 4), st.data())
def test_missing_rows_are_refused(
    width: int, height: int, kind: tuple[int, int], pieces: int, data: st.DataObject
) -> None:
    value = data.draw(st.integers(0, 255))
    assert read_image(png(width, height, kind, height, pieces, value), name="part.png").shape[:2] == (height, width)
    rows = data.draw(st.integers(0, height - 1))
    with pytest.raises(UserError, match=r"part\.png: .*(truncated|damaged)"):
        read_image(png(width, height, kind, rows, pieces, value), name="part.png")


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["L", "RGB", "RGBA", "1", "P"]))
def test_interlaced_ones_are_counted_by_pass(width: int, height: int, mode: str) -> None:
    """The rows of a pass are the pixels that Adam7's table gives it, counted one by one."""
    table = (
        (1, 6, 4, 6, 2, 6, 4, 6), (7, 7, 7, 7, 7, 7, 7, 7), (5, 6, 5, 6, 5, 6, 5, 6), (7, 7, 7, 7, 7, 7, 7, 7),
        (3, 6, 4, 6, 3, 6, 4, 6), (7, 7, 7, 7, 7, 7, 7, 7), (5, 6, 5, 6, 5, 6, 5, 6), (7, 7, 7, 7, 7, 7, 7, 7),
    )  # fmt: skip
    depth, colour = {"L": (8, 0), "RGB": (8, 2), "RGBA": (8, 6), "1": (1, 0), "P": (4, 3)}[mode]
    total = 0
    for each in range(1, 8):
        for y in range(height):
            columns = sum(table[y % 8][x % 8] == each for x in range(width))
            total += 1 + (columns * depth * CHANNELS[colour] + 7) // 8 if columns else 0
    whole = png(width, height, (depth, colour), 0)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 1)

    def with_bytes(count: int) -> bytes:
        packed = zlib.compress(bytes(count))
        return (
            whole[:8]
            + struct.pack(">I", 13)
            + b"IHDR"
            + head
            + bytes(4)
            + struct.pack(">I", len(packed))
            + (b"IDAT" + packed + bytes(4))
        )

    count_rows(with_bytes(total))
    with pytest.raises(UnsupportedError, match="last rows"):
        count_rows(with_bytes(total - 1))
