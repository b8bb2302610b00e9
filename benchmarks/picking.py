"""Do picked pictures teach more than random ones?

    python benchmarks/picking.py --data datasets/neu-det.yaml --output DIR --seeds 0 1 2

Begins with `--first` labelled pictures of the training split (the same for both arms of a seed), trains, adds `--more`
pictures, `--rounds` times: as `lightdet data pick` lists them, or at random. The labels of a picture count only once
it is added. Every training begins with the package's weights and has the same number of steps. The same command
continues.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml
from reports import ended

from lightdet.assembly.dataset import load_dataset
from lightdet.data.dataset import read_split
from lightdet.files import write_json, write_text
from lightdet.runs.pick import pick

ARMS = ("picked", "random")


def main() -> None:
    options = parse()
    spec = load_dataset(options.data)
    pool = [annotation.image for annotation in read_split(spec, "train")[0]]
    told = {arm: [run_arm(arm, seed, pool, options) for seed in options.seeds] for arm in ARMS}
    counts = [options.first + options.more * number for number in range(options.rounds + 1)]
    write_json(options.output / "picking.json", {"counts": counts, "seeds": options.seeds, "map": told})
    print("| labelled | " + " | ".join(ARMS) + " |\n| ---: | " + " | ".join("---:" for _ in ARMS) + " |")
    for number, count in enumerate(counts):
        cells = []
        for arm in ARMS:
            values = [curve[number] for curve in told[arm]]
            means = [statistics.mean(each[key] for each in values) for key in ("map50", "map50_95")]
            cells.append(f"{means[0]:.3f} / {means[1]:.3f}")
        print(f"| {count} | " + " | ".join(cells) + " |")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--more", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--imgsz", type=int, default=160)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    return parser.parse_args()


def run_arm(arm: str, seed: int, pool: list[Path], options: argparse.Namespace) -> list[dict[str, float]]:
    """The scores after each round of one arm."""
    first = np.random.default_rng(seed).permutation(len(pool))[: options.first]
    labelled = [pool[index] for index in first]
    scores = []
    for number in range(options.rounds + 1):
        own = options.output / f"{arm}-{seed}" / f"round{number}"
        folder = own if number else options.output / f"first-{seed}"  # the same for both
        data = data_set(labelled, folder, options)
        weights = folder / "run" / "last.safetensors"
        scores.append(train(data, folder, seed, len(labelled), options))
        if number == options.rounds:
            break
        kept = own / "added.txt"
        if not kept.exists():
            left = [path for path in pool if path not in set(labelled)]
            if arm == "picked":
                added = [e["path"] for e in pick(list(map(str, left)), weights, options.more, data=data).entries]
            else:
                added = [str(path) for path in draw(left, options.more, seed, number)]
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_text(kept, "\n".join(added) + "\n")
        labelled += [Path(line) for line in kept.read_text().splitlines()]
    return scores


def draw(left: list[Path], count: int, seed: int, number: int) -> list[Path]:
    """`count` random pictures for a round: the same ones, whether the rounds before are drawn now or were read."""
    return [left[index] for index in np.random.default_rng((seed, number)).permutation(len(left))[:count]]


def data_set(labelled: list[Path], folder: Path, options: argparse.Namespace) -> Path:
    """A data set's YAML whose training split holds these pictures alone."""
    folder.mkdir(parents=True, exist_ok=True)
    spec, given = load_dataset(options.data), yaml.safe_load(options.data.read_text())
    write_text(folder / "train.txt", "".join(f"{path.stem}\n" for path in labelled))
    splits = {"train": str((folder / "train.txt").resolve()), "val": given["splits"]["val"]}
    path = folder / "data.yaml"
    write_text(path, yaml.safe_dump({**given, "root": str(spec.root.resolve()), "splits": splits}))
    return path


def train(data: Path, folder: Path, seed: int, count: int, options: argparse.Namespace) -> dict[str, float]:
    """Train with the same number of steps whatever the number of pictures; the last epoch's scores."""
    told = folder / "train.json"
    if not ended(told):
        epochs = max(1, round(options.steps / -(-count // 16)))
        command = ["train", "--data", data, "--output", folder / "run", "--imgsz", options.imgsz, "--epochs", epochs]
        command += ["--seed", seed, "--json", told, "--overwrite", f"train.validate_every={epochs}", *options.changes]
        subprocess.run([sys.executable, "-m", "lightdet", *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    last = json.loads(told.read_text())["last"]
    return {name: last[name] for name in ("map50", "map50_95")}


if __name__ == "__main__":
    main()
