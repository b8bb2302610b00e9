"""Images a second of the trainer, of a bare loop, and of another package's trainer, in turn in one run.

    python benchmarks/training_speed.py --output benchmarks/results/training_speed.json
    python benchmarks/training_speed.py --peer-python PEER/bin/python      with a venv that has `ultralytics`

The bare loop runs forward, loss, backward and step on one batch that stays in memory: no data, no average, no
clipping. The trainer is the one of ``lightdet train``, augmentation included. The peer trains its yolov5n from
scratch at the same size and batch on the same pictures (`ultralytics` is AGPL: it lives in a venv of its own
and nothing of it is imported here).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from lightdet.build.dataset import load_dataset
from lightdet.build.training import build_trainer, load_training_data
from lightdet.cli.train_run import compute_threads
from lightdet.config import Config, YamlFile, validate
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.files import write_json
from lightdet.structures import Batch
from lightdet.training.optimizer import build_optimizer
from lightdet.training.reporting import SilentReporter
from lightdet.training.trainer import Trainer

HERE = Path(__file__).parent


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        plan = SyntheticPlan(images=options.images * 5 // 4, imgsz=options.imgsz, seed=0, val=0.2)
        write_synthetic(work / "set", plan)
        memory = peak_of_the_command(options, work)
        trainer = make_trainer(options, work)
        bare, bare_batch = make_trainer(options, work), None
        rounds: list[dict[str, float]] = []
        for number in range(options.rounds + 1):
            bare_batch = bare_batch or next(bare.loader.epoch(0))
            # The bare loop with every processor, the trainer as the command runs it (docs/adr/0009).
            torch.set_num_threads(os.cpu_count() or 1)
            speeds = {"bare": bare_loop(bare, bare_batch, len(trainer.loader))}
            torch.set_num_threads(compute_threads(None) or torch.get_num_threads())
            speeds["trainer"] = one_epoch(trainer)
            if options.peer_python:
                speeds["peer"] = peer_epochs(options, work)
            print(
                f"round {number}{' (warm-up)' if number == 0 else ''}: "
                + ", ".join(f"{k} {v:.1f}" for k, v in speeds.items()),
                flush=True,
            )
            if number:
                rounds.append(speeds)
    result = summarize(options, rounds, memory)
    print(json.dumps(result, indent=2))
    if options.output:
        write_json(options.output, result)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--images", type=int, default=320, help="training pictures, and so an epoch's length")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-python", help="interpreter of a venv with ultralytics")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def make_trainer(options: argparse.Namespace, work: Path) -> Trainer:
    changes = [f"imgsz={options.imgsz}", f"train.batch={options.batch}", "train.epochs=1000"]
    config = validate(Config, YamlFile({}), changes)
    data = load_training_data(config, load_dataset(work / "set" / "dataset.yaml"))
    trainer = build_trainer(
        config, data, folder=work / "run", device=torch.device("cpu"), reporter=SilentReporter(), board=False
    )
    trainer.validation = None  # speed of training alone; the peer's is taken without its validation, too
    return trainer


def bare_loop(trainer: Trainer, batch: Batch, steps: int) -> float:
    network = trainer.task.network.train()
    optimizer = build_optimizer(network, "adamw", lr=1e-4, momentum=0.9, weight_decay=0.02, batch=len(batch))
    began = time.perf_counter()
    for _ in range(steps):
        trainer.task.loss(network, batch).total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return steps * len(batch) / (time.perf_counter() - began)


def one_epoch(trainer: Trainer) -> float:
    trainer._run_epoch()
    return float(trainer.progress.history[-1]["images_per_second"])


def peer_epochs(options: argparse.Namespace, work: Path) -> float:
    flags = [str(work / "set"), str(options.imgsz), str(options.batch)]
    done = subprocess.run(
        [options.peer_python, str(HERE / "peers" / "ultralytics_training.py"), *flags],
        capture_output=True, text=True, check=False, cwd=work,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    return float(json.loads(done.stdout.strip().splitlines()[-1])["images_per_second"])


def peak_of_the_command(options: argparse.Namespace, work: Path) -> float:
    """Peak resident memory in MiB of ``tools/train.py`` over one epoch with validation."""
    door = HERE.parent / "tools" / "train.py"
    flags = ["--data", str(work / "set" / "dataset.yaml"), "--output", str(work / "memory"), "--epochs", "1"]
    flags += ["--imgsz", str(options.imgsz), "--batch", str(options.batch), "--device", "cpu"]
    subprocess.run([sys.executable, str(door), *flags], check=True, stdout=subprocess.DEVNULL)
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / scale


def summarize(options: argparse.Namespace, rounds: list[dict[str, float]], memory: float) -> dict[str, object]:
    medians = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    result: dict[str, object] = {
        "imgsz": options.imgsz,
        "batch": options.batch,
        "rounds": len(rounds),
        "images_per_second": {name: round(value, 1) for name, value in medians.items()},
        "trainer_over_bare": round(statistics.median(r["trainer"] / r["bare"] for r in rounds), 3),
        "peak_memory_mib": round(memory),
        "torch": torch.__version__,
        "threads": {"bare": os.cpu_count(), "trainer": torch.get_num_threads()},
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "processor": str(getattr(torch.cpu, "get_capabilities", dict)().get("cpu_name", platform.processor())),
    }
    if "peer" in medians:
        result["trainer_over_peer"] = round(statistics.median(r["trainer"] / r["peer"] for r in rounds), 3)
    return result


if __name__ == "__main__":
    main()
