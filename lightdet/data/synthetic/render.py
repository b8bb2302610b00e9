"""One synthetic picture: a pure function of (seed, index, size, defects)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from lightdet.arrays import BoolArray, FloatArray, Image
from lightdet.data.synthetic.camera import Camera, draw_camera
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.catalogue import CLASSES, DEFECTS, EXTRA_WEIGHT, PARTS, SCALABLE
from lightdet.data.synthetic.layers import Layers
from lightdet.data.synthetic.scene import Scene
from lightdet.structures import Sample

MIN_SIZE, MAX_SIZE = 96, 4096
MIN_DEFECT = 4
DEFAULT_CLEAN = 0.15

_VISIBLE = 7
"""A pixel belongs to a defect if it changes by at least this many of 255 levels; others stay as they were."""
_COUNTS = (0.15, 0.25, 0.28, 0.20, 0.12)
"""How often a picture gets one, two, three, four or five defects."""
_TRIES, _SIZED_TRIES = 8, 60
"""Attempts at a defect; more if most come out too small or too large."""
_TYPICAL = 24
"""About how many `Scene.defect_pixel` the longer side of a defect has."""
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


def render_sample(
    seed: int,
    index: int,
    imgsz: int = 320,
    *,
    clean: float = DEFAULT_CLEAN,
    size: tuple[int, int] | None = None,
    defects: tuple[int, int] | None = None,
) -> Sample:
    """Render picture `index` of the set `seed`; labels index `CLASSES`.

    Args:
        seed: of the whole set, not negative.
        index: of the picture, not negative.
        imgsz: side of the square picture in pixels, 96 to 4096.
        clean: probability in [0, 1] of a picture without defects.
        size: ``(width, height)`` in pixels, 96 to 4096, instead of a square.
        defects: smallest and largest longer side of a defect in pixels, 4 to a quarter of the picture's shorter side;
            None: they grow with the picture. Such defects have the classes `SCALABLE` alone.

    Raises:
        ValueError: an argument out of range.
    """
    return render(seed, index, imgsz, clean=clean, size=size, defects=defects).sample


def render(
    seed: int,
    index: int,
    imgsz: int = 320,
    *,
    clean: float = DEFAULT_CLEAN,
    size: tuple[int, int] | None = None,
    defects: tuple[int, int] | None = None,
) -> Rendering:
    """Like `render_sample`, with the picture's masks, names and defect-free twin."""
    size = (imgsz, imgsz) if size is None else size
    _check(seed, index, size, clean, defects)
    rng = np.random.default_rng([seed, index])
    part_rng, camera_rng, defect_rng = rng.spawn(3)
    sound = bool(rng.random() < clean)
    possible = CLASSES if defects is None else SCALABLE
    first = None if sound else _first_class(seed, index, possible)
    part = _pick_part(rng, first)
    make, classes = PARTS[part]
    classes = tuple(name for name in classes if name in possible)
    scene = make(part_rng, max(size))
    view = _middle(max(size), size)
    scene.limit(view)
    camera = draw_camera(camera_rng, max(size), sharp=defects is not None)
    studio = _Studio(scene, camera, view, defects)
    if first is not None:
        for wanted in (first, *_more_classes(rng, classes)):
            studio.add_defect(wanted, defect_rng)
        for other in classes:  # a part too small or too busy for all planned defects still gets one
            if not studio.marks:
                studio.add_defect(other, defect_rng)
    return studio.finish(part)


def _check(seed: int, index: int, size: tuple[int, int], clean: float, defects: tuple[int, int] | None) -> None:
    if seed < 0 or index < 0:
        raise ValueError(f"seed and index must not be negative, got {seed} and {index}")
    if not MIN_SIZE <= min(size) <= max(size) <= MAX_SIZE:
        raise ValueError(f"the sides must lie in {MIN_SIZE}-{MAX_SIZE}, got {size}")
    if not 0.0 <= clean <= 1.0:
        raise ValueError(f"clean must lie in [0, 1], got {clean}")
    if defects is not None and not MIN_DEFECT <= defects[0] <= defects[1] <= min(size) // 4:
        raise ValueError(f"the sizes of defects must rise from {MIN_DEFECT} to {min(size) // 4} at most, got {defects}")


def _first_class(seed: int, index: int, classes: tuple[str, ...]) -> str:
    """The class of the first defect: each run of as many pictures has all classes, in a random order."""
    block, place = divmod(index, len(classes))
    order = np.random.default_rng([seed, block, _ORDER]).permutation(len(classes))
    return classes[int(order[place])]


def _pick_part(rng: Generator, first: str | None) -> str:
    fitting = [name for name, (_, classes) in PARTS.items() if first is None or first in classes]
    return fitting[int(rng.integers(len(fitting)))]


def _more_classes(rng: Generator, classes: tuple[str, ...]) -> list[str]:
    count = int(rng.choice(len(_COUNTS), p=_COUNTS))
    weights = np.array([EXTRA_WEIGHT[name] for name in classes])
    return [classes[k] for k in rng.choice(len(classes), count, p=weights / weights.sum())]


def _middle(side: int, size: tuple[int, int]) -> Window:
    """The middle of a square picture: what is kept of it."""
    x, y = (side - size[0]) // 2, (side - size[1]) // 2
    return Window(x, y, x + size[0], y + size[1])


class _Studio:
    """A scene before a camera, and the picture of its `view` as defects are added."""

    def __init__(self, scene: Scene, camera: Camera, view: Window, sides: tuple[int, int] | None) -> None:
        self.scene, self.camera, self.view, self.sides = scene, camera, view, sides
        self.reference = camera.develop(scene.layers, scene.whole)
        self.image = self.reference.copy()
        self.marks: list[_Mark] = []

    def add_defect(self, wanted: str, rng: Generator) -> None:
        """Try to draw a defect of a class so that it can be seen and lies apart."""
        ways, scene = DEFECTS[wanted], self.scene
        for _ in range(_TRIES if self.sides is None else _SIZED_TRIES):
            if self.sides is not None:
                scene.defect_unit = float(np.exp(rng.uniform(*np.log(self.sides)))) / _TYPICAL
            # If one has no place (no thread on a plate, no room for a stain), the next in a random order is tried.
            for way in rng.permutation(len(ways)):
                patch = ways[way](scene, rng)
                if patch is not None:
                    break
            else:
                continue
            mark = self._judge(patch, (CLASSES.index(wanted), ways[way].__name__))
            if mark is not None:
                self.marks.append(mark)
                return

    def _judge(self, patch: Layers, kind: tuple[int, str]) -> _Mark | None:
        """Take the defect over, unless it is too faint, too small, too large, too near another or out of view."""
        scene, camera = self.scene, self.camera
        window = patch.window.grown(camera.reach, scene.whole)
        around = scene.layers.view(window.grown(camera.reach, scene.whole))
        after = camera.develop(around.overlaid(patch), window)
        rows, columns = window.within(scene.whole)
        change = np.abs(after.astype(np.int16) - self.image[rows, columns]).max(axis=2)
        mask = change >= _VISIBLE
        if not mask.any():
            return None
        ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = Window(
            window.x0 + int(xs[0]), window.y0 + int(ys[0]), window.x0 + int(xs[-1]) + 1, window.y0 + int(ys[-1]) + 1
        )
        apart = box.grown(max(2, round(5 * scene.pixel)), scene.whole)
        fits = self._is_seen(int(mask.sum()), float(change[mask].mean()), box) and box.lies_in(self.view)
        if not fits or any(apart.overlaps(other.box) for other in self.marks):
            return None
        self.image[rows, columns][mask] = after[mask]
        scene.layers.take(patch)
        scene.free[apart.within(scene.whole)] = False
        return _Mark(*kind, window, mask, box)

    def _is_seen(self, pixels: int, contrast: float, box: Window) -> bool:
        """Whether a defect is clear, and of a size that is wanted."""
        unit, longer, shorter = self.scene.pixel, max(box.shape), min(box.shape)
        if self.sides is None:
            fits = pixels >= 45 * unit**2 and shorter >= 5 * unit and 11 * unit <= longer <= 0.5 * self.scene.size
        else:
            low, high = self.sides
            fits = pixels >= 0.2 * low**2 and shorter >= 0.4 * low and low <= longer <= high
        return fits and contrast >= 26

    def finish(self, part: str) -> Rendering:
        """Cut the picture to its view."""
        whole, view, marks = self.scene.whole, self.view, self.marks
        rows, columns = view.within(whole)
        masks = np.zeros((len(marks), *view.shape), np.bool_)
        boxes: FloatArray = np.zeros((len(marks), 4), np.float32)
        for index, mark in enumerate(marks):
            full = np.zeros(whole.shape, np.bool_)
            full[mark.window.within(whole)] = mark.mask
            masks[index] = full[rows, columns]
            boxes[index] = mark.box.x0, mark.box.y0, mark.box.x1, mark.box.y1
        boxes -= np.array([view.x0, view.y0] * 2, np.float32)
        labels = np.array([mark.label for mark in marks], dtype=np.int64)
        sample = Sample(np.ascontiguousarray(self.image[rows, columns]), boxes, labels)
        return Rendering(sample, self.reference[rows, columns], masks, tuple(mark.name for mark in marks), part)
