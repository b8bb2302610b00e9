"""The networks of the comparison learn eight pictures by heart, each through the same trainer."""

from pathlib import Path

import pytest
import torch

from lightdet.build.dataset import load_dataset
from lightdet.build.training import build_trainer, load_training_data
from lightdet.config import load_config, load_yaml
from lightdet.data.pictures import Pictures
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.training.reporting import SilentReporter

CONFIGS = Path(__file__).parents[2] / "configs"
NO_CHANGES = [f"augment.{key}=0" for key in ("mosaic", "scale", "translate", "flip_lr", "hsv_h", "hsv_s", "hsv_v")]
SMALL_YOLOX = ["model.widths=[16, 32, 64, 64, 96]", "model.head_width=32"]

RUNS = [
    pytest.param("yolox-s", [*SMALL_YOLOX, "train.epochs=300"], id="yolox_s, narrow"),
    pytest.param("ssd", ["train.epochs=300"], id="ssd"),
    pytest.param("faster-rcnn", ["train.epochs=300"], id="faster-rcnn"),
]


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize(("name", "changes"), RUNS)
def test_eight_pictures_are_learned_by_heart(name: str, changes: list[str], tmp_path: Path) -> None:
    write_synthetic(tmp_path / "set", SyntheticPlan(images=24, imgsz=128, seed=3))
    overrides = ["imgsz=128", "train.batch=8", "train.ema_decay=0.9", "train.validate_every=300"]
    config = load_config(load_yaml(CONFIGS / f"{name}.yaml"), [*NO_CHANGES, *overrides, *changes])
    data = load_training_data(config, load_dataset(tmp_path / "set" / "dataset.yaml"))
    eight = [annotation for annotation in data.train.annotations if len(annotation)][:8]
    assert len(eight) == 8
    data.train = data.val = Pictures(eight, config.imgsz)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainer = build_trainer(
        config, data, folder=tmp_path / "run", device=device, reporter=SilentReporter(), board=False
    )
    (tmp_path / "run").mkdir()
    progress = trainer.fit()
    assert progress.last_metrics is not None
    assert progress.last_metrics["map50"] >= 0.9
