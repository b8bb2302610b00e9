"""A small rendered set, and a space over it."""

from pathlib import Path

import pytest
from two_hosts import hosts  # noqa: F401 - a fixture

pytest.importorskip("optuna", reason="tune needs Optuna: pip install 'lightdet[tune]'")


@pytest.fixture(scope="session")
def defect_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of a set of about 9 training and 3 validation pictures."""
    from lightdet.data.synthetic import SyntheticPlan, write_synthetic

    folder = tmp_path_factory.mktemp("defects") / "set"
    write_synthetic(folder, SyntheticPlan(images=12, imgsz=96, seed=3, val=0.25))
    return folder / "dataset.yaml"


@pytest.fixture(scope="session")
def class_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of dark and bright pictures: 8 to train on, 4 to validate."""
    import numpy as np
    from PIL import Image

    root = tmp_path_factory.mktemp("classes") / "set"
    rng = np.random.default_rng(0)
    for split, count in {"train": 4, "val": 2}.items():
        for kind, level in {"dark": 60, "bright": 190}.items():
            (root / split / kind).mkdir(parents=True)
            for number in range(count):
                picture = rng.normal(level, 20, (40, 40, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(picture).save(root / split / kind / f"{number}.png")
    (root / "set.yaml").write_text("format: folders\nclasses: [dark, bright]\nsplits: {train: train, val: val}\n")
    return root / "set.yaml"
