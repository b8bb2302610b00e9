"""A part of a file that claims to be of gigabytes costs none."""

from __future__ import annotations

import io
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pil

from lightdet.data.bounded_reader import BoundedReader
from lightdet.data.images import image_size
from lightdet.errors import UserError


@given(st.binary(max_size=300), st.lists(st.tuples(st.integers(0, 400), st.integers(-1, 1 << 40)), max_size=6))
def test_it_reads_as_any_file_does(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, steps: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("bounded") / "file"
    path.write_bytes(data)
    plain = io.BytesIO(data)
    with BoundedReader(path) as reader:
        for place, size in steps:
            assert reader.seek(place) == plain.seek(place)
            assert reader.read(size) == plain.read(size)
        assert (reader.read(None), reader.tell()) == (plain.read(None), plain.tell())


@pytest.mark.parametrize("length", [0x7FFF_FFFF, 0x8000_002D, 0xFFFF_FFFF, 0x7FFF_002D])
def test_a_box_of_gigabytes_in_a_jpeg_2000(tmp_path: Path, length: int) -> None:
    path = tmp_path / "part.jp2"
    Pil.fromarray(np.zeros((17, 13, 3), np.uint8)).save(path)
    data = bytearray(path.read_bytes())
    place = data.index(b"jp2h") - 4
    data[place : place + 4] = struct.pack(">I", length)
    path.write_bytes(bytes(data))
    tracemalloc.start()
    try:
        try:
            assert image_size(path) == (13, 17)
        except UserError as error:
            assert "\n" not in str(error)
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()
