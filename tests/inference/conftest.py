"""What the tests of inference share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from color_network import ColorRuntime, paint


@pytest.fixture
def painted() -> Callable[..., np.ndarray]:
    return paint


@pytest.fixture
def runtime() -> ColorRuntime:
    return ColorRuntime()


@pytest.fixture
def make_runtime() -> type[ColorRuntime]:
    return ColorRuntime
