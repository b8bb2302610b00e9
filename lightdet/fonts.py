"""Text as pixels, in any script the machine has a font for (OpenCV's own letters end with ASCII)."""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from lightdet.arrays import Image

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

WIDE_FONTS = (  # for scripts that DejaVu lacks, mainly Chinese, Japanese and Korean; the first one found is used
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "YuGothM.ttc",
    "malgun.ttf",
    "ARIALUNI.TTF",
)


@lru_cache(maxsize=512)
def text_mask(text: str, size: int) -> Image:
    """Render one line of `text` at `size` pixels; a character that no font has is written as its number: ``[5212]``.

    Returns:
        uint8 ``[H, W]``, 255 where the letters are. H depends only on `size`, so labels line up.
    """
    shown = "".join(character if character.isprintable() else " " for character in text)
    font = _font_for(shown, size)
    if not shown.isascii() and isinstance(font, ImageFont.FreeTypeFont):
        shown = "".join(f"[{ord(c):x}]" if _is_missing(font, c) else c for c in shown)
    height = _line_height(size)
    left, _, right, _ = font.getbbox(shown or " ")
    canvas = PillowImage.new("L", (max(1, round(right - min(left, 0))), height))
    # "ls": anchored at the baseline, which is the same for every font and text
    place, anchor = (-min(left, 0), round(height * 0.78)), "ls"
    if isinstance(font, ImageFont.FreeTypeFont):
        ImageDraw.Draw(canvas).text(place, shown, fill=255, font=font, anchor=anchor)
    else:
        ImageDraw.Draw(canvas).text((0, 0), shown, fill=255, font=font)
    return np.asarray(canvas)


@lru_cache(maxsize=1024)
def has_letters(text: str) -> bool:
    """Whether a font of this computer has all letters of `text`."""
    font = _font_for(text, 16)
    return text.isascii() or not (
        isinstance(font, ImageFont.FreeTypeFont) and any(_is_missing(font, letter) for letter in set(text))
    )


def _line_height(size: int) -> int:
    return max(4, round(size * 1.25))


def _font_for(text: str, size: int) -> Font:
    plain = _dejavu(size)
    if text.isascii() or not isinstance(plain, ImageFont.FreeTypeFont):
        return plain
    path = _wide_font_path() if any(_is_missing(plain, character) for character in set(text)) else None
    return plain if path is None else _load(path, size)


def _is_missing(font: ImageFont.FreeTypeFont, character: str) -> bool:
    # A font draws the same box for everything it lacks; U+FFFE is never a character.
    return not character.isspace() and bytes(font.getmask(character)) == bytes(font.getmask("\ufffe"))


@lru_cache(maxsize=64)
def _dejavu(size: int) -> Font:
    """Matplotlib's DejaVu Sans (Latin, Greek, Cyrillic, Arabic and more); Pillow's own letters without it."""
    spec = importlib.util.find_spec("matplotlib")  # finds the folder, imports nothing
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "mpl-data/fonts/ttf/DejaVuSans.ttf"
        if path.is_file():
            return _load(path, size)
    return ImageFont.load_default(size)


@lru_cache(maxsize=64)
def _load(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size)


@lru_cache(maxsize=1)
def _wide_font_path() -> Path | None:
    if sys.platform == "win32":
        folders = [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"]
    elif sys.platform == "darwin":
        folders = [Path("/System/Library/Fonts"), Path("/Library/Fonts")]
    else:
        folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts")]
        with suppress(RuntimeError):  # a user whom the computer does not know has no home folder
            folders.append(Path.home() / ".local/share/fonts")
    found = {path.name: path for folder in folders for path in folder.rglob("*") if path.name in WIDE_FONTS}
    return next((found[name] for name in WIDE_FONTS if name in found), None)
