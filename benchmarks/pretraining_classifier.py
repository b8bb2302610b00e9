"""Weights for our own small classifier, from the renderings that a detector's pretraining drew.

    python benchmarks/pretraining.py --output DIR …                   # draws DIR/pictures first
    python benchmarks/pretraining_classifier.py --pictures DIR/pictures --output CLASSIFIER --minutes 10

Each picture's class is the kind of its largest defect, or `good`. The pictures are linked, not copied, into a folder
per class; `lightdet train` with configs/classify/from_scratch.yaml does the rest and continues after an interruption.
CLASSIFIER/run/last.safetensors are the weights, for `lightdet train --weights`. With --keep they also go into the
package, in half precision: lightdet/pretrained/cnn.safetensors.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch
import yaml
from reports import ended

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.starting import FOLDER
from lightdet.data.dataset import read_split
from lightdet.files import write_text
from lightdet.models.weights import load_model, save_model
from lightdet.training.checkpoint import load_state

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / "configs" / "classify" / "from_scratch.yaml"
GOOD = "good"
DONE = "train.json"
"""Is written when the training ends or is interrupted, which it says."""


def main() -> None:
    options = parse()
    data = options.output / "classes" / "dataset.yaml"
    if not data.exists():  # written last
        link_by_class(options.pictures, data.parent)
    run = options.output / "run"
    if not ended(run / DONE):
        train(options, data, run)
    if options.keep:
        keep(run)


def train(options: argparse.Namespace, data: Path, run: Path) -> None:
    """Train, or continue a training that was interrupted."""
    command = [sys.executable, "-m", "lightdet", "train", "--data", str(data), "--output", str(run)]
    if (run / "state.safetensors").exists():
        command += ["--resume"]
    else:
        command += ["--config", str(CONFIG), "--minutes", str(options.minutes), "--seed", str(options.seed)]
        command += ["train.start=chance", *options.changes]  # a later train.start wins
    subprocess.run([*command, "--json", str(run / DONE)], check=True)


def keep(run: Path) -> None:
    """Write what the package keeps: matrices in half precision, all that normalizes in full, the recipe in the card."""
    tensors, card = load_model(run / "last.safetensors")
    result = json.loads((run / DONE).read_text(encoding="utf-8"))
    told = {"metrics": result.get("metrics"), "config": load_state(run).run["config"], "torch": torch.__version__}
    small = {name: value.half() if value.dim() > 1 else value for name, value in tensors.items()}
    path = FOLDER / "cnn.safetensors"
    save_model(path, small, replace(card, facts={"pretraining": told}))
    print(f"kept {path} ({path.stat().st_size / 1e6:.2f} MB)")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="the detector's rendered set")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="put the weights into the package")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    return parser.parse_args()


def link_by_class(pictures: Path, folder: Path) -> None:
    """Give each picture of a detection set the class of its largest defect, in a folder of that name."""
    spec = load_dataset(pictures / "dataset.yaml")
    names, counts = [*spec.classes, GOOD], Counter[str]()
    for split in ("train", "val"):
        lines = []
        for annotation in read_split(spec, split)[0]:
            boxes = annotation.boxes
            areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
            name = names[int(annotation.labels[areas.argmax()])] if len(boxes) else GOOD
            place = folder / name / f"{split}_{annotation.image.name}"
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                os.link(annotation.image, place)
            lines.append(f"{name}/{place.name}\n")
            counts[name] += 1
        write_text(folder / f"{split}.txt", "".join(lines))
    used = [name for name in names if counts[name]]
    splits = {split: f"{split}.txt" for split in ("train", "val")}
    told = {"name": "renderings", "format": "folders", "classes": used, "bad": [n for n in used if n != GOOD]}
    write_text(folder / "dataset.yaml", yaml.safe_dump({**told, "splits": splits}))


if __name__ == "__main__":
    main()
