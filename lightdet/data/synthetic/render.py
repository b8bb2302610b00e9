"""One synthetic picture: a pure function of (seed, index, size)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from lightdet.arrays import BoolArray, FloatArray, Image
from lightdet.data.synthetic.camera import Camera, draw_camera
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.catalogue import CLASSES, DEFECTS, EXTRA_WEIGHT, PARTS
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.scene import Scene
from lightdet.structures import Sample

MIN_SIZE, MAX_SIZE = 96, 4096
DEFAULT_CLEAN = 0.15

_VISIBLE = 7
"""A pixel belongs to a defect if it changes by at least this many of 255 levels; others stay as they were."""
_COUNTS = (0.15, 0.25, 0.28, 0.20, 0.12)
"""How often a picture gets one, two, three, four or five defects."""
_TRIES = 8
_ORDER = 1
"""Identifies the random stream that orders the classes, separate from the pictures' streams."""


@dataclass(frozen=True, eq=False)
class Rendering:
    """A picture and how it was made.

    Attributes:
        sample: the picture with its boxes.
        reference: the same picture without defects, uint8 ``[H, W, 3]``.
        masks: bool ``[N, H, W]``, the pixels that each defect changed; its box is their tight bound.
        defects: the name of each defect (``scratch``, ``bent_contact``, …).
        part: the name of the part.
    """

    sample: Sample
    reference: Image
    masks: BoolArray
    defects: tuple[str, ...]
    part: str


@dataclass(frozen=True, eq=False)
class _Mark:
    """An accepted defect: its label, name, changed pixels ``[h, w]`` of `window`, and their tight bound."""

    label: int
    name: str
    window: Window
    mask: BoolArray
    box: Window


def render_sample(seed: int, index: int, imgsz: int = 320, *, clean: float = DEFAULT_CLEAN) -> Sample:
    """Render picture `index` of the set `seed`; labels index `CLASSES`.

    Args:
        seed: of the whole set, not negative.
        index: of the picture, not negative.
        imgsz: side of the square picture in pixels, 96 to 4096.
        clean: probability in [0, 1] of a picture without defects.

    Raises:
        ValueError: an argument out of range.
    """
    return render(seed, index, imgsz, clean=clean).sample


def render(seed: int, index: int, imgsz: int = 320, *, clean: float = DEFAULT_CLEAN) -> Rendering:
    """Like `render_sample`, with the picture's masks, names and defect-free twin."""
    if seed < 0 or index < 0:
        raise ValueError(f"seed and index must not be negative, got {seed} and {index}")
    if not MIN_SIZE <= imgsz <= MAX_SIZE:
        raise ValueError(f"imgsz must lie in {MIN_SIZE}-{MAX_SIZE}, got {imgsz}")
    if not 0.0 <= clean <= 1.0:
        raise ValueError(f"clean must lie in [0, 1], got {clean}")
    rng = np.random.default_rng([seed, index])
    part_rng, camera_rng, defect_rng = rng.spawn(3)
    sound = bool(rng.random() < clean)
    first = None if sound else _first_class(seed, index)
    part = _pick_part(rng, first)
    make, classes = PARTS[part]
    scene = make(part_rng, imgsz)
    camera = draw_camera(camera_rng, imgsz)
    reference = camera.develop(scene.layers, scene.whole)
    image = reference.copy()
    marks: list[_Mark] = []
    if first is not None:
        for wanted in (first, *_more_classes(rng, classes)):
            _add_defect(scene, camera, image, wanted, marks, defect_rng)
        for other in classes:  # a part too small or too busy for all planned defects still gets one
            if not marks:
                _add_defect(scene, camera, image, other, marks, defect_rng)
    return _finish(image, reference, marks, part)


def _first_class(seed: int, index: int) -> str:
    """The class of the first defect: each run of six pictures has all six, in a random order."""
    block, place = divmod(index, len(CLASSES))
    order = np.random.default_rng([seed, block, _ORDER]).permutation(len(CLASSES))
    return CLASSES[int(order[place])]


def _pick_part(rng: Generator, first: str | None) -> str:
    fitting = [name for name, (_, classes) in PARTS.items() if first is None or first in classes]
    return fitting[int(rng.integers(len(fitting)))]


def _more_classes(rng: Generator, classes: tuple[str, ...]) -> list[str]:
    count = int(rng.choice(len(_COUNTS), p=_COUNTS))
    weights = np.array([EXTRA_WEIGHT[name] for name in classes])
    return [classes[k] for k in rng.choice(len(classes), count, p=weights / weights.sum())]


def _add_defect(scene: Scene, camera: Camera, image: Image, wanted: str, marks: list[_Mark], rng: Generator) -> None:
    """Try to draw a defect of a class so that it can be seen and lies apart; changes `image`, adds to `marks`."""
    ways = DEFECTS[wanted]
    for _ in range(_TRIES):
        # If one has no place (no thread on a plate, no room for a stain), the next in a random order is tried.
        for way in rng.permutation(len(ways)):
            patch = ways[way](scene, rng)
            if patch is not None:
                break
        else:
            continue
        mark = _judge(scene, camera, image, patch, (CLASSES.index(wanted), ways[way].__name__), marks)
        if mark is not None:
            marks.append(mark)
            return


def _judge(
    scene: Scene, camera: Camera, image: Image, patch: Layers, kind: tuple[int, str], marks: list[_Mark]
) -> _Mark | None:
    """Take the defect over into scene and picture, unless it is too faint, too small, too large or too near another."""
    window = patch.window.grown(camera.reach, scene.whole)
    around = scene.layers.view(window.grown(camera.reach, scene.whole))
    after = camera.develop(around.overlaid(patch), window)
    rows, columns = window.within(scene.whole)
    change = np.abs(after.astype(np.int16) - image[rows, columns]).max(axis=2)
    mask = change >= _VISIBLE
    if not mask.any():
        return None
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = Window(
        window.x0 + int(xs[0]), window.y0 + int(ys[0]), window.x0 + int(xs[-1]) + 1, window.y0 + int(ys[-1]) + 1
    )
    pixel = scene.pixel
    seen = mask.sum() >= 45 * pixel**2 and float(change[mask].mean()) >= 26
    fits = min(box.shape) >= 5 * pixel and 11 * pixel <= max(box.shape) <= 0.5 * scene.size
    apart = box.grown(max(2, round(5 * pixel)), scene.whole)
    if not (seen and fits) or any(apart.overlaps(other.box) for other in marks):
        return None
    image[rows, columns][mask] = after[mask]
    scene.layers.take(patch)
    scene.free[apart.within(scene.whole)] = False
    return _Mark(*kind, window, mask, box)


def _finish(image: Image, reference: Image, marks: list[_Mark], part: str) -> Rendering:
    size = image.shape[0]
    masks = np.zeros((len(marks), size, size), np.bool_)
    boxes: FloatArray = np.zeros((len(marks), 4), np.float32)
    for index, mark in enumerate(marks):
        masks[index][mark.window.within(Window.whole(size))] = mark.mask
        boxes[index] = mark.box.x0, mark.box.y0, mark.box.x1, mark.box.y1
    labels = np.array([mark.label for mark in marks], dtype=np.int64)
    return Rendering(Sample(image, boxes, labels), reference, masks, tuple(mark.name for mark in marks), part)
