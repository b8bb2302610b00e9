"""Puts six marked-up pictures side by side.

python docs/pictures/collage.py runs/demo/detect docs/pictures/detections.jpg [NAME.jpg ...]
"""

import sys
from pathlib import Path

from PIL import Image

COLUMNS, ROWS, SIDE, GAP = 3, 2, 320, 6
QUALITY = 72


def main(folder: str, target: str, *names: str) -> None:
    """Take the pictures of these names; without names, pictures at even distances in the sorted folder."""
    paths = [Path(folder, name) for name in names] or sorted(Path(folder).glob("*.jpg"))
    count = COLUMNS * ROWS
    chosen = [paths[i * len(paths) // count] for i in range(count)]
    sheet = Image.new("RGB", (COLUMNS * (SIDE + GAP) - GAP, ROWS * (SIDE + GAP) - GAP), "white")
    for number, path in enumerate(chosen):
        with Image.open(path) as picture:
            place = (number % COLUMNS * (SIDE + GAP), number // COLUMNS * (SIDE + GAP))
            sheet.paste(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS), place)
    sheet.save(target, quality=QUALITY, optimize=True, progressive=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
