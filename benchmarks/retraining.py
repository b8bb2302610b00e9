"""What does a detector still know of its old classes after a new one is added?

    python benchmarks/retraining.py --data datasets/neu-det.yaml --new scratches --output DIR

The pictures of ``train`` that show a class of `--new` are the new set, labelled with those classes alone; the others
are the old set, labelled with the other classes. The split of `--test`, with all labels, is kept for testing. A model
is trained on the old set, and retrained

- `background`: with `--keep-classes` on the new set, where old classes are background (``train.stand_in=false``);
- `stand-in`: with `--keep-classes` on the new set, where the old model's answers stand in for labels;
- `both sets`: on both sets, where the old model's answers stand in as well.

Per seed and model: mAP of the old classes and of the new ones on the test pictures. Finished trainings are kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

import lightdet
from lightdet.assembly.dataset import load_dataset
from lightdet.data.dataset import read_split
from lightdet.data.formats.yolo import yolo_text
from lightdet.evaluation.average_precision import evaluate
from lightdet.files import write_json, write_text
from lightdet.structures import Annotation

WAYS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "background": (("new",), ["train.keep_classes=true", "train.stand_in=false"]),
    "stand-in": (("new",), ["train.keep_classes=true"]),
    "both sets": (("old", "new"), []),
}


def main() -> None:
    options = parse()
    sets, names = write_sets(options)
    rows = []
    for seed in range(options.seeds):
        old = trained(
            options,
            [sets["old"]],
            options.output / f"old-{seed}",
            seed,
            settings=[f"train.epochs={options.old_epochs}"],
        )
        rows.append(("old model", seed, *scores(old, sets["test"], names, options)))
        print(*rows[-1], flush=True)
        for way, (data, settings) in WAYS.items():
            folder = options.output / f"{way.replace(' ', '-')}-{seed}"
            model = trained(options, [sets[name] for name in data], folder, seed, old, settings)
            rows.append((way, seed, *scores(model, sets["test"], names, options)))
            print(*rows[-1], flush=True)
    write_json(options.output / "rows.json", rows)
    print("| model | seed | old classes: mAP@0.5 / mAP@0.5:0.95 | new classes |\n| --- | ---: | ---: | ---: |")
    for way, seed, before, after in rows:
        print(f"| {way} | {seed} | {before} | {after} |")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--new", nargs="+", required=True, help="the new classes")
    parser.add_argument("--old", nargs="+", help="the old classes; default: all others")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--test", default="val", help="the split to test on")
    parser.add_argument("--most", type=int, default=10_000, help="pictures of each set at most")
    parser.add_argument("--imgsz", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=20, help="of a retraining")
    parser.add_argument("--old-epochs", type=int, default=60, help="of the old model's training")
    parser.add_argument("--seeds", type=int, default=2)
    return parser.parse_args()


def write_sets(options: argparse.Namespace) -> tuple[dict[str, Path], tuple[list[str], list[str]]]:
    """Write the labels of the three sets as YOLO files beside links to the pictures."""
    spec = load_dataset(options.data, options.data_root)
    new = [spec.classes.index(name) for name in options.new]
    old = [spec.classes.index(name) for name in options.old or spec.classes if name not in options.new]
    truths = read_split(spec, "train")[0]
    parts = {
        "old": ([t for t in truths if not np.isin(t.labels, new).any()], old),
        "new": ([t for t in truths if np.isin(t.labels, new).any()], new),
        "test": (read_split(spec, options.test)[0], [*old, *new]),
    }
    written = {}
    for name, (pictures, classes) in parts.items():
        kept = pictures if name == "test" else spread(pictures, options.most)
        names = [spec.classes[label] for label in classes]
        written[name] = write_set(options.output / "sets" / name, kept, classes, names, test=name == "test")
        print(f"{name}: {len(kept)} pictures, classes {', '.join(names)}")
    return written, ([spec.classes[k] for k in old], [spec.classes[k] for k in new])


def spread(pictures: Sequence[Annotation], most: int) -> list[Annotation]:
    """At most so many pictures, spread over the list."""
    step = max(1.0, len(pictures) / most)
    return [pictures[int(k * step)] for k in range(min(most, len(pictures)))]


def write_set(
    root: Path, truths: Sequence[Annotation], classes: Sequence[int], names: Sequence[str], *, test: bool
) -> Path:
    order = np.full(1 + max(classes + [int(t.labels.max(initial=0)) for t in truths]), -1)
    order[classes] = range(len(classes))
    for number, truth in enumerate(truths):
        split = "test" if test else "val" if number % 5 == 4 else "train"
        place = root / "images" / split / f"{number:05}{truth.image.suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(truth.image.resolve())
        label = root / "labels" / split / f"{number:05}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        write_text(label, yolo_text(truth.renumbered(order)))
    splits = ["test"] if test else ["train", "val"]
    described = {"name": root.name, "root": ".", "format": "yolo", "classes": list(names)}
    described["splits"] = {split: f"images/{split}" for split in splits}
    write_text(root / "dataset.yaml", yaml.safe_dump(described, sort_keys=False, allow_unicode=True))
    return root / "dataset.yaml"


def trained(
    options: argparse.Namespace,
    data: Sequence[Path],
    folder: Path,
    seed: int,
    weights: Path | None = None,
    settings: Sequence[str] = (),
) -> Path:
    """The model of a training, which is not repeated."""
    model = folder / "best.safetensors"
    if not (folder / "done.json").is_file():
        result = lightdet.train(
            list(data), weights=weights, output=folder, imgsz=options.imgsz, seed=seed,
            overrides=[f"train.epochs={options.epochs}", *settings], overwrite=True, progress=False,
        )  # fmt: skip
        write_json(folder / "done.json", result.values)
    return model


def scores(model: Path, data: Path, names: tuple[list[str], list[str]], options: argparse.Namespace) -> list[str]:
    """mAP@0.5 / mAP@0.5:0.95 of the old classes and of the new ones."""
    spec = load_dataset(data)
    predictor = lightdet.load(model, confidence=0.001)
    order = np.array([spec.classes.index(name) for name in predictor.names])
    truths = read_split(spec, "test")[0]
    found = [predictor(truth.image) for truth in truths]
    found = [replace(each, labels=order[each.labels], names=spec.classes) for each in found]
    by_class = {each.name: each for each in evaluate(found, truths, spec.classes).per_class}
    told = []
    for kept in names:
        here = [by_class[name] for name in kept if name in predictor.names]
        means = [float(np.mean([getattr(each, key) for each in here])) for key in ("ap50", "ap50_95")] if here else []
        told.append(" / ".join(f"{value:.3f}" for value in means) or "-")
    return told


if __name__ == "__main__":
    main()
