"""What the header of an opened picture says: format, size as shown, bits, orientation, pages."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image as Pil

from lightdet.data.page_count import count_pages
from lightdet.data.quiet_warnings import quiet_warnings

EXCHANGED_SIDES = 5
"""EXIF orientations from this on swap width and height."""
_ORIENTATION, _BITS_PER_SAMPLE = 274, 258  # TIFF tags; the first is EXIF's too


@dataclass(frozen=True)
class PictureFacts:
    """The content of a picture's header.

    Attributes:
        format: ``JPEG``, ``PNG``, ...
        size: ``(width, height)`` as shown, after EXIF rotation.
        mode: Pillow's name of the pixel layout (``L``, ``RGB``, ``I;16``, ``P``, ``CMYK``, ...).
        bits: bits of one channel.
        orientation: EXIF orientation, 1 (upright) to 8.
        pages: pictures in the file (pages of a TIFF, frames of a GIF); a phone's JPEG with a preview counts as one.
    """

    format: str
    size: tuple[int, int]
    mode: str
    bits: int
    orientation: int
    pages: int


def header_facts(picture: Pil.Image, pages: int | None = None) -> PictureFacts:
    """Return the facts of the current page of `picture`; `pages`: how many there are, None: count them."""
    orientation = _orientation(picture)
    # Pillow rotates TIFFs itself, including the header's size; other formats are rotated here.
    turned = picture.format != "TIFF" and orientation >= EXCHANGED_SIDES
    width, height = picture.size
    return PictureFacts(
        format=picture.format or "",
        size=(height, width) if turned else (width, height),
        mode=picture.mode,
        bits=_bits(picture),
        orientation=orientation,
        pages=count_pages(picture) if pages is None else pages,
    )


def _orientation(picture: Pil.Image) -> int:
    """EXIF orientation 1-8 from the data before the pixels, so that header and whole file agree."""
    if picture.format == "TIFF":
        value = picture.tag_v2.get(_ORIENTATION, 1)  # type: ignore[attr-defined]
    elif isinstance(picture.info.get("exif"), bytes):
        exif = Pil.Exif()
        try:
            with quiet_warnings():
                exif.load(picture.info["exif"])
                value = exif.get(_ORIENTATION, 1)
        except Exception:  # a damaged EXIF block is ignored; the pixels are fine
            value = 1
    else:
        value = 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _bits(picture: Pil.Image) -> int:
    if picture.format == "TIFF":
        bits = picture.tag_v2.get(_BITS_PER_SAMPLE, (8,))  # type: ignore[attr-defined]
        return max(int(b) for b in bits) if isinstance(bits, tuple) else int(bits)
    tiles = getattr(picture, "tile", None)
    raw_mode = str(tiles[0][3]) if tiles else ""
    if picture.format == "PNG" and "16" in raw_mode:
        return 16
    if picture.mode.startswith("I"):
        return 16  # PGM above 8 bits
    return 1 if picture.mode == "1" else 8
