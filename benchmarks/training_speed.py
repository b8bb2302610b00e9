"""Images per second of the trainer, of a bare loop, and of another package's trainer, in turn in one run.

    python benchmarks/training_speed.py --output benchmarks/results/training_speed.json
    python benchmarks/training_speed.py --peer-python PEER/bin/python      with a venv that has `ultralytics`

The trainer is the one of ``lightdet train``, augmentation included, as its probe chooses to compute; ``one core`` is
the same with one thread and all of its work, the loader's included, on one processor. The bare loop takes the same
steps on one batch that stays in memory: no data, no average, no clipping. The peers train from scratch at the same
size and batch on the same pictures (`ultralytics` is AGPL: it is in a venv of its own, and nothing of it is imported
here). With ``--beside``, ours also trains beside a process that keeps a core busy.

To restrict a larger processor to AVX2, put ``ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2`` before the command.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from lightdet.assembly.computing import FACT
from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.detector_training import build_trainer, load_training_data
from lightdet.assembly.trainer import RunContext
from lightdet.compute import Computing
from lightdet.config import Config, YamlFile, validate
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.files import write_json
from lightdet.processors import available_processors
from lightdet.structures import Batch
from lightdet.training.reporting import SilentReporter
from lightdet.training.trainer import Trainer

HERE = Path(__file__).parent
PEERS = ("yolov5n", "yolo11n")
ONE_CORE = ["train.replicas=1", "train.threads=1"]


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        plan = SyntheticPlan(images=options.images * 5 // 4, imgsz=options.imgsz, seed=0, val=0.2)
        write_synthetic(work / "set", plan)
        memory = None if options.no_memory else peak_of_the_command(options, work)
        trainers = {"trainer": make_trainer(options, work), "one core": make_trainer(options, work, ONE_CORE)}
        bare = make_trainer(options, work)
        batch = next(bare.loader.epoch(0))
        rounds: list[dict[str, float]] = []
        for number in range(options.rounds + 1):
            speeds = {"bare": bare_loop(bare, batch, len(bare.loader))}
            speeds["trainer"] = one_epoch(trainers["trainer"])
            with one_processor():
                speeds["one core"] = one_epoch(trainers["one core"])
            if options.beside:
                with busy_process():
                    speeds["beside a busy process"] = one_epoch(trainers["trainer"])
            for peer in options.peers if options.peer_python else ():
                speeds[peer] = peer_epochs(options, work, peer)
            told = ", ".join(f"{name} {speed:.1f}" for name, speed in speeds.items())
            print(f"round {number}{' (warm-up)' if number == 0 else ''}: {told}", flush=True)
            if number:
                rounds.append(speeds)
        computing = trainers["trainer"].run_facts[FACT]
    result = summarize(options, rounds, memory, computing)
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
    parser.add_argument("--peers", nargs="+", default=list(PEERS), help="networks of ultralytics")
    parser.add_argument("--beside", action="store_true", help="ours beside a busy process as well")
    parser.add_argument("--no-memory", action="store_true", help="do not measure the command's peak of memory")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def make_trainer(options: argparse.Namespace, work: Path, more: Sequence[str] = ()) -> Trainer:
    changes = [f"imgsz={options.imgsz}", f"train.batch={options.batch}", "train.epochs=1000", *more]
    config = validate(Config, YamlFile({}), changes)
    data = load_training_data(config, load_dataset(work / "set" / "dataset.yaml"))
    trainer = build_trainer(
        config,
        data,
        RunContext(folder=work / "run", device=torch.device("cpu"), reporter=SilentReporter(), board=False),
    )
    trainer.validation = None  # speed of training alone; the peer's is taken without its validation, too
    return trainer


def compute_as(trainer: Trainer) -> None:
    """The number of threads belongs to the process; each trainer here has its own."""
    Computing(**trainer.run_facts[FACT]).apply()


def bare_loop(trainer: Trainer, batch: Batch, steps: int) -> float:
    compute_as(trainer)
    trainer._training_mode()
    began = time.perf_counter()
    for _ in range(steps):
        trainer.gradients(batch)
        trainer.gradients.collect()
        trainer.optimizer.step()
        trainer.gradients.clear()
    return steps * len(batch) / (time.perf_counter() - began)


def one_epoch(trainer: Trainer) -> float:
    compute_as(trainer)
    trainer._run_epoch()
    return float(trainer.progress.history[-1]["images_per_second"])


@contextmanager
def one_processor() -> Iterator[None]:
    """Keep all of this process's threads, the loader's included, on one processor (Linux; elsewhere they run free)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)

    def keep_to(processors: set[int]) -> None:
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):  # ended in between
                os.sched_setaffinity(int(thread.name), processors)

    keep_to({max(allowed)})
    try:
        yield
    finally:
        keep_to(allowed)


@contextmanager
def busy_process() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def peer_epochs(options: argparse.Namespace, work: Path, network: str) -> float:
    flags = [str(work / "set"), str(options.imgsz), str(options.batch), network]
    done = subprocess.run(
        [options.peer_python, str(HERE / "peer_networks" / "ultralytics_training.py"), *flags],
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


def summarize(
    options: argparse.Namespace, rounds: list[dict[str, float]], memory: float | None, computing: dict[str, Any]
) -> dict[str, object]:
    medians = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    ratios = {
        f"trainer_over_{name.replace(' ', '_')}": round(statistics.median(r["trainer"] / r[name] for r in rounds), 3)
        for name in medians
        if name not in ("trainer", "beside a busy process")
    }
    if options.beside:
        beside = [r["beside a busy process"] / r["trainer"] for r in rounds]
        ratios["beside_over_quiet"] = round(statistics.median(beside), 3)
    return {
        "imgsz": options.imgsz,
        "batch": options.batch,
        "rounds": len(rounds),
        "images_per_second": {name: round(value, 1) for name, value in medians.items()},
        **ratios,
        "peak_memory_mib": None if memory is None else round(memory),
        "computing": computing,
        "torch": torch.__version__,
        "processors": available_processors(),
        "machine": platform.machine(),
        "processor": str(getattr(torch.cpu, "get_capabilities", dict)().get("cpu_name", platform.processor())),
        "held_to": {
            name: os.environ[name] for name in ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY") if name in os.environ
        },
    }


if __name__ == "__main__":
    main()
