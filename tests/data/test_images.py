"""Pictures of every kind, whole and broken."""

from __future__ import annotations

import io
import struct
import threading
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pil
from PIL import ImageOps

from lightdet.data.images import image_size, picture_facts, read_deep, read_file, read_image
from lightdet.errors import UserError

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8)
GRAY = RGB[:, :, 0]
DEEP = RNG.integers(0, 65536, (30, 40), dtype=np.uint16)
DEEP_RGB = RNG.integers(0, 65536, (30, 40, 3), dtype=np.uint16)


def encoded(picture: Pil.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def png(array: np.ndarray) -> bytes:
    """By OpenCV, which writes 16 bits; colours go in as RGB."""
    flipped = array if array.ndim == 2 else array[..., [2, 1, 0, *range(3, array.shape[2])]]
    return bytes(cv2.imencode(".png", flipped)[1].tobytes())


def tiff(array: np.ndarray, orientation: int = 1, bits: int = 16, photometric: int | None = None) -> bytes:
    """A bare little-endian TIFF, written from the specification."""
    height, width = array.shape[:2]
    channels = 1 if array.ndim == 2 else array.shape[2]
    data = array.astype("<u2").tobytes()
    behind = 8 + 2 + 10 * 12 + 4
    photometric = (1 if channels == 1 else 2) if photometric is None else photometric
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, channels, bits if channels == 1 else behind)]
    entries += [(259, 3, 1, 1), (262, 3, 1, photometric), (273, 4, 1, behind + 2 * channels)]
    entries += [(274, 3, 1, orientation), (277, 3, 1, channels), (278, 3, 1, height), (279, 4, 1, len(data))]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries)
    return head + struct.pack("<I", 0) + struct.pack(f"<{channels}H", *[bits] * channels) + data


def scaled(deep: np.ndarray, depth: int) -> np.ndarray:
    """The promised formula, in exact arithmetic."""
    top = 2**depth - 1
    return np.array([[min(255, round(int(v) * 255 / top)) for v in row] for row in deep.tolist()], dtype=np.uint8)


def test_colours_come_as_rgb() -> None:
    assert np.array_equal(read_image(encoded(Pil.fromarray(RGB), "PNG")), RGB)


@pytest.mark.parametrize("form", ["BMP", "TIFF", "PPM", "WEBP"])
def test_other_lossless_formats(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    assert np.array_equal(read_image(encoded(Pil.fromarray(RGB), form, **options)), RGB)


def test_gray_is_repeated() -> None:
    assert np.array_equal(read_image(encoded(Pil.fromarray(GRAY), "PNG")), np.stack([GRAY] * 3, axis=2))


def test_one_bit_is_black_and_white() -> None:
    bits = GRAY > 127
    result = read_image(encoded(Pil.fromarray(bits), "PNG"))
    assert np.array_equal(result[:, :, 1], np.where(bits, 255, 0))


def test_palette_is_looked_up() -> None:
    picture = Pil.fromarray(GRAY // 64).convert("P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    expected = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [100, 110, 120]], np.uint8)[GRAY // 64]
    assert np.array_equal(read_image(encoded(picture, "PNG")), expected)
    # Transparency of palette entries makes Pillow warn on the direct way, and warnings are errors here.
    assert np.array_equal(read_image(encoded(picture, "PNG", transparency=b"\x00\x80")), expected)


def test_alpha_is_dropped_and_colours_kept() -> None:
    alpha = np.zeros((30, 40, 1), np.uint8)
    assert np.array_equal(read_image(encoded(Pil.fromarray(np.concatenate([RGB, alpha], axis=2)), "PNG")), RGB)
    two = Pil.merge("LA", [Pil.fromarray(GRAY), Pil.fromarray(alpha[:, :, 0])])
    assert np.array_equal(read_image(encoded(two, "PNG"))[:, :, 2], GRAY)


def test_cmyk_jpeg_becomes_rgb() -> None:
    flat = Pil.new("RGB", (32, 32), (200, 40, 90))
    result = read_image(encoded(flat.convert("CMYK"), "JPEG", quality=95))
    assert np.abs(result.astype(int) - [200, 40, 90]).max() < 12


@pytest.mark.parametrize("depth", [10, 12, 16])
@pytest.mark.parametrize("form", ["png", "tiff"])
def test_sixteen_bit_gray_is_scaled_by_depth(form: str, depth: int) -> None:
    data = png(DEEP) if form == "png" else tiff(DEEP)
    result = read_image(data, bit_depth=depth)
    assert result.dtype == np.uint8
    assert np.array_equal(result[:, :, 0], scaled(DEEP, depth))


@pytest.mark.parametrize("form", ["png", "tiff"])
def test_sixteen_bit_colour_keeps_channel_order(form: str) -> None:
    data = png(DEEP_RGB) if form == "png" else tiff(DEEP_RGB)
    result = read_image(data, bit_depth=12)
    for channel in range(3):
        assert np.array_equal(result[:, :, channel], scaled(DEEP_RGB[:, :, channel], 12))


def test_sixteen_bit_alpha_is_dropped() -> None:
    four = np.concatenate([DEEP_RGB, DEEP_RGB[:, :, :1]], axis=2)
    assert np.array_equal(read_image(png(four)), read_image(png(DEEP_RGB)))


def test_eight_bits_ignore_the_depth() -> None:
    assert np.array_equal(read_image(png(GRAY), bit_depth=10)[:, :, 0], GRAY)


def test_deep_pgm_tells_its_own_depth() -> None:
    twelve = (DEEP >> 4).astype(np.uint16)
    pgm = b"P5\n40 30\n4095\n" + twelve.astype(">u2").tobytes()
    difference = read_image(pgm)[:, :, 0].astype(int) - scaled(twelve, 12)
    assert np.abs(difference).max() <= 1  # Pillow rescales on the way
    assert np.array_equal(read_image(pgm, bit_depth=12), read_image(pgm))


def test_white_is_zero_tiff_is_turned_over() -> None:
    assert np.array_equal(read_image(tiff(DEEP, photometric=0)), 255 - read_image(tiff(DEEP)))


def test_read_deep_keeps_sixteen_bits() -> None:
    pixels, facts = read_deep(png(DEEP))
    assert pixels.dtype == np.uint16 and np.array_equal(pixels, DEEP)
    assert (facts.bits, facts.size, facts.format) == (16, (40, 30), "PNG")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_exif_orientation(form: str, orientation: int, tmp_path: Path) -> None:
    picture = Pil.fromarray(RGB)
    exif = Pil.Exif()
    exif[274] = orientation
    options = {"lossless": True} if form == "WEBP" else {}
    path = tmp_path / f"turned.{form.lower()}"
    picture.save(path, form, exif=exif, **options)
    expected = np.asarray(ImageOps.exif_transpose(Pil.open(path)).convert("RGB"))
    result = read_image(path)
    assert np.array_equal(result, expected)
    assert image_size(path) == (result.shape[1], result.shape[0])
    assert picture_facts(path).orientation == orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [DEEP, DEEP_RGB], ids=["gray", "colour"])
def test_orientation_of_sixteen_bit_tiffs(deep: np.ndarray, orientation: int) -> None:
    plain = read_image(tiff(deep))
    exif = Pil.Exif()
    exif[274] = orientation
    expected = ImageOps.exif_transpose(Pil.open(io.BytesIO(encoded(Pil.fromarray(plain), "PNG", exif=exif))))
    assert np.array_equal(read_image(tiff(deep, orientation)), np.asarray(expected))


def test_damaged_exif_is_no_reason_to_refuse() -> None:
    data = encoded(Pil.fromarray(RGB), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    assert read_image(data).shape == RGB.shape


def test_result_can_be_written_to_and_is_contiguous() -> None:
    exif = Pil.Exif()
    exif[274] = 6
    for data in (png(GRAY), png(RGB), png(DEEP), encoded(Pil.fromarray(RGB), "JPEG", exif=exif)):
        result = read_image(data)
        assert result.flags.c_contiguous and result.flags.writeable


@pytest.mark.parametrize("name", ["größe.png", "欠陥 1.png", "trailing dot..png", "é.PNG"])
def test_names_of_any_script(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(png(RGB))
    assert np.array_equal(read_image(path), RGB)
    assert np.array_equal(read_image(str(path)), RGB)


def check_refused(action: Callable[[], object], *parts: str) -> str:
    with pytest.raises(UserError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def test_missing_folder_and_empty_are_told_apart(tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    for read in (read_image, image_size, read_file):
        check_refused(lambda read=read: read(tmp_path / "none.png"), "none.png: no such picture")
        check_refused(lambda read=read: read(tmp_path), "not a file")
        check_refused(lambda read=read: read(empty), "empty.png: the picture is empty")
    check_refused(lambda: read_image("a\0b.png"), "cannot be read")
    check_refused(lambda: read_image(b"", name="upload.png"), "upload.png: the picture is empty")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM", "GIF"])
def test_truncated_at_any_place(form: str) -> None:
    data = encoded(Pil.fromarray(RGB), form)
    for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9):
        cut = data[: max(1, int(share * len(data)))]
        check_refused(lambda cut=cut: read_image(cut, name="cut.bin"), "cut.bin: ")


def test_truncated_jpeg_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "half.jpg"
    path.write_bytes(encoded(Pil.fromarray(RGB), "JPEG")[:-300])
    check_refused(lambda: read_image(path), "half.jpg: the picture is truncated; copy or export it again")
    assert image_size(path) == (40, 30)  # the header is whole


def test_truncated_sixteen_bit(tmp_path: Path) -> None:
    for data in (png(DEEP), png(DEEP_RGB), tiff(DEEP), tiff(DEEP_RGB)):
        check_refused(lambda data=data: read_image(data[: len(data) // 2]))


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "text.jpg"
    path.write_text("this is no picture\n" * 10)
    check_refused(lambda: read_image(path), "text.jpg: not a picture", "JPEG, PNG")
    check_refused(lambda: image_size(path), "text.jpg: not a picture")
    # Formats of Pillow that call other programs or are rare stay closed.
    check_refused(lambda: read_image(encoded(Pil.fromarray(RGB), "EPS")), "not a picture")


def test_wrong_checksum_is_damage() -> None:
    data = bytearray(encoded(Pil.fromarray(RGB), "PNG"))
    data[29] ^= 0xFF  # IHDR's checksum
    check_refused(lambda: read_image(bytes(data), name="bad.png"), "bad.png: ")


def test_pixels_that_are_no_bytes() -> None:
    floats = encoded(Pil.fromarray(GRAY.astype(np.float32)), "TIFF")
    check_refused(lambda: read_image(floats, name="f.tiff"), "f.tiff: ", "8 or 16")
    words = encoded(Pil.fromarray(GRAY.astype(np.int32)), "TIFF")
    check_refused(lambda: read_image(words, name="w.tiff"), "w.tiff: ", "8 or 16")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_sixteen_bit_gray_with_alpha() -> None:
    rows = b"".join(b"\0" + np.stack([row, row[::-1]], axis=1).astype(">u2").tobytes() for row in DEEP)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 30, 16, 4, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.array_equal(read_image(data, bit_depth=12)[:, :, 0], scaled(DEEP, 12))


def test_several_pictures_in_a_file_are_refused(tmp_path: Path) -> None:
    pictures = [Pil.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (10, 200, 90)]
    for name, pages in (("a.tiff", 3), ("a.gif", 3), ("a.webp", 3), ("a.png", 3), ("phone.jpg", 1)):
        form = "MPO" if name == "phone.jpg" else None
        pictures[0].save(tmp_path / name, form, save_all=True, append_images=pictures[1:])
        assert read_deep(tmp_path / name)[1].pages == picture_facts(tmp_path / name).pages == pages
        if pages > 1:
            check_refused(lambda name=name: read_image(tmp_path / name), f"{name}: ", "holds 3 pictures; save each")
        else:
            assert abs(int(read_image(tmp_path / name).mean()) - 10) <= 2


def deep_tiff(planes: np.ndarray, *, separate: bool, photometric: int = 2, compression: int = 1) -> bytes:
    """A little-endian TIFF of uint16 ``[3, H, W]``, its samples in one plane or in three, a strip for each."""
    _, height, width = planes.shape
    strips = list(planes) if separate else [np.moveaxis(planes, 0, -1)]
    body = [np.ascontiguousarray(strip).astype("<u2").tobytes() for strip in strips]
    extra = 8 + 2 + 12 * 10 + 4  # behind header and directory: bits, then places and lengths of the strips
    start = extra + 6 + 8 * len(body)
    places = [start + sum(map(len, body[:n])) for n in range(len(body))]
    one = len(body) == 1
    table = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, extra), (259, 3, 1, compression), (262, 3, 1, photometric),
        (273, 4, len(body), places[0] if one else extra + 6), (277, 3, 1, 3), (278, 3, 1, height),
        (279, 4, len(body), len(body[0]) if one else extra + 6 + 4 * len(body)), (284, 3, 1, 2 if separate else 1),
    ]  # fmt: skip
    head = struct.pack("<2sHIH", b"II", 42, 8, len(table)) + b"".join(struct.pack("<HHII", *row) for row in table)
    lists = struct.pack(f"<3H{2 * len(body)}I", 16, 16, 16, *places, *map(len, body))
    return head + struct.pack("<I", 0) + lists + b"".join(body)


def test_deep_tiffs_are_read_right_or_refused(capfd: pytest.CaptureFixture[str]) -> None:
    planes = np.moveaxis(DEEP_RGB, -1, 0)
    read = read_image(deep_tiff(planes, separate=False), name="a.tif")
    assert np.array_equal(read, np.rint(DEEP_RGB * (255 / 65535)).astype(np.uint8))
    for more, word in (
        ({"separate": True}, "with separate planes"),
        ({"separate": False, "compression": 50000}, "whose compression is none of"),
        ({"separate": False, "photometric": 8}, ""),  # LAB
    ):
        check_refused(lambda more=more: read_image(deep_tiff(planes, **more), name="a.tif"), "a.tif: ", word)
    assert capfd.readouterr().err == ""  # OpenCV's own lines


def huge_png(width: int, height: int) -> bytes:
    """A sound header of a picture that would fill the memory."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [13_400, 20_000, 60_000])
def test_bombs_are_refused_before_decoding(side: int, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(huge_png(side, side))
    start = time.process_time()
    check_refused(lambda: read_image(path), "bomb.png: ", "larger than 178 million pixels")
    check_refused(lambda: image_size(path), "larger than 178 million pixels")
    assert time.process_time() - start < 1


def test_large_but_allowed_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_refused(lambda: read_image(huge_png(10_000, 10_000)), "truncated")  # past Pillow's warning


def test_callers_can_bound_tighter(tmp_path: Path) -> None:
    data = png(RGB)
    check_refused(lambda: read_image(data, max_pixels=1000, name="u"), "u: 40 x 30 pixels")
    check_refused(lambda: read_image(data, max_bytes=100, name="u"), "u: the picture is larger than")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    check_refused(lambda: read_image(path, max_bytes=100), "a.png: the picture is larger than")


def test_threads_leave_the_warning_filters_alone() -> None:
    exif = Pil.Exif()
    exif[274] = 6
    data = encoded(Pil.fromarray(RGB), "JPEG", exif=exif)
    before = list(warnings.filters)
    shapes: list[tuple[int, ...]] = []
    threads = [
        threading.Thread(target=lambda: shapes.extend(read_image(data).shape for _ in range(20))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shapes) == 160
    assert list(warnings.filters) == before


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM"]), st.data())
def test_damaged_bytes_never_escape_as_another_error(form: str, data: st.DataObject) -> None:
    broken = bytearray(encoded(Pil.fromarray(RGB[:8, :8]), form))
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        result = read_image(bytes(broken), max_pixels=1_000_000)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert result.dtype == np.uint8 and result.ndim == 3 and result.shape[2] == 3


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(UserError):
        read_image(data)
