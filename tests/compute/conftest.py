"""Pools and threads hold for the whole process: each test leaves them as it found them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from lightdet.layers.pool import use_pools


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    use_pools("torch")
    torch.set_num_threads(1)
