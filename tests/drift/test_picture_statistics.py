"""The statistics of a picture: finite for every picture, right on known ones, moved by what they are named after."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.drift.statistics import PICTURE_STATISTICS, picture_statistics


def texture(side: int = 160, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = cv2.resize(random.integers(60, 190, (20, 20), np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(coarse + random.normal(0, 4, (side, side)), 0, 255).astype(np.uint8)
    return np.repeat(noisy[..., None], 3, axis=2)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 700),
    width=st.integers(1, 700),
    level=st.sampled_from([0, 7, 255, None]),
    seed=st.integers(0, 99),
)
def test_every_picture_has_finite_values(height: int, width: int, level: int | None, seed: int) -> None:
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (height, width, 3), np.uint8)
    values = picture_statistics(image if level is None else np.full_like(image, level))
    assert tuple(values) == PICTURE_STATISTICS
    assert all(np.isfinite(value) for value in values.values())


def test_known_pictures() -> None:
    gray = texture()
    values = picture_statistics(gray)
    assert values["brightness"] == pytest.approx(gray.mean(), abs=0.51)
    assert values["contrast"] == pytest.approx(gray.std(), abs=0.26)
    assert values["highlights"] == pytest.approx(np.percentile(gray, 99), abs=2)
    assert values["shadows"] == pytest.approx(np.percentile(gray, 1), abs=2)
    assert values["red"] == 0 and values["blue"] == 0
    assert values["noise"] == pytest.approx(4, rel=0.15)
    half = np.zeros((100, 100, 3), np.uint8)
    half[:, 50:] = 200
    assert picture_statistics(half)["left to right"] == pytest.approx(100 * 100 / 101, abs=0.26)
    assert picture_statistics(half)["top to bottom"] == pytest.approx(0)


@pytest.mark.parametrize("side", [160, 900])
@pytest.mark.parametrize(
    ("name", "change", "sign"),
    [
        ("focus", lambda i: cv2.GaussianBlur(i, (0, 0), 2.0), -1),
        ("brightness", lambda i: cv2.convertScaleAbs(i, alpha=0.8), -1),
        ("contrast", lambda i: cv2.convertScaleAbs(i, alpha=1.2, beta=-20), +1),
        ("noise", lambda i: cv2.GaussianBlur(i, (0, 0), 1.0), -1),
        ("red", lambda i: np.minimum(i * [1.2, 1, 1], 255).astype(np.uint8), +1),
        ("centre", lambda i: (i * vignette(i)).astype(np.uint8), +1),
    ],
)
def test_each_is_moved_by_what_it_is_named_after(name: str, change: object, sign: int, side: int) -> None:
    before = [picture_statistics(texture(side, seed))[name] for seed in range(6)]
    after = [picture_statistics(change(texture(side, seed)))[name] for seed in range(6)]  # type: ignore[operator]
    assert np.sign(np.subtract(after, before)).tolist() == [sign] * 6


def vignette(image: np.ndarray) -> np.ndarray:
    y, x = np.indices(image.shape[:2]) / image.shape[0] - 0.5
    return (1 - x**2 - y**2)[..., None]
