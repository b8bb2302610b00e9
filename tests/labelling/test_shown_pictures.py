"""A browser shows a picture as lightdet reads it: boxes are drawn in the frame in which they are written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from page_browser import Open
from PIL import Image as Pil

from lightdet.data.images import read_image

LOOK = """(address) => new Promise((go, stop) => {
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    const [width, height] = [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const corners = [[4, 4], [width - 4, 4], [4, height - 4], [width - 4, height - 4]];
    const colour = ([x, y]) => [...context.getImageData(x, y, 1, 1).data].slice(0, 3);
    go({ size: [width, height], corners: corners.map(colour) });
  };
  image.onerror = () => stop(new Error(address));
  image.src = address;
})"""
"""The size of a picture and the colours near its corners, as the browser sees them."""


def as_read(path: Path) -> tuple[list[int], list[list[int]]]:
    pixels = read_image(path)
    height, width = pixels.shape[:2]
    corners = [(4, 4), (4, width - 4), (height - 4, 4), (height - 4, width - 4)]
    return [width, height], [pixels[each].tolist() for each in corners]


def write_turned(folder: Path) -> None:
    """Each format with each EXIF orientation, and a PNG that tells it after its pixels."""
    pixels = np.full((60, 90, 3), 40, np.uint8)
    pixels[:30, :45], pixels[:30, 45:], pixels[30:, :45] = (230, 0, 0), (0, 230, 0), (0, 0, 230)
    for orientation in range(1, 9):
        exif = Pil.Exif()
        exif[274] = orientation
        for suffix in ("jpg", "png", "webp"):
            more = {"quality": 95} if suffix == "jpg" else {"lossless": True} if suffix == "webp" else {}
            Pil.fromarray(pixels).save(folder / f"{orientation}.{suffix}", exif=exif, **more)
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(block)) + b"eXIf" + block + struct.pack(">I", zlib.crc32(b"eXIf" + block))
    Pil.fromarray(pixels).save(folder / "plain.png")
    for name, plain in (("late", folder / "plain.png"), ("twice", folder / "2.png")):
        data = plain.read_bytes()
        (folder / f"{name}.png").write_bytes(data[:-12] + chunk + data[-12:])


def test_turned_pictures_are_seen_as_they_are_read(start: Callable[..., Any], open_page: Open, tmp_path: Path) -> None:
    folder = tmp_path / "kinds"
    folder.mkdir()
    write_turned(folder)
    served = start(folder, form="yolo", classes=("dent",))
    page = open_page(served.url)
    wrong = []
    for each in served.get("/api/folder")["pictures"]:
        size, corners = as_read(folder / each["name"])
        seen = page.evaluate(LOOK, f"api/pictures/{each['id']}/image")
        told = served.get(f"/api/pictures/{each['id']}")["size"]
        if (seen["size"], told) != (size, size) or np.abs(np.subtract(seen["corners"], corners)).max() > 40:
            wrong.append(each["name"])
    assert wrong == []
