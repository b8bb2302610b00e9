"""What a single split and five folds can say from the same few pictures of NEU-DET, and what is true.

    export LIGHTDET_DATASETS=…
    python benchmarks/crossval.py draw --output runs/few          # 200 pictures of train, and all others as test
    lightdet crossval --data runs/few/few.yaml --split train --folds 5 --imgsz 160 --epochs 20 --output runs/few/cv
    python benchmarks/crossval.py tell --output runs/few --rates 0.08 0.05 0.02

`tell` compares, for each rate: the promise of a single split (the first fold, with the model of the others), and the
estimate of cross-calibration (all folds, with the model of all pictures). Each threshold is then tried on pictures that
no training has seen.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lightdet.assembly.dataset import load_dataset
from lightdet.calibration import proportion, threshold_for_escapes, upper_bound
from lightdet.data.dataset import read_split
from lightdet.data.fold_file import read_folds
from lightdet.decisions import DecisionRule
from lightdet.files import write_json
from lightdet.options.crossval import CrossvalOptions
from lightdet.options.val import ValOptions
from lightdet.runs.crossval.run import CrossValidation
from lightdet.runs.validate import Validation

ROOT = Path(__file__).resolve().parents[1]
CONFIDENCE = 0.95


class Quiet:
    """Shows no progress."""

    def begin(self, pictures: int) -> None:
        """Given the number of pictures."""

    def step(self, pictures: int) -> None:
        """Given the number of pictures done."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["draw", "tell"])
    parser.add_argument("--data", type=Path, default=ROOT / "datasets" / "neu-det.yaml")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--tested", type=int, default=600, help="pictures to try the thresholds on")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.08, 0.05, 0.02])
    options = parser.parse_args()
    (draw if options.step == "draw" else tell)(options)


def draw(options: argparse.Namespace) -> None:
    """Write the lists and the YAML: so many pictures, the classes even, and of the others some to test on."""
    spec = load_dataset(options.data)
    rng = np.random.default_rng(0)
    stems = {name: [truth.image.stem for truth in read_split(spec, name)[0]] for name in ("train", "val")}
    by_class: dict[str, list[str]] = {}
    for stem in rng.permutation(stems["train"]):
        by_class.setdefault(stem.rpartition("_")[0], []).append(str(stem))
    turns = [stem for row in zip(*by_class.values(), strict=False) for stem in row]
    taken, others = turns[: options.pictures], [*stems["val"], *turns[options.pictures :]]
    options.output.mkdir(parents=True, exist_ok=True)
    for name, listed in (("few", taken), ("rest", others[: options.tested])):
        (options.output / f"{name}.txt").write_text("\n".join(sorted(listed)) + "\n")
    described = {
        "name": f"{spec.name} {options.pictures}",
        "root": str(spec.root.resolve()),
        "format": "voc",
        "images": "IMAGES",
        "labels": "ANNOTATIONS",
        "classes": list(spec.classes),
        "splits": {name: {"list": str((options.output / f"{file}.txt").resolve())} for name, file in SPLITS.items()},
    }
    (options.output / "few.yaml").write_text(yaml.safe_dump(described, sort_keys=False))


SPLITS = {"train": "few", "test": "rest"}


def tell(options: argparse.Namespace) -> None:
    """Print the table, and write it as JSON."""
    folder, data = options.output / "cv", options.output / "few.yaml"
    kept = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    request = CrossvalOptions(data, config=folder / "config.yaml", split=("train",), output=folder, device="cpu")
    run = CrossValidation(request, "")
    folds = read_folds(folder / "folds.json")
    held = []
    for number in range(len(folds.pictures)):
        found = run.look.validation(folder / f"fold{number + 1}" / "last.safetensors", folds.held_out(run.spec, number))
        held.append(scores(found.find(Quiet())))
    every = np.concatenate(held)
    new = {name: seen(data, folder / name / "last.safetensors", kept) for name in ("fold1", "all")}
    rows: list[dict[str, Any]] = []
    for how, of, model in (("single split", held[0], "fold1"), ("five folds", every, "all")):
        lowest = upper_bound(int((of <= 0).sum()), len(of), CONFIDENCE)
        print(f"{how}: {len(of)} bad pictures held out, lowest rate {lowest:.2%}")
        for rate in options.rates:
            choice = threshold_for_escapes(of, rate, CONFIDENCE)
            row: dict[str, Any] = {"how": how, "held_out": len(of), "lowest": lowest, "rate": rate, "threshold": None}
            if choice is not None:
                escaped = int((new[model] < choice.threshold).sum())
                row |= {"threshold": choice.threshold, "real": proportion(escaped, len(new[model])).as_dict()}
            rows.append(row)
            print("  ", row)
    write_json(options.output / "crossval.json", rows)


def seen(data: Path, weights: Path, kept: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Scores of the pictures that no training has seen."""
    overrides = [f"eval.{name}={value}" for name, value in kept["eval"].items()]
    wanted = ValOptions(data=data, weights=weights, split="test", device="cpu", no_promise=True, overrides=overrides)
    return scores(Validation(wanted).find(Quiet()))


def scores(found: Any) -> np.ndarray[Any, Any]:
    """The score by which each picture is judged; all are bad."""
    rule = DecisionRule()
    return np.array([rule.score(each) for each in found.predictions])


if __name__ == "__main__":
    main()
