"""Pictures for pretraining: pure, exact, seen, of every kind and on every ground."""

from __future__ import annotations

import hashlib
import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightdet.assembly.dataset import load_dataset
from lightdet.cli.app import main
from lightdet.data.dataset import read_split
from lightdet.data.images import read_image
from lightdet.data.synthetic import SyntheticPlan, Teacher
from lightdet.data.synthetic.teacher import CLASSES, GROUNDS, KINDS, Drawing, draw
from lightdet.data.synthetic.teacher.bank import FIELDS, cut, field
from lightdet.data.synthetic.teacher.catalogue import Kind
from lightdet.errors import UserError

drawing = importlib.import_module("lightdet.data.synthetic.teacher.draw")  # the package's name for it is a function
SMALL = 128
COUNT = 160


@cache
def drawn(index: int) -> Drawing:
    return draw(3, index, SMALL)


def digest(seed: int, index: int, size: int = SMALL) -> str:
    image, boxes, labels = Teacher(seed, size).draw(index)
    return hashlib.sha256(image.tobytes() + boxes.tobytes() + labels.tobytes()).hexdigest()


def test_a_picture_depends_on_seed_and_index_alone() -> None:
    forwards = [digest(4, index) for index in range(16)]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(lambda index: digest(4, index), reversed(range(16))))
    assert threaded[::-1] == forwards
    assert len(set(forwards)) == 16
    assert digest(5, 0) != forwards[0]


def test_another_process_draws_the_same_bytes() -> None:
    program = (
        "import hashlib, cv2; cv2.setNumThreads(1)\n"
        "from lightdet.data.synthetic import Teacher\n"
        "for index in (7, 3, 5):\n"
        f"    parts = Teacher(4, {SMALL}).draw(index)\n"
        "    print(hashlib.sha256(b''.join(p.tobytes() for p in parts)).hexdigest())\n"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.split() == [digest(4, index) for index in (7, 3, 5)]


def test_boxes_and_labels_are_valid() -> None:
    for index in range(COUNT):
        one = drawn(index)
        assert one.image.shape == (SMALL, SMALL, 3)
        assert one.image.dtype == np.uint8
        assert (one.boxes.dtype, one.labels.dtype) == (np.float32, np.int64)
        assert one.boxes.shape == (len(one.labels), 4)
        assert len(one.labels) <= 8
        assert (one.boxes >= 0).all()
        assert (one.boxes <= SMALL).all()
        sides = one.boxes[:, 2:] - one.boxes[:, :2]
        assert (sides >= 3).all()
        label_of = {kind.name: kind.label for kind in KINDS}
        assert [CLASSES[label] for label in one.labels] == [label_of[kind] for kind in one.kinds]
        assert {label_of[kind] for kind in one.kinds} <= GROUNDS[one.ground].classes


def test_a_picture_without_defects_is_its_reference_and_some_are() -> None:
    sound = [drawn(index) for index in range(COUNT) if not len(drawn(index).labels)]
    assert 0.05 * COUNT <= len(sound) <= 0.25 * COUNT
    for one in sound:
        assert np.array_equal(one.image, one.reference)


def test_boxes_are_the_tight_bounds_of_what_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = drawing.draw_camera
    monkeypatch.setattr(
        drawing, "draw_camera", lambda *a, **k: replace(camera(*a, **k), noise=0.0, coarse=0.0, quality=None)
    )
    checked = 0
    for index in range(120):
        one = draw(6, index, SMALL, clean=0.0)
        if len(one.labels) != 1:
            continue
        change = np.abs(one.image.astype(int) - one.reference).max(axis=2)
        seen = change >= max(7, round(0.2 * int(change.max())))
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        bounds = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        # A window's last bits may round differently from the whole picture's.
        assert np.abs(one.boxes[0] - bounds).max() <= 1, (index, one.kinds, one.ground)
        checked += 1
    assert checked >= 25


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_can_be_drawn(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    fitting = [name for name, ground in GROUNDS.items() if kind.label in ground.classes]
    assert fitting
    turn = iter(range(10_000))
    monkeypatch.setattr(drawing, "_pick_ground", lambda rng: fitting[next(turn) % len(fitting)])
    monkeypatch.setattr(drawing, "_pick_kind", lambda rng, classes: kind)
    found = (len(draw(1, index, SMALL, clean=0.0, reference=False).labels) > 0 for index in range(60))
    assert any(found)
    assert any(found)  # and once more


@pytest.mark.parametrize("name", GROUNDS)
def test_every_ground_is_sound_and_can_have_defects(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = GROUNDS[name].make(np.random.default_rng(0), SMALL)
    assert scene.planes.dtype == np.float32
    assert scene.planes.shape in {(1, SMALL, SMALL), (3, SMALL, SMALL)}
    for planes in (scene.planes, scene.under, scene.over, scene.cover):
        assert planes is None or (np.isfinite(planes).all() and planes.dtype == np.float32)
    monkeypatch.setattr(drawing, "_pick_ground", lambda rng: name)
    assert sum(len(draw(2, index, SMALL, clean=0.0, reference=False).labels) for index in range(6)) >= 3


def test_many_kinds_grounds_and_tones_come_by_chance() -> None:
    pictures = [drawn(index) for index in range(COUNT)]
    assert len({kind for one in pictures for kind in one.kinds}) >= 0.8 * len(KINDS)
    assert len({one.ground for one in pictures}) >= 0.85 * len(GROUNDS)
    gray = sum(not np.ptp(one.image, axis=2).any() for one in pictures)
    assert 0.15 * COUNT <= gray <= 0.6 * COUNT
    means = np.array([one.image.mean() for one in pictures])
    assert np.ptp(np.quantile(means, [0.1, 0.9])) > 50


@pytest.mark.parametrize("size", [96, 224, 352])
def test_any_size_is_drawn(size: int) -> None:
    for index in range(6):
        image, boxes, _ = Teacher(0, size).draw(index)
        assert image.shape == (size, size, 3)
        assert (boxes <= size).all()


@pytest.mark.parametrize("name", FIELDS)
def test_textures_are_normed_and_cut_to_shape(name: str) -> None:
    whole = field(name)
    assert abs(float(whole.mean())) < 1e-3
    assert float(whole.std()) == pytest.approx(1, abs=1e-3)
    rng = np.random.default_rng(0)
    for shape, scale, angle, stretch in (((40, 70), 1.0, 0.0, 1.0), ((33, 20), 0.3, 0.7, 2.0), ((90, 50), 3.0, 0, 1)):
        assert cut(rng, name, shape, scale, angle, stretch).shape == shape


def test_a_set_is_written_and_reads_back(tmp_path: Path) -> None:
    target = tmp_path / "set"
    arguments: list[Any] = ["data", "synth", "--recipe", "teacher", "-n", 12, "--imgsz", 96, "--seed", 2, "-o", target]
    assert main([str(word) for word in arguments]) == 0
    spec = load_dataset(target / "dataset.yaml")
    assert spec.classes == CLASSES
    assert "--recipe teacher" in (target / "dataset.yaml").read_text()
    for split in ("train", "val"):
        for annotation in read_split(spec, split)[0]:
            one = draw(2, int(annotation.image.stem), 96, clean=0.15)
            assert np.array_equal(read_image(annotation.image), one.image)
            assert np.allclose(annotation.boxes, one.boxes, atol=1e-3)
            assert np.array_equal(annotation.labels, one.labels)


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(UserError, match="recipe"):
        SyntheticPlan(10, recipe="cake")  # type: ignore[arg-type]
