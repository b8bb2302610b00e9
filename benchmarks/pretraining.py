"""From a seed to pretrained weights: render, train on the renderings, report the cost.

    python benchmarks/pretraining.py --output DIR --pictures 6000 --imgsz 224 --epochs 40 --seed 0

The same command continues after an interruption. The pictures of the first epochs and those for scoring are
in DIR/pictures; every `--redraw` epochs each training picture is replaced by one never seen before, drawn during the
training (`--redraw 0` always keeps the first ones). Words of the form train.lr=0.001 change the configuration.
DIR/weights.safetensors is the averaged network of the last epoch, DIR/pretraining.json the recipe and its cost.
With --keep the weights also go into the package, in half precision: lightdet/pretrained/NAME.safetensors.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.detector_training import build_trainer, load_training_data
from lightdet.assembly.starting import FOLDER
from lightdet.assembly.trainer import RunContext
from lightdet.assembly.training_data import TrainingData
from lightdet.config import RunConfig, load_config, load_yaml
from lightdet.data.loader import TrainingLoader
from lightdet.data.pictures import Pictures
from lightdet.data.synthetic import SyntheticPlan, Teacher, default_workers, write_synthetic
from lightdet.files import write_json
from lightdet.models.device import choose_device
from lightdet.models.weights import load_model, save_model
from lightdet.structures import Sample
from lightdet.training.checkpoint import STATE_FILE, Progress, load_state
from lightdet.training.folder_lock import folder_lock
from lightdet.training.interrupt import stop_on_signal
from lightdet.training.reporting import SilentReporter

HERE = Path(__file__).resolve().parent
DEFAULTS = (
    "train.validate_every=5", "augment.mosaic_off_epochs=8", "train.start=chance",
    "augment.mosaic=1", "augment.scale=0.5", "train.lr=0.002",  # for later rounds too, which begin with weights
)  # fmt: skip
UNLIKE = 1_000_003
"""Added to the seed of pictures drawn later, so that none of them is among those for scoring."""


class FreshPictures:
    """The training pictures, each replaced every `redraw` epochs; which one a place holds depends only on the epoch.

    The change is spread evenly: in each epoch one of `redraw` pictures is new.
    """

    def __init__(self, first: Pictures, teacher: Teacher, redraw: int) -> None:
        self.first, self.teacher, self.redraw = first, teacher, redraw
        self.imgsz, self.annotations = first.imgsz, first.annotations
        self.epoch = 0
        self._drawn: dict[int, tuple[int, Sample]] = {}

    def __len__(self) -> int:
        return len(self.first)

    @property
    def per_epoch(self) -> int:
        """One sample of each picture."""
        return len(self)

    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        """The picture at a place in this epoch."""
        generation = (self.epoch + index % self.redraw) // self.redraw if self.redraw else 0
        kept = self._drawn.get(index)
        if kept is not None and kept[0] == generation:
            return kept[1]
        if generation == 0:
            sample = self.first.draw(index, rng)
        else:
            sample = Sample(*self.teacher.draw((generation - 1) * len(self) + index))
        self._drawn[index] = generation, sample
        return sample


class FreshSamples:
    """Makes samples for the trainer's loader: passes the epoch to the pictures, then makes a sample as usual."""

    def __init__(self, samples: Any, fresh: FreshPictures) -> None:
        samples.pictures = fresh
        self.samples, self.fresh = samples, fresh

    def __len__(self) -> int:
        return len(self.fresh)

    def make(self, epoch: int, position: int, index: int, *, compose: bool) -> Sample:
        """As `lightdet.data.pipeline.TrainingSamples.make`."""
        self.fresh.epoch = epoch  # an epoch's samples are all made before the next one's are asked for
        made: Sample = self.samples.make(epoch, position, index, compose=compose)
        return made


class Printing(SilentReporter):
    """Prints each epoch's row in a line; enough for a log file."""

    def note(self, text: str) -> None:
        """Print it."""
        print(text, flush=True)

    def epoch_begins(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """Remember how many there will be."""
        self.epochs = epochs

    def epoch_ends(self, record: Mapping[str, Any]) -> None:
        """Print what matters of the row."""
        shown = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in record.items() if not k.startswith("ap")}
        wanted = ("epoch", "loss", "map50", "map50_95", "minutes", "images_per_second")
        words = " ".join(f"{name} {shown[name]}" for name in wanted if shown.get(name) is not None)
        print(f"{words} of {self.epochs} epochs", flush=True)


def main() -> None:
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    with folder_lock(options.output):
        seconds = render(options)
        config = configuration(options)
        spec = load_dataset(options.output / "pictures" / "dataset.yaml")
        data = load_training_data(config, spec)
        progress = train(options, config, data)
        if not progress.done:
            raise SystemExit("stopped; the same command continues")
        report(options, config, data, progress, seconds)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=6000, help="training pictures in an epoch")
    parser.add_argument("--val", type=int, default=300, help="pictures that are scored on")
    parser.add_argument("--imgsz", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--redraw", type=int, default=4, help="epochs after which a picture is replaced; 0: never")
    parser.add_argument("--config", type=Path, default=HERE.parent / "configs" / "lightdet.yaml")
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--keep", action="store_true", help="put the weights into the package")
    parser.add_argument("--device", default="auto")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    return parser.parse_args()


def render(options: argparse.Namespace) -> float:
    """Write the first pictures unless they are there; seconds that it took, also where that was before."""
    folder, noted = options.output / "pictures", options.output / "rendering.json"
    plan = render_plan(options)
    wanted = {name: str(value) for name, value in vars(plan).items()}
    if noted.exists():
        before = json.loads(noted.read_text())
        if before["plan"] != wanted:
            raise SystemExit(f"{folder} holds other pictures than asked for; name another --output")
        return float(before["seconds"])
    shutil.rmtree(folder, ignore_errors=True)  # left unfinished
    began = time.perf_counter()
    write_synthetic(folder, plan, workers=default_workers(plan.images))
    seconds = time.perf_counter() - began
    write_json(noted, {"plan": wanted, "seconds": seconds})
    print(f"{plan.images} pictures rendered in {seconds / 60:.1f} minutes", flush=True)
    return seconds


def render_plan(options: argparse.Namespace) -> SyntheticPlan:
    total = options.pictures + options.val
    share = round(options.val / total, 6)
    return SyntheticPlan(total, options.seed, options.imgsz, val=share, clean=0.12, recipe="teacher")


def configuration(options: argparse.Namespace) -> RunConfig:
    own = [f"imgsz={options.imgsz}", f"train.epochs={options.epochs}", f"train.seed={options.seed}"]
    own += [f"train.start={options.start}"] if options.start is not None else []
    return load_config(load_yaml(options.config), [*DEFAULTS, *own, *options.changes])


def train(options: argparse.Namespace, config: RunConfig, data: TrainingData[Pictures]) -> Progress:
    folder = options.output / "run"
    folder.mkdir(exist_ok=True)
    state = load_state(folder) if (folder / STATE_FILE).exists() else None
    if state is not None and state.progress.done:
        return state.progress
    run = {"config": config.model_dump(mode="json"), "redraw": options.redraw, "names": list(data.names)}
    if state is not None and {key: state.run.get(key) for key in run} != run:
        raise SystemExit(f"{folder} was begun with another recipe; name another --output")
    with stop_on_signal() as stop:
        trainer = build_trainer(
            config,
            data,
            RunContext(
                folder=folder,
                device=choose_device(options.device),
                run=run,
                reporter=Printing(),
                stop=stop,
                resume=state,
                board=False,
            ),
        )
        teacher = Teacher(options.seed + UNLIKE, options.imgsz)
        assert isinstance(trainer.loader, TrainingLoader)
        trainer.loader.samples = FreshSamples(
            trainer.loader.samples, FreshPictures(data.train, teacher, options.redraw)
        )
        cv2.setNumThreads(1)
        return trainer.fit()


def report(
    options: argparse.Namespace, config: RunConfig, data: TrainingData[Pictures], progress: Progress, rendering: float
) -> None:
    weights = options.output / "weights.safetensors"
    shutil.copyfile(options.output / "run" / "last.safetensors", weights)
    result = {
        "recipe": {**{k: str(v) for k, v in vars(options).items()}, "config": config.model_dump(mode="json")},
        "classes": list(data.names),
        "scores": {name: (progress.last_metrics or {}).get(name) for name in ("map50", "map75", "map50_95")},
        "pictures_seen": progress.images,
        "minutes": {"rendering": round(rendering / 60, 2), "training": round(progress.seconds / 60, 2)},
        "commit": commit(),
        "weights": {"sha256": hashlib.sha256(weights.read_bytes()).hexdigest(), "bytes": weights.stat().st_size},
        "torch": torch.__version__,
        "threads": {"torch": torch.get_num_threads(), "python": threading.active_count()},
        "processors": os.cpu_count(),
        "processor": str(getattr(torch.cpu, "get_capabilities", dict)().get("cpu_name", platform.processor())),
    }
    write_json(options.output / "pretraining.json", result)
    print(json.dumps({name: result[name] for name in ("scores", "minutes", "weights")}, indent=2, default=str))
    if options.keep:
        keep(weights, config, result)


def keep(weights: Path, config: RunConfig, result: Mapping[str, Any]) -> None:
    """Write what the package keeps: matrices in half precision, all that normalizes in full, the recipe in the card."""
    tensors, card = load_model(weights)
    told = {name: result[name] for name in ("scores", "pictures_seen", "minutes", "commit", "torch", "processor")}
    start = config.train.start  # the recipe's path is specific to this machine; its content is the same everywhere
    first = hashlib.sha256(Path(start).read_bytes()).hexdigest() if start and Path(start).is_file() else start
    told["recipe"] = {
        **result["recipe"]["config"]["train"],
        "start": first,
        "imgsz": config.imgsz,
        **{name: result["recipe"][name] for name in ("pictures", "redraw")},
    }
    small = {name: value.half() if value.dim() > 1 and name != "anchors" else value for name, value in tensors.items()}
    path = FOLDER / f"{config.model.name}.safetensors"
    save_model(path, small, replace(card, facts={"pretraining": told}))
    print(f"kept {path} ({path.stat().st_size / 1e6:.2f} MB)")


def commit() -> str | None:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )  # fmt: skip
    return done.stdout.strip() or None


if __name__ == "__main__":
    main()
