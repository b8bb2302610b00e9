"""Does a calibrated threshold keep its promise on pictures that it was not chosen on?

    lightdet data synth --output runs/decisions/pool --images 2000 --clean 0.5 --val 0 --seed 77
    python benchmarks/decisions.py --weights runs/demo/train/best.safetensors --data runs/decisions/pool/dataset.yaml \
        --split train --pictures 300 --escape-rate 0.1 --output benchmarks/results/decisions.json

A classifier is taken as well, with a data set of one class per picture:

    python benchmarks/decisions.py --weights runs/casting/models/ours/seed0/best.safetensors \
        --data datasets/casting.yaml --split test --pictures 100 --escape-rate 0.05

With `--tile` it looks at tiles, with `--zones` where those say; with `--per-class` each class has a threshold and a
promise of its own.

The model looks at every picture of the pool once. Then, `--draws` times, so many bad pictures are drawn at random, each
from the whole pool, to choose a threshold on, as `lightdet calibrate` does. So the pool is what all pictures are, and
the real rate of a threshold is known exactly: that in the pool. The promise has to hold in at least the share of draws
that its confidence states.
"""

from __future__ import annotations

import argparse
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
        data=options.data,
        weights=options.weights,
        split=options.split,
        data_root=options.data_root,
        device="cpu",
        tile=options.tile,
        zones=options.zones,
        no_promise=True,
    )
    pools = scored(request, per_class=options.per_class)
    results = {name: simulate(scores[bad], scores[~bad], options) for name, (scores, bad) in pools.items()}
    for name, (scores, bad) in pools.items():
        auc = judge(bad, scores >= 0.5, scores).auc
        results[name] |= {"auc": auc, "pool": {"bad": int(bad.sum()), "good": int((~bad).sum())}}
        print(f"{name}:")
        for key, value in results[name].items():
            print(f"  {key}: {value}")
    if options.output:
        write_json(options.output, results)


def scored(request: ValOptions, *, per_class: bool) -> dict[str, tuple[AnyArray, AnyArray]]:
    """Each picture's score, and whether it is bad, for all classes together or for each."""
    validation = Validation(request)
    names = validation.spec.classes
    rule, _ = validation.task.uncalibrated_rule(validation.spec, min_size=0.0, bad=())
    found = validation.find(Quiet())
    pools = {}
    for name in rule.classes(names) if per_class else (None,):
        bad = np.array([rule.is_bad(truth, names, name) for truth in found.truths])
        pools[name or "all"] = (np.array([rule.score(each, name) for each in found.predictions]), bad)
    return pools


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--pictures", type=int, default=300, help="bad pictures to calibrate on")
    parser.add_argument("--escape-rate", type=float, default=0.1)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--tile", type=int)
    parser.add_argument("--zones", type=Path)
    parser.add_argument("--per-class", action="store_true")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def simulate(bad: AnyArray, good: AnyArray, options: argparse.Namespace) -> dict[str, Any]:
    """Calibrate again and again, and count how often the promise was kept."""
    rng = np.random.default_rng(0)
    kept, refused, rates, rejects, thresholds = 0, 0, [], [], []
    for _ in range(options.draws):
        chosen = rng.choice(bad, options.pictures)
        choice = threshold_for_escapes(chosen, options.escape_rate, options.confidence)
        if choice is None:
            refused += 1
            continue
        rate = float((bad < choice.threshold).mean())
        kept += rate <= options.escape_rate
        rates.append(rate)
        thresholds.append(choice.threshold)
        if len(good):
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
