"""One training picture: a pure function of (seed, index, size)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lightdet.arrays import BoolArray, FloatArray, Image, IntArray
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.teacher.camera import Camera, draw_camera
from lightdet.data.synthetic.teacher.catalogue import CLASSES, GROUNDS, KINDS, Kind
from lightdet.data.synthetic.teacher.lookalikes import LOOKALIKES
from lightdet.data.synthetic.teacher.scene import Patch, Scene

_STREAM = 7919
"""Identifies the random streams of these pictures, separate from those of the parts' renderer."""
_COUNTS = (0.27, 0.24, 0.18, 0.12, 0.08, 0.05, 0.035, 0.025)
"""How often a picture with defects gets one, two, … eight."""
_SHARE = 0.2
"""A pixel belongs to a defect if it changes by this share of the defect's strongest change, and by `_FLOOR` levels."""
_FLOOR = 7
_TRIES = 3


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture and how it was made.

    Attributes:
        image: uint8 ``[H, W, 3]``.
        boxes: float32 ``[N, 4]``, the tight bounds of the pixels that each defect changed.
        labels: int64 ``[N]``, indices into `CLASSES`.
        kinds: the name of each defect.
        ground: the name of the ground.
        reference: the same picture without defects.
    """

    image: Image
    boxes: FloatArray
    labels: IntArray
    kinds: tuple[str, ...]
    ground: str
    reference: Image


@dataclass(frozen=True)
class Teacher:
    """An endless supply of pictures that teach a detector what defects look like.

    Attributes:
        seed: of all pictures, not negative.
        imgsz: side of the square pictures in pixels.
        clean: probability of a picture without defects.
    """

    seed: int = 0
    imgsz: int = 320
    clean: float = 0.12

    def draw(self, index: int) -> tuple[Image, FloatArray, IntArray]:
        """Picture `index`, its boxes ``[N, 4]`` and labels ``[N]``; the same from any thread, in any order."""
        drawing = draw(self.seed, index, self.imgsz, clean=self.clean, reference=False)
        return drawing.image, drawing.boxes, drawing.labels


def draw(seed: int, index: int, imgsz: int = 320, *, clean: float = 0.12, reference: bool = True) -> Drawing:
    """Draw a picture; without `reference` its defect-free twin is not rendered (the picture itself is returned)."""
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, index, _STREAM])))
    sound = rng.random() < clean
    ground = _pick_ground(rng)
    scene = GROUNDS[ground].make(rng, imgsz)
    if not scene.solid:
        _add_lookalikes(scene, rng)
    camera = draw_camera(rng, imgsz, float(scene.planes[:, ::7, ::7].mean()), binary=scene.solid)
    before = scene.planes
    scene.planes = scene.planes.copy() if reference else scene.planes
    marks = [] if sound else _add_defects(scene, camera, rng, GROUNDS[ground].classes)
    noise = int(rng.integers(2**62))
    image = camera.develop(scene.planes, np.random.default_rng(noise))
    boxes = np.array([m.box for m in marks], np.float32).reshape(-1, 4)
    labels = np.array([CLASSES.index(m.kind.label) for m in marks], np.int64)
    twin = camera.develop(before, np.random.default_rng(noise)) if reference else image
    return Drawing(image, boxes, labels, tuple(m.kind.name for m in marks), ground, twin)


@dataclass(frozen=True)
class _Mark:
    kind: Kind
    box: tuple[int, int, int, int]


@cache
def _ground_shares() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    weights = np.array([ground.weight for ground in GROUNDS.values()])
    return tuple(GROUNDS), np.cumsum(weights / weights.sum())


def _pick_ground(rng: Generator) -> str:
    names, shares = _ground_shares()
    return names[min(int(np.searchsorted(shares, rng.random())), len(names) - 1)]


def _add_lookalikes(scene: Scene, rng: Generator) -> None:
    names, weights = list(LOOKALIKES), np.array([weight for _, weight in LOOKALIKES.values()])
    count = int(rng.choice(4, p=(0.4, 0.3, 0.2, 0.1)))
    for k in rng.choice(len(names), count, replace=False, p=weights / weights.sum()):
        LOOKALIKES[names[int(k)]][0](scene, rng)


@cache
def _kinds_of(classes: frozenset[str]) -> tuple[tuple[Kind, ...], NDArray[np.float64]]:
    """The kinds of some classes, and their shares added up; what few grounds can have is drawn more often there."""
    kinds, shares = [], []
    for name in CLASSES:
        if name in classes:
            seldom = sum(ground.weight for ground in GROUNDS.values() if name in ground.classes) ** -0.6
            found = [kind for kind in KINDS if kind.label == name]
            total = sum(kind.weight for kind in found)
            kinds += found
            shares += [seldom * kind.weight / total for kind in found]
    return tuple(kinds), np.cumsum(np.array(shares) / sum(shares))


def _pick_kind(rng: Generator, classes: frozenset[str]) -> Kind:
    kinds, shares = _kinds_of(classes)
    return kinds[min(int(np.searchsorted(shares, rng.random())), len(kinds) - 1)]


def _add_defects(scene: Scene, camera: Camera, rng: Generator, classes: frozenset[str]) -> list[_Mark]:
    """Draw one to eight defects; about half of the pictures have a single kind, as real ones do."""
    count = 1 + int(rng.choice(len(_COUNTS), p=_COUNTS))
    alike, strength = rng.random() < 0.5, rng.beta(1.6, 1.4)
    kind: Kind | None = None
    marks: list[_Mark] = []
    for _ in range(count):
        if kind is None or not alike:
            kind = _pick_kind(rng, classes)
        _add_one(scene, camera, rng, kind, float(strength), marks)
    for _ in range(6):  # what found no place or was not visible makes room for another kind
        if marks:
            break
        _add_one(scene, camera, rng, _pick_kind(rng, classes), 0.9, marks)
    return marks


def _add_one(scene: Scene, camera: Camera, rng: Generator, kind: Kind, strength: float, marks: list[_Mark]) -> None:
    low, high = np.log(kind.sizes)
    for attempt in range(_TRIES):
        reach = float(np.exp(low + (high - low) * rng.random() ** 0.8)) * scene.size
        now = min(max(strength + rng.normal(0, 0.12), 0.05) + 0.25 * attempt, 1.0)
        patch = kind.draw(scene, rng, reach, now)
        if patch is None:
            continue
        box = _judge(scene, camera, patch, marks)
        if box is not None:
            scene.planes[:, patch.rows, patch.columns] = patch.planes
            marks.append(_Mark(kind, box))
            return


def _judge(scene: Scene, camera: Camera, patch: Patch, marks: list[_Mark]) -> tuple[int, int, int, int] | None:
    """The box of what can be seen of a patch; None if that is too little, or lies over other defects."""
    window = patch.window.grown(camera.reach, scene.whole)
    rows, columns = window.within(scene.whole)
    before = scene.planes[:, rows, columns]
    after = before.copy()
    inner = patch.window.within(window)
    after[:, inner[0], inner[1]] = patch.planes
    seen = camera.levels(before, window)
    change = np.abs(camera.levels(after, window) - seen).max(axis=0)
    peak = int(change.max(initial=0))
    least = max(_FLOOR, round(1.5 * camera.noise), round(_SHARE * peak))
    mask = change >= least
    area = int(np.count_nonzero(mask))
    unit = scene.size / 320
    if area < 14 * unit * unit or not _stands_out(change, mask, seen, camera, area):
        return None
    box = _bounds(mask, window)
    if max(box[2] - box[0], box[3] - box[1]) < 6 * unit or min(box[2] - box[0], box[3] - box[1]) < 3:
        return None
    return None if any(_collide(box, other.box) for other in marks) else box


def _stands_out(change: NDArray[np.int16], mask: BoolArray, seen: NDArray[np.int16], camera: Camera, area: int) -> bool:
    """Whether the change is more than what texture and noise do, the less so the larger its area."""
    rows = seen[0, ::2]
    texture = float(np.abs(rows[:, 1:] - rows[:, :-1]).mean()) if rows.shape[1] > 1 else 0.0
    noise = texture + camera.noise + 2
    return float(change[mask].mean()) > noise * max(1.0, 2.6 - 0.4 * float(np.log10(area)))


def _bounds(mask: BoolArray, window: Window) -> tuple[int, int, int, int]:
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        window.x0 + int(xs[0]),
        window.y0 + int(ys[0]),
        window.x0 + int(xs[-1]) + 1,
        window.y0 + int(ys[-1]) + 1,
    )


def _collide(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    """Whether two boxes share too much to be two defects, or the new one (`a`) would hide the old."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return False
    shared = width * height
    first, second = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    return shared > 0.25 * (first + second - shared) or shared > 0.4 * second
