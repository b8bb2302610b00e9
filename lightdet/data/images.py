"""Pictures from files or bytes, as all other modules use them: uint8 RGB, upright, checked and bounded.

Pillow reads headers and pixels because it reports a truncated file, whereas OpenCV fills the rest with gray.
`lightdet.data.deep_pixels` takes over if Pillow would reduce to 8 bits. Nothing large is decoded before its size is
known.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from PIL import Image as Pil
from PIL import UnidentifiedImageError

from lightdet.arrays import AnyArray, Image
from lightdet.data.bounded_reader import BoundedReader
from lightdet.data.decoding_work import check_work
from lightdet.data.deep_pixels import UnsupportedError
from lightdet.data.formats import embedded
from lightdet.data.page_count import MAX_PAGES, check_end
from lightdet.data.phone_formats import HEAD, how_to_read, phone_format, pillow_name
from lightdet.data.picture_header import PictureFacts, header_facts
from lightdet.data.pixels import opened_pixels, to_rgb
from lightdet.data.quiet_decoders import quiet_decoders
from lightdet.data.quiet_warnings import quiet_warnings
from lightdet.errors import UserError

MAX_BYTES = 1 << 30
"""Largest file that is read, in bytes."""
MAX_PIXELS = 178_000_000
"""Largest picture that is decoded (about 13 300 x 13 300); Pillow itself refuses slightly above this."""
READ = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".gif", ".jp2", ".j2k"}
    | {".heic", ".heif", ".hif", ".avif"}
)
"""File suffixes (lower case) of supported pictures; the last four only with a decoder."""
UNREAD = frozenset({".jxl"})
"""Suffixes of unsupported pictures: a folder scan finds them, so that each can be reported by name."""
SUFFIXES = READ | UNREAD
"""File suffixes that count as pictures when a folder is scanned."""
MAX_FILE_PIXELS = 2_000_000_000
"""Most pixels that all pictures of one file may have together."""
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "TIFF", "WEBP", "PPM", "GIF", "JPEG2000")
_FORMATS_TEXT = "JPEG, PNG, BMP, TIFF, WebP, PNM, GIF, JPEG 2000, AVIF, HEIC"
_TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class TooLargeError(UserError):
    """A picture over the limit of bytes or pixels."""


class UnknownFormatError(UserError):
    """Bytes that are not a picture in a supported format."""


def read_image(
    source: str | Path | bytes,
    *,
    bit_depth: int = 16,
    name: str | None = None,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
) -> Image:
    """Decode a picture to uint8 RGB ``[H, W, 3]``, with its EXIF orientation applied.

    Gray is copied to all channels, palettes are looked up, CMYK is converted, alpha is dropped (colours are kept as
    stored). 16-bit values are scaled by ``255 / (2**bit_depth - 1)``, rounded and clipped at 255; 8-bit ones are not
    changed. A file with several pages or frames is refused: judged by the first, a part could pass uninspected.

    Args:
        source: a path, or the bytes of a picture file.
        bit_depth: significant bits of 16-bit pictures (12 for a 12-bit camera), 9-16.
        name: the picture's name in messages if `source` is bytes.
        max_bytes: largest file accepted, in bytes.
        max_pixels: largest picture accepted, in pixels, checked before decoding.

    Raises:
        UserError: missing, unreadable, empty, truncated, damaged, foreign or too large file.
    """
    data, shown = _read_bytes(source, name, max_bytes)
    pixels, facts = _decode(data, shown, max_pixels)
    if facts.pages > 1:
        raise UserError(several_pages(facts), path=shown)
    return to_rgb(pixels, facts, bit_depth)


@dataclass(frozen=True, eq=False)
class Page:
    """One picture of a file: uint8 RGB ``[H, W, 3]``, its number from 1, and how many there are."""

    image: Image
    number: int
    of: int

    def name(self, file: str) -> str:
        """The file's name, followed by ``#`` and the number if the file holds several pictures."""
        return f"{file}#{self.number}" if self.of > 1 else file


def read_pages(
    source: str | Path | bytes,
    *,
    bit_depth: int = 16,
    name: str | None = None,
    max_pixels: int = MAX_PIXELS,
    max_pages: int = MAX_PAGES,
) -> Iterator[Page]:
    """Decode every picture of a file, one after the other: pages of a TIFF, frames of a GIF, WebP or PNG.

    The arguments are those of `read_image`; `max_pixels` applies to each picture, and all together may have
    `MAX_FILE_PIXELS`. Only one decoded picture is held at a time.

    Raises:
        UserError: as `read_image`, of a page as ``name#number``; more than `max_pages` pictures.
    """
    data, shown = _read_bytes(source, name, MAX_BYTES)
    with _whole(data, shown, max_pixels) as (picture, first):
        if first.pages > max_pages:
            message = f"holds {first.pages} pictures, and at most {max_pages} can be read; split it"
            raise TooLargeError(message, path=shown)
        total = 0
        for index in range(first.pages):
            with _explained(f"{shown}#{index + 1}" if first.pages > 1 else shown):
                facts = _facts_of_page(picture, first, index)
                total += facts.size[0] * facts.size[1]
                if facts.size[0] * facts.size[1] > max_pixels:
                    raise _too_large(f"{shown}#{index + 1}", max_pixels, facts.size)
                if total > MAX_FILE_PIXELS:
                    message = f"its pictures have more than {MAX_FILE_PIXELS / 1e6:g} million pixels together; split it"
                    raise TooLargeError(message, path=f"{shown}#{index + 1}")
                image = to_rgb(opened_pixels(picture, facts, data, index), facts, bit_depth)
            yield Page(image, index + 1, first.pages)


def _facts_of_page(picture: Pil.Image, first: PictureFacts, index: int) -> PictureFacts:
    """Go to a page and return its header."""
    if index == 0:
        return first
    with quiet_warnings():
        picture.seek(index)
    facts = header_facts(picture, first.pages)
    if first.bits > 8 and first.format != "TIFF":
        raise UnsupportedError(f"an animated {first.format} of 16 bits; save each picture in its own file")
    return facts if first.format == "TIFF" else replace(facts, orientation=first.orientation, bits=first.bits)


def read_deep(source: str | Path | bytes, *, name: str | None = None) -> tuple[AnyArray, PictureFacts]:
    """Decode without reducing 16 bits: uint8 or uint16, ``[H, W]`` or ``[H, W, 3]``, upright; the first of several.

    Raises:
        UserError: as `read_image`.
    """
    data, shown = _read_bytes(source, name, MAX_BYTES)
    return _decode(data, shown, MAX_PIXELS)


def several_pages(facts: PictureFacts) -> str:
    """The message for a file with several pictures."""
    return f"holds {facts.pages} pictures; save each in a file of its own"


def read_file(path: str | Path) -> bytes:
    """Return a picture file's bytes, undecoded; a UserError if it is missing, empty, unreadable or too large."""
    return _read_bytes(path, None, MAX_BYTES)[0]


def image_size(path: str | Path) -> tuple[int, int]:
    """Return ``(width, height)`` as shown (after EXIF rotation), from the header alone.

    Raises:
        UserError: missing, unreadable, empty, foreign or too large file.
    """
    return picture_facts(path).size


def picture_facts(path: str | Path) -> PictureFacts:
    """Read a picture's header; see `image_size` for the errors."""
    target = Path(path)
    _check_file(target, MAX_BYTES)
    inside = target.suffix.lower() == embedded.SUFFIX
    with (
        _explained(str(path)),
        io.BytesIO(embedded.embedded_picture(target)) if inside else BoundedReader(target) as stream,
        _opened(stream, str(path), MAX_PIXELS) as picture,
    ):
        return header_facts(picture)


def _check_file(path: Path, max_bytes: int) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UserError("no such picture; check the name and the folder", path=path) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"the picture cannot be read: {reason}", path=path) from None
    if not path.is_file():
        raise UserError("not a file; give the name of a picture", path=path)
    if status.st_size == 0:
        raise UserError("the picture is empty (0 bytes); copy it again", path=path)
    if status.st_size > max_bytes:
        limit = f"{max_bytes / (1 << 20):.0f} MiB"
        raise TooLargeError(f"the picture is larger than {limit}; cut it into parts", path=path)


def _read_bytes(source: str | Path | bytes, name: str | None, max_bytes: int) -> tuple[bytes, str]:
    """Return the file's bytes and the name that messages give it."""
    if isinstance(source, bytes):
        shown = name or "picture"
        if not source:
            raise UserError("the picture is empty (0 bytes); copy it again", path=shown)
        if len(source) > max_bytes:
            limit = f"{max_bytes / (1 << 20):.0f} MiB"
            raise TooLargeError(f"the picture is larger than {limit}; cut it into parts", path=shown)
        return source, shown
    path = Path(source)
    _check_file(path, max_bytes)
    if path.suffix.lower() == embedded.SUFFIX:
        return embedded.embedded_picture(path), str(source)
    try:
        return path.read_bytes(), str(source)
    except OSError as error:
        raise UserError(f"the picture cannot be read: {error.strerror}", path=path) from None


@contextmanager
def _opened(stream: BinaryIO, shown: str, max_pixels: int) -> Iterator[Pil.Image]:
    """Open a picture's header, quietly, within `max_pixels`."""
    head = stream.read(HEAD)
    stream.seek(0)
    phone = phone_format(head)
    quiet_decoders()
    with quiet_warnings():
        try:
            picture = Pil.open(stream, formats=_formats(phone, shown))
        except UnidentifiedImageError:
            if phone:
                raise UnsupportedError(f"the {phone} is damaged or cut off; copy or export it again") from None
            if head.startswith(b"version https://git-lfs"):
                message = "a pointer of Git LFS in place of the picture; fetch it with 'git lfs pull'"
                raise UnsupportedError(message) from None
            if head[:4] in _TIFF_HEADS:
                message = "a TIFF of a kind that is not read, or a damaged one; save it as PNG"
                raise UnsupportedError(message) from None
            raise
        if phone == "HEIC" and getattr(picture, "n_frames", 1) > 1:
            picture.seek(0)  # it is positioned at the one that is shown first
    with picture:
        if picture.width * picture.height > max_pixels:
            raise _too_large(shown, max_pixels, picture.size)
        yield picture


def _formats(phone: str | None, shown: str) -> tuple[str, ...]:
    """The formats that Pillow may read."""
    if phone is None:
        return _FORMATS
    name = pillow_name(phone)
    if name is None:
        raise UnknownFormatError(how_to_read(phone), path=shown)
    return (name,)


def _too_large(shown: str, max_pixels: int, size: tuple[int, int] | None = None) -> TooLargeError:
    what = f"{size[0]} x {size[1]} pixels" if size else "the picture"
    return TooLargeError(f"{what}: larger than {max_pixels / 1e6:g} million pixels; cut it into parts", path=shown)


@contextmanager
def _explained(shown: str) -> Iterator[None]:
    """Turn any error that decoders raise for a damaged file into one line."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except UnidentifiedImageError:
        kind = Path(shown).suffix.lower()
        message = f"not a picture that can be read ({_FORMATS_TEXT}), or its first bytes are damaged"
        if kind in UNREAD:
            message = f"{kind[1:].upper()} is not read; save it as PNG or JPEG"
        raise UnknownFormatError(message, path=shown) from None
    except Pil.DecompressionBombError:
        raise _too_large(shown, MAX_PIXELS) from None
    except UnsupportedError as error:
        raise UserError(str(error), path=shown) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's; decoders' errors have no number
            raise UserError(f"the picture cannot be read: {error.strerror}", path=shown) from None
        # For hostile bytes decoders raise OSError, SyntaxError, struct.error, KeyError, cv2.error and more.
        reason = " ".join(str(error).split()) or type(error).__name__
        if "truncated" in reason or isinstance(error, EOFError):
            raise UserError("the picture is truncated; copy or export it again", path=shown) from None
        raise UserError(f"the picture is damaged ({reason[:120]}); copy or export it again", path=shown) from None


@contextmanager
def _whole(data: bytes, shown: str, max_pixels: int) -> Iterator[tuple[Pil.Image, PictureFacts]]:
    """Open a picture file, and check that nothing of it is missing or hidden."""
    with _explained(shown):
        check_work(data)
    with _explained(shown), _opened(io.BytesIO(data), shown, max_pixels) as picture:
        check_end(picture, data)
        yield picture, header_facts(picture)


def _decode(data: bytes, shown: str, max_pixels: int) -> tuple[AnyArray, PictureFacts]:
    """The first picture of a file."""
    with _whole(data, shown, max_pixels) as (picture, facts):
        return opened_pixels(picture, facts, data), facts
