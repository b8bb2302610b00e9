"""A JPEG that ends too early is refused, also where an end marker was put behind it; whole ones are read."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image as Pil

from lightdet.data.images import read_image
from lightdet.data.jpeg_segments import END, SCAN, jpeg_segments
from lightdet.errors import UserError

DRAW = np.random.default_rng(0)
NOISE = DRAW.integers(0, 256, (120, 136, 3), dtype=np.uint8)
SMOOTH = np.linspace(0, 255, 120 * 136 * 3).reshape(120, 136, 3).astype(np.uint8)
WHITE = np.full((120, 136, 3), 255, np.uint8)
SPOT = WHITE.copy()
SPOT[:20, :20] = 0
CORNER = WHITE.copy()
CORNER[-6:, -6:] = NOISE[-6:, -6:]
KINDS = {
    "baseline": {},
    "fine": {"subsampling": 0, "quality": 95},
    "coarse": {"quality": 5},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "progressive restarts": {"progressive": True, "restart_marker_rows": 1},
    "own tables": {"optimize": True},
}


def encoded(image: np.ndarray, mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    Pil.fromarray(image).convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@settings(max_examples=25, deadline=None)
@given(
    image=st.sampled_from([NOISE, SMOOTH, WHITE, SPOT, CORNER]),
    height=st.integers(1, 120),
    width=st.integers(1, 136),
    behind=st.sampled_from([b"", b"\0" * 100, b"\xff\xd8 another \xff\xd9"]),
)
def test_whole_ones_are_read(
    mode: str, options: dict[str, object], image: np.ndarray, height: int, width: int, behind: bytes
) -> None:
    data = encoded(image[-height:, -width:], mode, **options)
    with Pil.open(io.BytesIO(data)) as plain:
        wanted = np.asarray(plain.convert("RGB"))
    assert np.array_equal(read_image(data + behind), wanted)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("image", [NOISE, SMOOTH, SPOT], ids=["noise", "smooth", "spot"])
@settings(max_examples=40, deadline=None)
@given(share=st.floats(0.02, 1))
@example(share=0.12526954729429046)  # in the last column, of whose blocks a half lies outside the picture
@example(share=0.92)  # in the last row, whose missing blocks take on colour from the row above
def test_what_ends_early_is_refused_with_an_end_or_without(
    options: dict[str, object], image: np.ndarray, share: float
) -> None:
    data = encoded(image, **options)
    begins = next(end for marker, _, end in jpeg_segments(data, 0) if marker == SCAN)
    cut = data[: begins + round((len(data) - 2 - begins) * share)].rstrip(b"\xff")
    with pytest.raises(UserError, match="truncated"):
        read_image(cut)
    with Pil.open(io.BytesIO(data)) as opened:
        whole = np.asarray(opened).astype(int)
    try:
        with Pil.open(io.BytesIO(cut + b"\xff\xd9")) as opened:
            filled = np.asarray(opened)
    except OSError:
        filled = None  # cut within a header, which Pillow sees
    if filled is not None:
        rows, columns = np.nonzero(np.abs(filled - whole).max(axis=2) > 8)  # not the last bit of a few coefficients
        if not len(rows) or (rows.min() >= 111 and columns.min() >= 127):
            return  # nothing that can be seen is missing, or no more than the last block, smoothed into its neighbours
    with pytest.raises(UserError, match=r"truncated|damaged"):
        read_image(cut + b"\xff\xd9")


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@settings(max_examples=25, deadline=None)
@given(
    image=st.sampled_from([NOISE, SMOOTH, SPOT, WHITE]), share=st.floats(0, 1), fill=st.sampled_from([b"\0", b"\xff"])
)
def test_a_place_reserved_for_a_file_that_did_not_come_whole(
    mode: str, options: dict[str, object], image: np.ndarray, share: float, fill: bytes
) -> None:
    """Copies and cameras reserve a file's length first; decoders take the zeros for blocks."""
    data = encoded(image, mode, **options)
    begins = next(end for marker, _, end in jpeg_segments(data, 0) if marker == SCAN)
    came = begins + round((len(data) - 1 - begins) * share)
    with pytest.raises(UserError, match=r"truncated|damaged"):
        read_image(data[:came] + fill * (len(data) - came))


def test_scans_that_are_missing() -> None:
    data = encoded(NOISE, progressive=True)
    ends = [place for marker, place, _ in jpeg_segments(data, 0) if marker == SCAN]
    for place in ends[1:]:
        with pytest.raises(UserError, match="its last scans are missing"):
            read_image(data[: place - 4] + bytes((0xFF, END)))
