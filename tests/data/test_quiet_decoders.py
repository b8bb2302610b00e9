"""Broken pictures are told in one line: no decoder prints on the terminal, and no warning reaches the caller."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from lightdet.data.images import picture_facts, read_deep, read_image, read_pages
from lightdet.errors import UserError

DRAW = np.random.default_rng(7)
COLOURS = DRAW.integers(0, 256, (24, 32, 3), dtype=np.uint8)
DEEP = DRAW.integers(0, 65536, (24, 32, 3), dtype=np.uint16)


def saved(form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(COLOURS).save(stream, form, **options)
    return stream.getvalue()


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def kinds() -> list[bytes]:
    found = [
        tiff(pixels, compression=packing) for pixels in (COLOURS, DEEP, DEEP[..., 0]) for packing in (None, "zlib")
    ]
    found += [saved("TIFF", compression=packing) for packing in ("tiff_lzw", "packbits", "jpeg")]
    found += [tiff(COLOURS, tile=(16, 16), compression="zlib"), bytes(cv2.imencode(".png", DEEP)[1])]
    return [*found, saved("JPEG"), saved("PNG"), saved("GIF"), saved("WEBP"), saved("JPEG2000")]


def huge(width: int, height: int) -> bytes:
    """A PNG of so many pixels, as far as its header."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def broken() -> list[bytes]:
    found = [huge(13_000, 13_500), huge(30_000, 30_000), saved("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x09\0\x12\x01")]
    for data in kinds():
        found += [data, data[: len(data) * 2 // 3], data[:-9]]
        for _ in range(25):
            changed = bytearray(data)
            for place in (*DRAW.integers(4, min(400, len(data)), 2), DRAW.integers(4, len(data))):
                changed[place] = DRAW.choice([0, 1, 2, 8, 16, 255, changed[place] ^ 1])
            found.append(bytes(changed))
    return found


def test_nothing_but_our_own_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, refused = tmp_path / "a", 0
    readers: list[Callable[[bytes], object]] = [
        lambda _: picture_facts(path), read_deep, read_image, lambda data: list(read_pages(data))
    ]  # fmt: skip
    for data in broken():
        path.write_bytes(data)
        for reader in readers:
            try:
                reader(data)
            except UserError as error:
                refused += 1
                assert len(str(error).splitlines()) == 1
        assert capfd.readouterr() == ("", ""), data
    assert refused > 300


def test_also_where_nothing_takes_what_pillow_logs() -> None:
    """In a program of its own, for pytest takes all logging."""
    data = bytearray(tiff(COLOURS))
    place = data.index(struct.pack("<HHIH", 277, 3, 1, 3))  # samples per pixel
    data[place + 8 : place + 10] = struct.pack("<H", 300)
    script = (
        "import sys\nfrom lightdet.data.images import read_image\nfrom lightdet.errors import UserError\n"
        "try:\n    read_image(sys.stdin.buffer.read())\nexcept UserError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], input=bytes(data), capture_output=True, timeout=60, check=False
    )
    assert done.stderr == b"" and done.stdout.count(b"\n") == 1, done


def test_a_pointer_in_place_of_the_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    with pytest.raises(UserError, match="a pointer of Git LFS"):
        read_image(tmp_path / "a.jpg")
