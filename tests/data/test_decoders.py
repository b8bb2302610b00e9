"""Every way that pixels come in, against decoders that share no code with ours: right, or refused; never other pixels.

tifffile reads what tifffile, Pillow and OpenCV wrote; where no independent decoder reads a kind, the test holds the
pixels that were written.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from typing import Any

import cv2
import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from PIL import Image

from lightdet.data.images import read_deep, read_image
from lightdet.errors import UserError

RNG = np.random.default_rng(5)
SIDES = (9, 17)
TYPES = ("bool", "uint8", "uint16", "int8", "int16", "uint32", "int32", "float16", "float32")
PHOTOMETRIC = ("minisblack", "miniswhite", "rgb", "separated")


def drawn(kind: str, channels: int) -> Any:
    shape = SIDES if channels == 1 else (*SIDES, channels)
    if kind.startswith("float"):
        return RNG.random(shape).astype(kind)
    if kind == "bool":
        return RNG.random(shape) > 0.5
    limits = np.iinfo(kind)
    return RNG.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)


def tiffs(kind: str) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Every kind of TIFF that tifffile writes without further codecs."""
    kinds = itertools.product(
        (1, 2, 3, 4, 5), (None, "contig", "separate"), (None, "zlib", "predictor"), "<>", (None, (16, 16)), PHOTOMETRIC
    )
    for channels, planes, packing, order, tile, photometric in kinds:
        if (channels == 1) != (planes is None):
            continue
        pixels, stream = drawn(kind, channels), io.BytesIO()
        stored = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if planes == "separate" else pixels
        how = {"compression": "zlib" if packing else None, "predictor": packing == "predictor" or None}
        try:
            tifffile.imwrite(
                stream, stored, byteorder=order, tile=tile, photometric=photometric, planarconfig=planes, **how
            )
        except (ValueError, NotImplementedError, KeyError, AssertionError, TypeError):
            continue  # no such TIFF
        facts = {"channels": channels, "planes": planes, "photometric": photometric}
        yield facts | how | {"order": order, "tile": tile}, stream.getvalue()


def expected(data: bytes) -> Any:
    """What tifffile reads, as we promise it: 0 is black, alpha dropped, CMYK by the usual formula; None: no picture."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        pixels = page.asarray()
        photometric, planes = tifffile.PHOTOMETRIC(page.photometric).name, int(page.planarconfig)
    if planes == 2 and pixels.ndim == 3:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.dtype == bool:
        pixels = np.where(pixels, np.uint8(255), np.uint8(0))
    if pixels.dtype not in (np.uint8, np.uint16):
        return None
    if photometric == "MINISWHITE":
        pixels = np.iinfo(pixels.dtype).max - pixels
    if photometric == "SEPARATED":
        kept = 1 - pixels[..., :4] / 255
        return np.rint(kept[..., :3] * kept[..., 3:] * 255)
    if photometric.startswith("MINIS"):
        return None if pixels.ndim == 3 else pixels
    return pixels[..., :3]


@pytest.mark.parametrize("kind", TYPES)
def test_tiffs_like_tifffile_or_refused(kind: str) -> None:
    read = 0
    for facts, data in tiffs(kind):
        try:
            pixels, _ = read_deep(data)
        except UserError as error:
            assert "the picture is damaged" not in str(error), (facts, error)
            continue
        theirs = expected(data)
        assert theirs is not None, f"read, but what it shows is not known: {facts}"
        assert pixels.shape == theirs.shape, facts
        away = np.abs(pixels.astype(float) - theirs).max()
        assert away <= (1 if facts["photometric"] == "separated" else 0), (facts, away)
        read += 1
    assert (read > 0) == (kind in ("bool", "uint8", "uint16"))


def written() -> Iterator[tuple[str, Any, bytes]]:
    """Pictures by OpenCV and Pillow with the pixels that must come back; lossless kinds."""
    for kind, channels in itertools.product(("uint8", "uint16"), (1, 3, 4)):
        pixels = drawn(kind, channels)
        flipped = pixels if channels == 1 else pixels[..., [2, 1, 0, *range(3, channels)]]
        for suffix in (".png", ".tiff", ".ppm" if channels == 3 else ".pgm"):
            deep_colour = suffix == ".ppm" and kind == "uint16"  # has its own test: it comes with 8 bits
            if (channels < 4 or suffix == ".png") and not deep_colour:
                yield (
                    f"{suffix} {kind} {channels}",
                    pixels,
                    cv2.imencode(suffix, flipped, [cv2.IMWRITE_TIFF_COMPRESSION, 1])[1].tobytes(),
                )
    colours = drawn("uint8", 3)
    for form, options in (("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("PPM", {})):
        for mode in ("1", "L", "P", "RGB", "RGBA"):
            picture = Image.fromarray(colours).convert(mode)
            if (form, mode) in (("PPM", "P"), ("WEBP", "1"), ("WEBP", "P")):
                continue
            stream = io.BytesIO()
            picture.save(stream, form, **options)
            yield f"{form} {mode}", np.asarray(picture.convert("L" if mode in "1L" else "RGB")), stream.getvalue()
    for packing in ("tiff_lzw", "packbits", "tiff_deflate"):
        for mode in ("1", "L", "P", "RGB", "RGBA", "I;16"):
            picture = Image.fromarray(drawn("uint16", 1)) if mode == "I;16" else Image.fromarray(colours).convert(mode)
            stream = io.BytesIO()
            picture.save(stream, "TIFF", compression=packing)
            shown = picture if mode == "I;16" else picture.convert("L" if mode in "1L" else "RGB")
            yield f"TIFF {packing} {mode}", np.asarray(shown), stream.getvalue()


@pytest.mark.parametrize(("name", "pixels", "data"), [pytest.param(*each, id=each[0]) for each in written()])
def test_what_was_written_comes_back(name: str, pixels: Any, data: bytes) -> None:
    found, _ = read_deep(data)
    theirs = pixels[..., :3] if pixels.ndim == 3 else pixels
    gray = found[..., 0] if theirs.ndim == 2 and found.ndim == 3 else found
    assert np.array_equal(gray, theirs), name
    if name.startswith((".png", ".tiff")):  # by another decoder, too
        plugin = "tifffile" if name.startswith(".tiff") else "pillow"
        again = np.asarray(iio.imread(io.BytesIO(data), plugin=plugin))
        if again.dtype == found.dtype:
            assert np.array_equal(again[..., :3] if again.ndim == 3 else again, gray), name


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("top", [1, 15, 255, 256, 1023, 65535])
def test_pnm_of_every_depth(order: str, top: int) -> None:
    pixels = RNG.integers(0, top, SIDES, dtype=np.uint16, endpoint=True)
    stored = pixels.astype(">u2" if top > 255 else "u1").tobytes()
    text = " ".join(map(str, pixels.ravel().tolist())).encode()
    head = f"{SIDES[1]} {SIDES[0]}\n{top}\n".encode()
    data = b"P5\n" + head + stored if order == "big" else b"P2\n" + head + text
    wanted = np.rint(pixels * (255 / top))
    assert np.abs(read_image(data)[..., 0] - wanted).max() <= 1  # Pillow rescales on the way


@pytest.mark.parametrize("top", [256, 4095, 65535])
def test_deep_colour_of_pnm_is_scaled_by_its_own_depth(top: int) -> None:
    pixels = RNG.integers(0, top, (*SIDES, 3), dtype=np.uint16, endpoint=True)
    data = f"P6\n{SIDES[1]} {SIDES[0]}\n{top}\n".encode() + pixels.astype(">u2").tobytes()
    assert np.abs(read_image(data, bit_depth=12) - np.rint(pixels * (255 / top))).max() <= 1


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpegs_like_opencv(subsampling: int, progressive: bool, mode: str) -> None:
    smooth = cv2.resize(drawn("uint8", 3), (96, 64), interpolation=cv2.INTER_CUBIC)
    stream = io.BytesIO()
    picture = Image.fromarray(smooth).convert(mode)
    picture.save(stream, "JPEG", quality=90, subsampling=subsampling, progressive=progressive)
    theirs = cv2.imdecode(np.frombuffer(stream.getvalue(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(read_image(stream.getvalue()).astype(int) - theirs).max() <= 2
