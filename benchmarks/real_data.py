"""Train on a real data set with several seeds and say what was reached, and when.

    python benchmarks/real_data.py --data datasets/neu-det.yaml --data-root DIR --imgsz 224 --epochs 250 \
        --seeds 0 1 2 --pass 0.637 0.321 --output runs/neu-det

Each seed is one ``tools/train.py`` that can be resumed: run the same line again after an interruption. With
``--together`` the seeds run side by side, each with its share of the processor's threads: the epochs are the
same, the minutes are then those of a busy machine.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from reports import ended

from lightdet.files import write_json

DOOR = Path(__file__).resolve().parents[1] / "tools" / "train.py"


def main() -> None:
    options, overrides = parse()
    count = len(options.seeds) if options.together else 1
    threads = max(1, (os.cpu_count() or 1) // count)
    runs = [start(options, overrides, seed, threads) for seed in options.seeds] if options.together else None
    for number, seed in enumerate(options.seeds):
        process = runs[number] if runs else start(options, overrides, seed, threads)
        if process is not None and process.wait():
            sys.exit(f"the training of seed {seed} ended with {process.returncode}")
    rows = [summary(options, seed) for seed in options.seeds]
    result = {
        "data": str(options.data),
        "imgsz": options.imgsz,
        "epochs": options.epochs,
        "overrides": overrides,
        "together": options.together,
        "threads": threads,
        "seeds": rows,
        "median": {k: statistics.median(r[k] for r in rows) for k in ("map50", "map75", "map50_95", "minutes")},
        "torch": torch.__version__,
        "processors": os.cpu_count(),
    }
    write_json(options.output / "result.json", result)
    for row in rows:
        print(row)
    print("median", result["median"])


def parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--data-root")
    parser.add_argument("--imgsz", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pass", dest="passing", type=float, nargs=2, metavar=("MAP50", "MAP50_95"))
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_known_args()


def start(options: argparse.Namespace, overrides: list[str], seed: int, threads: int) -> subprocess.Popen[bytes] | None:
    """Start or resume one seed's training; None if it has ended before."""
    folder = options.output / f"seed{seed}"
    report = folder / "train.json"
    if ended(report):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    flags = ["--data", str(options.data), "--imgsz", str(options.imgsz), "--epochs", str(options.epochs)]
    flags += ["--seed", str(seed), "--output", str(folder), "--json", str(report), *overrides]
    flags += ["--data-root", options.data_root] if options.data_root else []
    flags += ["--resume"] if (folder / "state.safetensors").exists() else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen([sys.executable, str(DOOR), *flags], env=environment, stdout=log, stderr=log)


def summary(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """The last epoch's numbers (not the best one's: that would be chosen on the pictures it is scored on)."""
    rows = list(csv.DictReader((options.output / f"seed{seed}" / "results.csv").read_text().splitlines()))
    scored = [row for row in rows if row.get("map50")]
    found: dict[str, Any] = {"seed": seed, "epochs": len(rows), "minutes": float(rows[-1]["minutes"])}
    found |= {name: float(scored[-1][name]) for name in ("map50", "map75", "map50_95")}
    found |= {f"best_{name}": max(float(row[name]) for row in scored) for name in ("map50", "map50_95")}
    if options.passing:
        passed = next((r for r in scored if passes(r, options.passing)), None)
        found["passed_after_minutes"] = float(passed["minutes"]) if passed else None
        found["passed_after_epochs"] = int(passed["epoch"]) if passed else None
    return found


def passes(row: dict[str, str], limits: list[float]) -> bool:
    return float(row["map50"]) >= limits[0] and float(row["map50_95"]) >= limits[1]


if __name__ == "__main__":
    main()
