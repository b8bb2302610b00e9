"""Small defects in large pictures: trained on tiles, and on the pictures shrunk to the network's input.

    python benchmarks/tiles.py --folder build/tiles --output benchmarks/results/tiles.json

Renders pictures of 2048 x 1536 pixels with defects of 8 to 24 pixels (``lightdet data synth``), trains on them with the
same minutes each, one after the other, and then takes the time of each for one picture, in turn. The scores are those
of the best epoch on the whole pictures of the split ``val``: validation joins the tiles as ``lightdet val`` does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports import ended

import lightdet
from lightdet.data.images import read_image
from lightdet.files import write_json
from lightdet.processors import available_processors

TIMED = 6
"""Pictures that each model looks at for the time."""


@dataclass(frozen=True)
class Arm:
    """One way to train: its name, the side of the input and, with tiles, their size."""

    name: str
    imgsz: int
    tile: int | None = None

    def settings(self) -> list[str]:
        """The arguments of ``lightdet train``."""
        tiles = [] if self.tile is None else [f"tiles.size={self.tile}"]
        return ["--imgsz", str(self.imgsz), *tiles]


def main() -> None:
    options = parse()
    folder: Path = options.folder
    data = folder / "set" / "dataset.yaml"
    if not data.is_file():
        size = ["--size", "2048x1536", "--defects", "8-24", "--picture", "jpg", "--val", "0.25"]
        run("data", "synth", *size, "--images", options.images, "--seed", options.seed, "--output", folder / "set")
    arms = [Arm("tiles", options.imgsz, options.imgsz), Arm("shrunk", options.imgsz)]
    if options.larger is not None:
        arms.append(Arm("shrunk, larger input", options.larger))
    rows = {arm.name: train(arm, data, options) for arm in arms}
    weights = {arm.name: place(folder, arm) / "best.safetensors" for arm in arms}
    for name, seconds in time_per_picture(weights, sorted((folder / "set/images/val").iterdir())).items():
        rows[name]["seconds_per_picture"] = seconds
    gain = rows["tiles"]["map50"] - rows["shrunk"]["map50"]
    about = {"machine": platform.platform(), "processors": available_processors(), "lightdet": lightdet.__version__}
    write_json(options.output, {**about, "minutes": options.minutes, "arms": rows, "gain": gain})
    for name, row in rows.items():
        print(
            f"{name}: mAP@0.5 {row['map50']:.3f}, mAP@0.5:0.95 {row['map50_95']:.3f}, {row['epochs']} epochs, "
            f"{row['seconds_per_picture']:.2f} s per picture"
        )
    print(f"gain in mAP@0.5: {gain:+.3f}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/tiles"), help="pictures and trainings go here")
    parser.add_argument("--output", type=Path, default=Path("tiles.json"))
    parser.add_argument("--images", type=int, default=80, help="a quarter of them to validate")
    parser.add_argument("--minutes", type=float, default=7.0, help="for each training")
    parser.add_argument("--imgsz", type=int, default=320, help="the network's input, and the tiles' size")
    parser.add_argument("--larger", type=int, help="also train on pictures shrunk to this side")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def place(folder: Path, arm: Arm) -> Path:
    """Where a training is written."""
    return folder / arm.name.replace(", ", "-").replace(" ", "-")


def train(arm: Arm, data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train one arm, unless that is done already; its best epoch's scores are those of whole pictures."""
    output = place(options.folder, arm)
    report = output / "train.json"
    if not ended(report):
        more = ["--minutes", options.minutes, "--json", report, f"train.seed={options.seed}", "--overwrite"]
        run("train", "--data", data, "--output", output, *arm.settings(), *more)
    trained = json.loads(report.read_text())
    return {
        "imgsz": arm.imgsz,
        "tile": arm.tile,
        **{name: trained["best"][name] for name in ("map50", "map50_95", "precision", "recall")},
        **{name: trained[name] for name in ("epochs", "minutes", "images_per_second")},
    }


def time_per_picture(weights: dict[str, Path], pictures: list[Path]) -> dict[str, float]:
    """Median seconds for one picture without reading it; the models take turns, so that all meet the same load."""
    models = {name: lightdet.load(path) for name, path in weights.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for path in pictures[: TIMED + 1]:
        image = read_image(path)
        for name, model in models.items():
            start = time.perf_counter()
            model(image)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(each[1:]) for name, each in seconds.items()}


def run(*arguments: object) -> None:
    """Run ``lightdet`` as a user does."""
    command = [sys.executable, "-m", "lightdet", *map(str, arguments)]
    print("$", *command[2:], flush=True)
    subprocess.run(command, check=True, env=os.environ)


if __name__ == "__main__":
    main()
