"""How often is what cross-calibration estimates true? Simulated, where the real rate is known.

    python benchmarks/cross_decisions.py --output runs/cross_decisions.json

One draw is one user: pictures are drawn and divided into folds, a model is trained without each fold and one on all
pictures, the scores of all folds together choose the threshold as `lightdet crossval` does, and the threshold is tried
with the model of all pictures. Beside it the same pictures in a single split: the first fold chooses the threshold for
the model of the others, which is what `lightdet calibrate` promises.

The models are linear discriminants, trained in a millisecond, that are better the more pictures they have seen.
A classifier's picture is a vector of numbers, normally distributed about the mean of its kind. A detector's picture has
ten places, each a vector; in a bad one, one to three places show a defect. The model scores places, and a picture's
score is that of its best one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from lightdet.arrays import AnyArray
from lightdet.calibration import proportion, threshold_for_escapes
from lightdet.data.folds import draw_folds
from lightdet.files import write_json

PLACES, NEW = 10, 20_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class World:
    """Where pictures come from.

    Attributes:
        pictures: per draw, half of them bad.
        size: numbers per vector: the more, the more a model overfits.
        distance: between the means of the two kinds, in deviations.
        shrinkage: of the model's covariance, which counts the less the more pictures there are.
        detects: pictures have places.
        rate: to be kept.
        folds: how many.
    """

    pictures: int
    size: int
    distance: float
    shrinkage: float
    detects: bool
    rate: float
    folds: int = 5

    def draw(self, bad: AnyArray, rng: np.random.Generator) -> tuple[AnyArray, AnyArray]:
        """Pictures ``[N, places, size]``, and which places show a defect ``[N, places]``."""
        places = PLACES if self.detects else 1
        ranks = rng.random((len(bad), places)).argsort(axis=1)
        shown = (ranks < (rng.integers(1, 4, len(bad))[:, None] if self.detects else 1)) & bad[:, None]
        values = rng.normal(size=(len(bad), places, self.size))
        values[..., 0] += self.distance * shown
        return values, shown


Model = Callable[[AnyArray], AnyArray]


def train(world: World, values: AnyArray, shown: AnyArray) -> Model:
    """A function from pictures to their scores, with four decimals as everywhere."""
    flat, kind = values.reshape(-1, world.size), shown.ravel()
    good, bad = flat[~kind].mean(axis=0), flat[kind].mean(axis=0)
    centred = flat - np.where(kind[:, None], bad, good)
    scatter = centred.T @ centred / len(flat) + np.eye(world.size) * world.shrinkage / len(values)
    weights = np.linalg.solve(scatter, bad - good)
    offset = np.log(kind.mean() / (1 - kind.mean())) - weights @ (bad + good) / 2

    def scores(pictures: AnyArray) -> AnyArray:
        best: AnyArray = expit(pictures @ weights + offset).max(axis=1).round(4)
        return best

    return scores


def one_draw(world: World, rng: np.random.Generator, new: AnyArray) -> dict[str, float | None]:
    """The real escape rates of both ways; None: no threshold."""
    count, folds = world.pictures, world.folds
    bad = np.arange(count) < count // 2
    values, shown = world.draw(bad, rng)
    names = [f"{index:05}" for index in range(count)]
    labels = [np.array([int(each)], np.int64) for each in bad]
    fold = draw_folds(names, labels, np.arange(count), folds, int(rng.integers(2**31)))
    models = [train(world, values[fold != each], shown[fold != each]) for each in range(folds)]
    held = np.concatenate([models[each](values[(fold == each) & bad]) for each in range(folds)])
    single = models[0](values[(fold == 0) & bad])
    result: dict[str, float | None] = {}
    for how, scores, model in (("folds", held, None), ("single", single, models[0])):
        choice = threshold_for_escapes(scores, world.rate, CONFIDENCE)
        used = train(world, values, shown) if model is None else model
        result[how] = None if choice is None else float((used(new) < choice.threshold).mean())
    return result


def simulate(world: World, draws: Iterable[int]) -> dict[str, list[float | None]]:
    """Draw again and again; returns the real rates. Each draw depends only on its number."""
    new, _ = world.draw(np.ones(NEW // (PLACES if world.detects else 1), bool), np.random.default_rng(0))
    rates: dict[str, list[float | None]] = {"folds": [], "single": []}
    for number in draws:
        for how, rate in one_draw(world, np.random.default_rng((1, number)), new).items():
            rates[how].append(rate)
    return rates


def told(found: list[float | None], target: float) -> dict[str, Any]:
    """How many were given and kept, and the real rates."""
    given = [rate for rate in found if rate is not None]
    if not given:
        return {"given": 0}
    kept = sum(rate <= target for rate in given)
    reach = {"median": float(np.median(given)), "highest": max(given), "mean": float(np.mean(given))}
    return {"given": len(given), "kept": proportion(kept, len(given)).as_dict(), "real": reach}


WORLDS = {
    "classifier": World(200, 20, 3.5, 10, detects=False, rate=0.05),
    "classifier, overfitted": World(200, 60, 3.5, 0, detects=False, rate=0.05),
    "classifier, 1000 pictures": World(1000, 20, 3.5, 10, detects=False, rate=0.05),
    "detector": World(200, 20, 5.0, 10, detects=True, rate=0.05),
    "detector, overfitted": World(200, 100, 5.0, 0, detects=True, rate=0.05),
    "weak classifier": World(200, 20, 2.0, 1000, detects=False, rate=0.1),
    "weak classifier, 10 folds": World(200, 20, 2.0, 1000, detects=False, rate=0.1, folds=10),
    "weak classifier, 2 folds": World(200, 20, 2.0, 1000, detects=False, rate=0.1, folds=2),
    "weak detector": World(200, 20, 3.0, 1000, detects=True, rate=0.1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--only", nargs="*", choices=list(WORLDS), help="some of the worlds")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    results = {}
    for name in options.only or WORLDS:
        world = WORLDS[name]
        rates = simulate(world, range(options.draws))
        results[name] = {how: told(found, world.rate) for how, found in rates.items()}
        print(f"{name} (at most {world.rate:g}, {world.folds} folds):")
        for how, found in results[name].items():
            print(f"  {how}: {found}", flush=True)
    if options.output:
        write_json(options.output, results)


if __name__ == "__main__":
    main()
