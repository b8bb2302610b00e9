"""HEIC and AVIF: the pixels that were written, upright, bounded before decoding, or one line that says what to do."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from lightdet.data import images, phone_formats
from lightdet.data.images import image_size, picture_facts, read_image, read_pages
from lightdet.data.phone_formats import phone_format, pillow_name
from lightdet.errors import UserError

pytest.importorskip("pi_heif", reason="reads HEIC; comes with the extra heic")
HEIC = Path(__file__).parent / "heic"
"""Of `PIXELS`, lossless, written once by pillow-heif 1.8: its encoder is GPL, and need not be installed for a test."""
BLOCKS = np.random.default_rng(1).integers(0, 256, (3, 5, 3), dtype=np.uint8)
PIXELS = BLOCKS.repeat(16, axis=0).repeat(16, axis=1)
GRAY = PIXELS[..., 0]
AVIF = pytest.param("AVIF", marks=pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF"))
KINDS = ["HEIC", AVIF]


def written(*pictures: np.ndarray, exif: Image.Exif | None = None) -> bytes:
    """An AVIF."""
    stream, (first, *others) = io.BytesIO(), [Image.fromarray(each) for each in pictures]
    extra: dict[str, Any] = {"exif": exif.tobytes()} if exif else {}
    first.save(stream, "AVIF", quality=100, subsampling="4:4:4", save_all=bool(others), append_images=others, **extra)
    return stream.getvalue()


def plain(kind: str) -> bytes:
    return (HEIC / "rgb.heic").read_bytes() if kind == "HEIC" else written(PIXELS)


@pytest.mark.parametrize("name", ["rgb", "gray", "rgba"])
def test_the_pixels_of_a_heic(name: str) -> None:
    path = HEIC / f"{name}.heic"
    found = read_image(path)
    colours = np.dstack([GRAY] * 3) if name == "gray" else PIXELS
    assert np.abs(found.astype(int) - colours).max() <= (1 if name == "gray" else 0)
    facts = picture_facts(path)
    assert (facts.size, facts.bits, facts.pages, facts.orientation) == ((80, 48), 8, 1, 1)


@pytest.mark.parametrize("pixels", [PIXELS, GRAY], ids=["RGB", "L"])
@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_the_pixels_of_an_avif(pixels: np.ndarray) -> None:
    found = read_image(written(pixels))
    colours = np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels
    assert np.abs(found.astype(int) - colours).max() <= 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright_and_the_header_tells_their_size(kind: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "a"
    turned = HEIC / f"turned-{orientation}.heic"
    path.write_bytes(turned.read_bytes() if kind == "HEIC" else written(PIXELS, exif=exif))
    upright = io.BytesIO()
    Image.fromarray(PIXELS).save(upright, "PNG", exif=exif)
    wanted = read_image(upright.getvalue())
    found = read_image(path)
    assert found.shape == wanted.shape and np.abs(found.astype(int) - wanted).max() <= 3
    assert image_size(path) == (found.shape[1], found.shape[0])


@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_of_a_file_in_order(kind: str) -> None:
    # of the HEIC the second is the one that phones show
    data = (HEIC / "two.heic").read_bytes() if kind == "HEIC" else written(PIXELS, PIXELS[::-1].copy())
    found = [(page.number, page.image) for page in read_pages(data)]
    assert [number for number, _ in found] == [1, 2]
    for (_, image), pixels in zip(found, (PIXELS, PIXELS[::-1]), strict=True):
        assert np.abs(image.astype(int) - pixels).max() <= 6
    with pytest.raises(UserError, match="holds 2 pictures"):
        read_image(data)


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_pixels_are_refused_by_the_header(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "opened_pixels", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UserError, match="80 x 48 pixels: larger than"):
        read_image(plain(kind), max_pixels=3000)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_one_line(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    data, draw = plain(kind), np.random.default_rng(2)
    broken = [data[:length] for length in range(12, len(data) - 1, 29)]
    for _ in range(60):
        changed = bytearray(data)
        for place in draw.integers(12, len(data), 3):
            changed[place] = draw.integers(256)
        broken.append(bytes(changed))
    refused = 0
    for each in broken:
        try:
            assert read_image(each).dtype == np.uint8
        except UserError as error:
            refused += 1
            assert len(str(error).splitlines()) == 1
    assert refused >= 10 and capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("kind", "says"), [("HEIC", "lightdet[heic]"), ("AVIF", "upgrade pillow")])
@pytest.mark.parametrize("name", ["a.heic", "a.jpg", "a.AVIF"])
def test_a_missing_decoder_is_named_by_what_the_file_is(
    kind: str, says: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "pillow_name", lambda _: None)
    brand = {"HEIC": b"mif1\0\0\0\0mif1heic", "AVIF": b"avif\0\0\0\0avifmif1"}[kind]
    (tmp_path / name).write_bytes(b"\0\0\0\x1cftyp" + brand + bytes(50))
    with pytest.raises(UserError) as caught:
        read_image(tmp_path / name)
    assert says in str(caught.value) and f"{kind} is read" in str(caught.value)


def test_decoders_are_looked_for_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(phone_formats, "import_module", none)
    assert pillow_name.__wrapped__("HEIC") is None
    assert phone_format(b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2mp41") is None and phone_format(b"\xff\xd8") is None
