"""Two layers: boards, prints, parts on a table, assemblies. The upper one can be chipped, bridged, missing, turned."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lightdet.arrays import FloatArray
from lightdet.data.synthetic.canvas import Window
from lightdet.data.synthetic.outlines import blob, regular_polygon, rounded_rectangle
from lightdet.data.synthetic.teacher import grounds_cloth, grounds_metal, grounds_mineral
from lightdet.data.synthetic.teacher.bank import cut, smooth
from lightdet.data.synthetic.teacher.palette import apart, colored, draw_light, draw_unit, is_gray, metal, paint
from lightdet.data.synthetic.teacher.scene import Color, Item, Scene, lit
from lightdet.data.synthetic.teacher.shapes import to_alpha

Canvas = NDArray[np.uint8]


def _layered(scene: Scene, over: FloatArray, cover: FloatArray, *, edge: float = 0.0) -> Scene:
    """Lay `over` on a scene where `cover` says; `edge` is its height in pixels, for a bright and a dark rim."""
    scene.under, scene.over, scene.cover = scene.planes, over, cover
    scene.planes = scene.under + (over - scene.under) * cover
    if edge:
        scene.planes = scene.planes * np.clip(1 + lit(cover * np.float32(edge), scene.light), 0.35, 1.9)
    return scene


def _plain(rng: Generator, size: int, color: Color, *, gray: bool, grain: float) -> FloatArray:
    texture = 1 + np.float32(grain) * cut(rng, "fine", (size, size))
    if grain:
        texture += np.float32(grain) * smooth(rng, (size, size), 4)
    return colored(texture, color, gray=gray)


def artwork(rng: Generator, size: int) -> Scene:
    """Conductors as a scanner with a threshold sees them: two levels, hard edges."""
    cover = _conductors(rng, size)
    low, high = float(rng.uniform(0, 0.15)), float(rng.uniform(0.8, 1.0))
    first, second = (low, high) if rng.random() < 0.6 else (high, low)
    under = np.full((1, size, size), second, np.float32)
    scene = Scene(under, draw_light(rng), size / 320, solid=True)
    return _layered(scene, np.full((1, size, size), first, np.float32), cover)


def board(rng: Generator, size: int) -> Scene:
    """A circuit board in its colours, bare or under solder mask."""
    gray, base = is_gray(rng), paint(rng, light=(0.1, 0.55))
    scene = Scene(_plain(rng, size, base, gray=gray, grain=rng.uniform(0.01, 0.08)), draw_light(rng), size / 320)
    copper = apart(rng, base, 0.1) if rng.random() < 0.5 else metal(rng)
    over = _plain(rng, size, copper, gray=gray, grain=rng.uniform(0.01, 0.08))
    return _layered(scene, over, _conductors(rng, size), edge=rng.uniform(0, 0.8))


def _conductors(rng: Generator, size: int) -> FloatArray:
    """Bundles of tracks with bends, pads with and without holes, planes of copper."""
    canvas = np.zeros((size, size), np.uint8)
    unit = size / 320 * math.exp(rng.normal(0.1, 0.45))
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 4))):
            _copper_plane(rng, canvas, unit)
    for _ in range(int(rng.integers(1, 5))):
        _bundle(rng, canvas, unit)
    for _ in range(int(rng.integers(0, 10))):
        _pad(rng, canvas, unit)
    if rng.random() < 0.4:
        _pad_row(rng, canvas, unit)
    return to_alpha(canvas)


def _bundle(rng: Generator, canvas: Canvas, unit: float) -> None:
    size = len(canvas)
    width, gap = max(1, round(rng.uniform(3, 16) * unit)), rng.uniform(4, 18) * unit
    turn = int(rng.integers(8)) * math.pi / 4
    path = [rng.uniform(-0.1, 1.1, 2) * size]
    for _ in range(int(rng.integers(2, 6))):
        path.append(path[-1] + rng.uniform(0.12, 0.5) * size * np.array([math.cos(turn), math.sin(turn)]))
        turn += (int(rng.integers(2)) * 2 - 1) * math.pi / 4
    points = np.array(path)
    side = np.array([-math.sin(turn), math.cos(turn)]) * (width + gap)
    for k in range(int(rng.integers(1, 6))):
        line = np.round(points + side * k).astype(np.int32)
        cv2.polylines(canvas, [line], False, 255, width, cv2.LINE_AA)
        for end in (line[0], line[-1]):
            if rng.random() < 0.5:
                _round_pad(rng, canvas, (int(end[0]), int(end[1])), width * rng.uniform(1.0, 1.8))


def _round_pad(rng: Generator, canvas: Canvas, center: tuple[int, int], radius: float) -> None:
    cv2.circle(canvas, center, max(2, round(radius)), 255, -1, cv2.LINE_AA)
    if rng.random() < 0.6:
        cv2.circle(canvas, center, max(1, round(radius * rng.uniform(0.3, 0.6))), 0, -1, cv2.LINE_AA)


def _pad(rng: Generator, canvas: Canvas, unit: float) -> None:
    x, y = (int(v) for v in rng.integers(0, len(canvas), 2))
    if rng.random() < 0.6:
        _round_pad(rng, canvas, (x, y), rng.uniform(5, 30) * unit)
        return
    half = rng.uniform(5, 40, 2) * unit
    cv2.rectangle(canvas, (x - int(half[0]), y - int(half[1])), (x + int(half[0]), y + int(half[1])), 255, -1)


def _pad_row(rng: Generator, canvas: Canvas, unit: float) -> None:
    """The landing pattern of a chip."""
    x, y = rng.uniform(0.05, 0.6, 2) * len(canvas)
    width, height, pitch = rng.uniform(4, 12) * unit, rng.uniform(12, 40) * unit, rng.uniform(1.6, 2.6)
    for k in range(int(rng.integers(4, 14))):
        left = x + k * width * pitch
        cv2.rectangle(canvas, (round(left), round(y)), (round(left + width), round(y + height)), 255, -1)


def _copper_plane(rng: Generator, canvas: Canvas, unit: float) -> None:
    size = len(canvas)
    width, height = (rng.uniform(0.2, 0.9, 2) * size).tolist()
    corners = rounded_rectangle(width, height, 6 * unit) + rng.uniform(0, 1, 2) * size
    cv2.fillPoly(canvas, [np.round(corners).astype(np.int32)], 255, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 4))):
        x, y = (int(v) for v in rng.integers(0, size, 2))
        cv2.circle(canvas, (x, y), int(rng.uniform(6, 50) * unit), 0, -1, cv2.LINE_AA)


def printed(rng: Generator, size: int) -> Scene:
    """Letters, bars, rings and marks printed on paper, film, sheet or cloth."""
    makers = (grounds_cloth.paper, grounds_mineral.plastic, grounds_mineral.painted, grounds_metal.blasted)
    scene = makers[int(rng.integers(len(makers)))](rng, size)
    base = scene.planes.mean(axis=(1, 2))
    ink = apart(rng, (float(base[0]), float(base[-1]), float(base[len(base) // 2])), 0.25)
    canvas = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(2, 9))):
        _print_mark(rng, canvas, scene)
    over = colored(1 + np.float32(0.03) * cut(rng, "fine", (size, size)), ink, gray=len(scene.planes) == 1)
    return _layered(scene, over, to_alpha(canvas))


_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789-/+"


def _print_mark(rng: Generator, canvas: Canvas, scene: Scene) -> None:
    size, unit = scene.size, scene.size / 320
    x, y = (int(v) for v in rng.integers(0, int(0.85 * size), 2))
    kind = int(rng.integers(5))
    if kind <= 1:
        scale, bold = rng.uniform(0.5, 2.4) * unit, int(rng.integers(1, 5))
        text = "".join(_LETTERS[k] for k in rng.integers(0, len(_LETTERS), int(rng.integers(1, 9))))
        font = int(rng.choice((cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)))
        (width, height), _ = cv2.getTextSize(text, font, scale, bold)
        cv2.putText(canvas, text, (x, y + height), font, scale, 255, bold, cv2.LINE_AA)
        window = Window(max(x - 2, 0), max(y - 2, 0), min(x + width + 2, size), min(y + height + 4, size))
    elif kind == 2:
        bars, high = rng.uniform(1, 6, int(rng.integers(8, 30))) * unit, int(rng.uniform(20, 70) * unit)
        left = float(x)
        for k, bar in enumerate(bars):
            if k % 2 == 0:
                cv2.rectangle(canvas, (int(left), y), (int(left + bar), y + high), 255, -1)
            left += bar
        window = Window(x, y, min(int(left) + 1, size), min(y + high + 1, size))
    else:
        radius = int(rng.uniform(6, 60) * unit)
        thick = -1 if rng.random() < 0.4 else max(1, int(rng.uniform(1, 6) * unit))
        corners = regular_polygon(np.array([x, y], float), radius, int(rng.choice((3, 4, 6, 24))), rng.uniform(0, 3))
        outline = [np.round(corners).astype(np.int32)]
        if thick < 0:
            cv2.fillPoly(canvas, outline, 255, cv2.LINE_AA)
        else:
            cv2.polylines(canvas, outline, True, 255, thick, cv2.LINE_AA)
        reach = radius + max(thick, 0) + 1
        window = Window(max(x - reach, 0), max(y - reach, 0), min(x + reach, size), min(y + reach, size))
    if min(window.shape) > 5:
        scene.items.append(Item(window, "print"))


def part(rng: Generator, size: int) -> Scene:
    """One part that fills most of the picture: a disc, ring, plate or casting on a table, with holes."""
    light, unit, gray = draw_light(rng), draw_unit(rng, size), is_gray(rng)
    back = float(rng.uniform(0.05, 0.9))
    under = _plain(rng, size, (back, back, back), gray=gray, grain=rng.uniform(0, 0.04))
    makers = (grounds_metal.turned, grounds_metal.cast, grounds_metal.brushed, grounds_mineral.plastic)
    skin = makers[int(rng.integers(len(makers)))](rng, size).planes
    over = skin if len(skin) == len(under) else np.broadcast_to(skin.mean(axis=0, keepdims=True), under.shape)
    if abs(float(over.mean()) - back) < 0.12:
        over = over * np.float32(1.5 if over.mean() < 0.45 else 0.5)
    canvas = np.zeros((size, size), np.uint8)
    center = rng.uniform(0.3, 0.7, 2) * size
    radius = rng.uniform(0.3, 0.75) * size
    _outline(rng, canvas, center, radius)
    steps = _steps(rng, canvas, center, radius)
    cover = to_alpha(canvas)
    scene = Scene(under, light, unit, clip=True)
    if rng.random() < 0.6:  # the part's own shadow on the table
        shadow = cv2.GaussianBlur(cover, (0, 0), rng.uniform(2, 9) * size / 320)
        shift = np.array([[1, 0, -7.0 * light[0] * unit], [0, 1, -7.0 * light[1] * unit]])
        moved = np.asarray(cv2.warpAffine(shadow, shift, (size, size)), np.float32)
        scene.planes = scene.planes * (1 - np.float32(rng.uniform(0.2, 0.7)) * moved)
    return _layered(scene, over * steps, cover, edge=rng.uniform(0.3, 2.0))


def _outline(rng: Generator, canvas: Canvas, center: NDArray[np.float64], radius: float) -> None:
    kind = int(rng.integers(4))
    if kind == 0:
        corners = center + rounded_rectangle(2 * radius * rng.uniform(0.5, 1), 2 * radius, rng.uniform(0, 0.4) * radius)
    elif kind == 1:
        corners = blob(rng, center, radius, roughness=0.08, stretch=rng.uniform(1, 1.3))
    else:
        corners = regular_polygon(center, radius, 64 if kind == 2 else int(rng.choice((3, 5, 6, 8))), rng.uniform(0, 3))
    cv2.fillPoly(canvas, [np.round(corners).astype(np.int32)], 255, cv2.LINE_AA)


def _steps(rng: Generator, canvas: Canvas, center: NDArray[np.float64], radius: float) -> FloatArray:
    """Rings of different tone about the centre, and holes through the part."""
    tones = np.full(canvas.shape, 128, np.uint8)
    middle = (round(center[0]), round(center[1]))
    for share in np.sort(rng.uniform(0.2, 0.9, int(rng.integers(0, 5))))[::-1]:
        cv2.circle(tones, middle, round(radius * share), int(rng.integers(40, 200)), -1, cv2.LINE_AA)
    if rng.random() < 0.6:
        cv2.circle(canvas, middle, round(radius * rng.uniform(0.1, 0.3)), 0, -1, cv2.LINE_AA)
    holes, turn = int(rng.choice((0, 0, 3, 4, 6, 8))), rng.uniform(0, 3)
    for x, y in regular_polygon(center, radius * rng.uniform(0.5, 0.8), max(holes, 1), turn)[:holes]:
        cv2.circle(canvas, (round(x), round(y)), max(2, round(radius * 0.08)), 0, -1, cv2.LINE_AA)
    return tones.astype(np.float32) / np.float32(128)


def edge(rng: Generator, size: int) -> Scene:
    """The rim of a plate, strip or block across the picture."""
    makers = (grounds_metal.brushed, grounds_metal.milled, grounds_mineral.ceramic, grounds_mineral.wood)
    scene = makers[int(rng.integers(len(makers)))](rng, size)
    over = scene.planes
    count = len(over)
    level = float(rng.uniform(0.02, 0.25) if over.mean() > 0.4 else rng.uniform(0.5, 0.9))
    scene.planes = _plain(rng, size, (level, level, level), gray=count == 1, grain=0.02)
    angle = rng.uniform(0, 2 * math.pi)
    x, y = scene.whole.coordinates()
    along = (x - size / 2) * math.cos(angle) + (y - size / 2) * math.sin(angle)
    cover: FloatArray = np.clip(along - rng.uniform(-0.4, 0.2) * size, 0, 1).astype(np.float32)
    if rng.random() < 0.4:
        cover = cover * np.clip(rng.uniform(0.1, 0.5) * size - along, 0, 1)
    scene.clip = True
    return _layered(scene, over, np.asarray(cover, np.float32), edge=rng.uniform(0.3, 2.5))


def assembly(rng: Generator, size: int) -> Scene:
    """Things in their places on a plate: screws, caps, chips, pills, in rows or scattered."""
    makers = (grounds_mineral.painted, grounds_mineral.plastic, grounds_metal.brushed, grounds_metal.rolled)
    scene = makers[int(rng.integers(len(makers)))](rng, size)
    gray, kind = len(scene.planes) == 1, int(rng.integers(4))
    color = apart(rng, (float(scene.planes.mean()),) * 3, 0.15)
    canvas, relief = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    pitch = rng.uniform(0.16, 0.4) * size
    half = pitch * rng.uniform(0.22, 0.42)
    turn, aspect = rng.uniform(0, math.pi), rng.uniform(0.4, 1.0)
    start = rng.uniform(0.4, 1.0, 2) * pitch
    for y in np.arange(start[1], size, pitch):
        for x in np.arange(start[0], size, pitch):
            around = half + 2
            _fitting(rng, canvas, relief, np.array([x, y]), (half, kind, turn, aspect))
            low, high = np.maximum([x - around, y - around], 0), np.minimum([x + around, y + around], size)
            window = Window(int(low[0]), int(low[1]), math.ceil(high[0]), math.ceil(high[1]))
            if min(window.shape) > half:
                scene.items.append(Item(window, "fitting"))
    cover = to_alpha(canvas)
    over = _plain(rng, size, color, gray=gray, grain=rng.uniform(0.0, 0.04))
    height = np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.12 * half), np.float32) * np.float32(half * 0.3)
    over = over * np.clip(1 + lit(height, scene.light), 0.4, 1.8) * (1 - np.float32(0.73) * to_alpha(relief))
    return _layered(scene, over, cover, edge=rng.uniform(0.5, 2.0))


def _fitting(
    rng: Generator, canvas: Canvas, relief: Canvas, center: NDArray[np.float64], look: tuple[float, int, float, float]
) -> None:
    half, kind, turn, aspect = look
    middle = (round(center[0]), round(center[1]))
    if kind == 0:  # a screw with a slot or a cross, at any angle
        cv2.circle(canvas, middle, round(half), 255, -1, cv2.LINE_AA)
        angle = rng.uniform(0, math.pi)
        for k in range(2):
            d = 0.6 * half * np.array([math.cos(angle + k * math.pi / 2), math.sin(angle + k * math.pi / 2)])
            ends = np.round([center - d, center + d]).astype(int).tolist()
            cv2.line(relief, ends[0], ends[1], 255, max(1, round(half / 4)), cv2.LINE_AA)
    elif kind == 1:  # a cap or pill
        cv2.ellipse(canvas, (middle, (1.8 * half, 1.8 * half * aspect), math.degrees(turn)), 255, -1, cv2.LINE_AA)
    elif kind == 2:  # a nut
        corners = regular_polygon(center, half, 6, turn)
        cv2.fillPoly(canvas, [np.round(corners).astype(np.int32)], 255, cv2.LINE_AA)
        cv2.circle(canvas, middle, round(half * 0.5), 0, -1, cv2.LINE_AA)
    else:  # a chip or resistor, upright
        box = cv2.boxPoints((middle, (1.5 * half, 1.5 * half * aspect), 0 if turn < 1.5 else 90))
        cv2.fillPoly(canvas, [np.round(box).astype(np.int32)], 255)
        band = cv2.boxPoints((middle, (0.8 * half, 1.5 * half * aspect), 0 if turn < 1.5 else 90))
        cv2.fillPoly(relief, [np.round(band).astype(np.int32)], 160)
