"""Does a calibrated threshold keep its promise on pictures that it was not chosen on?

    lightdet data synth --output runs/decisions/pool --images 2000 --clean 0.5 --val 0 --seed 77
    python benchmarks/decisions.py --weights runs/demo/train/best.safetensors --data runs/decisions/pool/dataset.yaml \
        --split train --pictures 300 --escape-rate 0.1 --output benchmarks/results/decisions.json

A classifier is taken as well, with a data set of one class per picture:

    python benchmarks/decisions.py --weights runs/casting/models/ours/seed0/best.safetensors \
        --data datasets/casting.yaml --split test --pictures 100 --escape-rate 0.05

The model looks at every picture of the pool once. Then, `--draws` times, so many bad pictures are drawn at random to
choose a threshold on, as `lightdet calibrate` does, and the bad ones that were not drawn show its real rate.
The promise has to hold in at least the share of draws that its confidence states.
"""

from __future__ import annotations

import argparse
import platform
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.calibration import judge, proportion, threshold_for_escapes
from lightdet.files import write_json
from lightdet.options.val import ValOptions
from lightdet.runs.validate import Validation


class Quiet:
    """Shows no progress."""

    def begin(self, pictures: int) -> None:
        """Given the number of pictures."""

    def step(self, pictures: int) -> None:
        """Given the number of pictures done."""


def main() -> None:
    options = parse()
    request = ValOptions(
        data=options.data, weights=options.weights, split=options.split, data_root=options.data_root, device="cpu"
    )
    scores, bad = scored(request)
    result = simulate(scores[bad], scores[~bad], options)
    auc = judge(bad, scores >= 0.5, scores).auc
    result |= {"auc": auc, "pool": {"bad": int(bad.sum()), "good": int((~bad).sum())}, "machine": platform.machine()}
    for name, value in result.items():
        print(f"{name}: {value}")
    if options.output:
        write_json(options.output, result)


def scored(request: ValOptions) -> tuple[AnyArray, AnyArray]:
    """Each picture's score, and whether it is bad."""
    validation = Validation(request)
    rule, _ = validation.task.uncalibrated_rule(validation.spec, min_size=0.0, bad=())
    found = validation.find(Quiet())
    bad = np.array([rule.is_bad(truth, validation.spec.classes) for truth in found.truths])
    return np.array([rule.score(each) for each in found.predictions]), bad


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--pictures", type=int, default=300, help="bad pictures to calibrate on")
    parser.add_argument("--escape-rate", type=float, default=0.1)
    parser.add_argument("--confidence", type=float, default=0.9)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def simulate(bad: AnyArray, good: AnyArray, options: argparse.Namespace) -> dict[str, Any]:
    """Calibrate again and again, and count how often the promise was kept on the rest."""
    rng = np.random.default_rng(0)
    kept, refused, rates, rejects, thresholds = 0, 0, [], [], []
    for _ in range(options.draws):
        order = rng.permutation(len(bad))
        chosen, rest = bad[order[: options.pictures]], bad[order[options.pictures :]]
        choice = threshold_for_escapes(chosen, options.escape_rate, options.confidence)
        if choice is None:
            refused += 1
            continue
        rate = float((rest < choice.threshold).mean())
        kept += rate <= options.escape_rate
        rates.append(rate)
        thresholds.append(choice.threshold)
        rejects.append(float((good >= choice.threshold).mean()))
    given = options.draws - refused
    return {
        "promise": f"at most {options.escape_rate:g} of bad pictures escape, with {options.confidence:g} confidence",
        "calibration_pictures": options.pictures,
        "draws": options.draws,
        "promises_given": given,
        "kept": proportion(kept, given).as_dict(),
        "escape_rate": spread(rates),
        "false_reject_rate": spread(rejects),
        "threshold": spread(thresholds),
    }


def spread(values: list[float]) -> dict[str, float]:
    """Median and range, rounded."""
    if not values:
        return {}
    return {
        "median": round(statistics.median(values), 4),
        "lowest": round(min(values), 4),
        "highest": round(max(values), 4),
    }


if __name__ == "__main__":
    main()
