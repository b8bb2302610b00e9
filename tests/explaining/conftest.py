"""Pictures whose defect is known to the pixel."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


def _spot(rng: np.random.Generator, side: int, *, bad: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """A clouded gray picture; in bad ones a dark disc, and its box."""
    clouds = cv2.resize(rng.normal(130, 15, (side // 8, side // 8)).astype(np.float32), (side, side))
    image = clouds + rng.normal(0, 4, (side, side))
    box = None
    if bad:
        radius = int(rng.integers(side // 12, side // 7))
        x, y = (int(v) for v in rng.integers(radius + 1, side - radius - 1, 2))
        cv2.circle(image, (x, y), radius, 30.0, -1)
        box = np.array([x - radius, y - radius, x + radius + 1, y + radius + 1], np.float32)
    return np.repeat(np.clip(image, 0, 255).astype(np.uint8)[..., None], 3, axis=2), box


@pytest.fixture(scope="session")
def spot_picture() -> Callable[..., tuple[np.ndarray, np.ndarray | None]]:
    return _spot
