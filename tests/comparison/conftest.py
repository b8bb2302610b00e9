"""A small rendered set, two small networks, and a comparison of them that is made once and copied."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from comparison_runs import Compare, interrupted_comparison, small_configs


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="module")
def _quick_intervals(few_resamples: None) -> None:
    pass


@pytest.fixture(scope="session")
def defect_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of a set of about 18 training and 12 validation pictures."""
    from lightdet.data.synthetic import SyntheticPlan, write_synthetic

    folder = tmp_path_factory.mktemp("defects") / "set"
    write_synthetic(folder, SyntheticPlan(images=30, imgsz=96, seed=3, val=0.4))
    return folder / "dataset.yaml"


@pytest.fixture(scope="session")
def whole(defect_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a comparison of two models, one with two seeds, that was stopped once and gone on with."""
    folder = tmp_path_factory.mktemp("comparison")
    small_configs(folder)
    interrupted_comparison(defect_set, folder)
    return folder / "out"


@pytest.fixture
def compare(
    defect_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Compare:
    """Runs the command in a folder with the two configurations, ``near.yaml`` and ``far.yaml``."""
    monkeypatch.chdir(tmp_path)
    small_configs(tmp_path)
    return Compare(defect_set, capsys)


@pytest.fixture
def done(whole: Path, tmp_path: Path) -> Callable[[], Path]:
    """Copies the finished comparison to ``out`` of the test's own folder."""

    def copy() -> Path:
        return Path(shutil.copytree(whole, tmp_path / "out"))

    return copy
