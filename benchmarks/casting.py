"""Six networks from scratch on the castings, and our own recipe: one table over training, validation and test.

    python benchmarks/casting.py --data datasets/casting.yaml --output runs/casting --seeds 0 1 2

It writes the list of models and runs ``lightdet compare`` on it, which continues where it was stopped; further
arguments go to that command. The six have one recipe, for few epochs: inputs of 128 pixels (64 for the dense
network), rotations by 90 degrees and flips, the data set's own mean and deviation, a falling learning rate, averaged
weights. The epochs are chosen so that each takes a few minutes of one core; only ours trains longer, as in its
configuration.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from lightdet.cli.app import main as lightdet
from lightdet.files import write_text

CONFIGS = Path(__file__).resolve().parents[1] / "configs" / "classify"
OURS = "ours"
NETWORKS = {
    "basic CNN": ("cnn", 128, 25),
    "DNN": ("dnn", 64, 25),
    "MLP-Mixer": ("mlp_mixer", 128, 15),
    "ResNet-18": ("resnet18", 128, 8),
    "MobileNetV2": ("mobilenet_v2", 128, 8),
    "EfficientNet-B0": ("efficientnet_b0", 128, 5),
}
"""By the name of the row: configuration, input side, epochs."""
RECIPE = (
    "gray=true",
    "normalize=auto",
    "loss.label_smoothing=0.05",
    "augment.flip_lr=0.5",
    "augment.flip_ud=0.5",
    "augment.rotate_90=0.5",
    "augment.degrees=0",
    "augment.scale=0",
    "augment.hsv_v=0.1",
    "train.batch=16",
    "train.lr_final=0.01",
    "train.warmup_epochs=1",
    "train.weight_decay=0.02",
    "train.ema_decay=0.99",
)


def main() -> None:
    options, more = parse()
    path = options.output.with_name(f"{options.output.name}.models.yaml")
    write_text(path, yaml.safe_dump({"models": models(options.seeds, path)}, sort_keys=False))
    command = ["compare", "--models", str(path), "--data", str(options.data), "--output", str(options.output)]
    sys.exit(lightdet([*command, "--take", "best", "--seeds", "0", *more]))


def parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("runs/casting"))
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="of our own recipe; the others have one"
    )
    return parser.parse_known_args()


def models(seeds: Sequence[int], path: Path) -> dict[str, dict[str, object]]:
    """The rows of the table, as the list that ``lightdet compare --models`` reads from `path`."""

    def config(name: str) -> str:
        return os.path.relpath(CONFIGS / f"{name}.yaml", path.resolve().parent)

    rows: dict[str, dict[str, object]] = {
        OURS: {"config": config("from_scratch"), "seeds": list(seeds), "overrides": ["train.start=chance"]}
    }
    for row, (name, side, epochs) in NETWORKS.items():
        own = [*RECIPE, f"imgsz={side}", f"train.epochs={epochs}"]
        rows[row] = {"config": config(name), "overrides": own}
    return rows


if __name__ == "__main__":
    main()
