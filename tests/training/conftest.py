"""A small rendered defect set and a small network, so that whole trainings take seconds."""

from pathlib import Path

import pytest
import torch
from two_hosts import hosts  # noqa: F401 - a fixture


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def defect_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of a set of about 14 training and 4 validation pictures of 64 pixels."""
    from lightdet.data.synthetic import SyntheticPlan, write_synthetic

    folder = tmp_path_factory.mktemp("defects") / "set"
    write_synthetic(folder, SyntheticPlan(images=18, imgsz=96, seed=3, val=0.25))
    return folder / "dataset.yaml"
