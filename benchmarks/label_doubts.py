"""How many planted label errors does the audit find?

    python benchmarks/label_doubts.py --data datasets/neu-det.yaml --output DIR

Copies the labels of `--splits` and plants errors into a share of the boxes, for each kind its own boxes: removed,
invented (where no box is), given another class, moved and resized to an overlap of 0.25 to 0.5 with the right place. A
cross-validation then judges every picture with a model that has not seen it; or `--weights` does, which must not have
seen these pictures. The findings are compared with what was planted; labels that were wrong before count as right ones.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lightdet.arrays import AnyArray, FloatArray
from lightdet.assembly.dataset import load_dataset
from lightdet.data.audit.label_doubts import LabelDoubt
from lightdet.data.dataset import read_split
from lightdet.evaluation.matching import overlaps
from lightdet.files import write_json, write_text
from lightdet.runs.label_doubts import doubt_labels
from lightdet.structures import Annotation

KINDS = ("missing", "extra", "class", "place")
SAME = 0.5
"""A finding at a planted error's place must overlap it by this much."""


def main() -> None:
    options = parse()
    data = plant(options)
    weights = options.weights or options.output / "crossval"
    if options.weights is None:
        command = ["crossval", "--data", data, "--output", weights, "--folds", options.folds, "--imgsz", options.imgsz]
        command += ["--epochs", options.epochs, "--no-final"]
        subprocess.run([sys.executable, "-m", "lightdet", *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    spec = load_dataset(data)
    found = doubt_labels(spec, weights, 1_000_000)
    write_json(options.output / "found.json", found.as_dict(spec.classes))
    planted = json.loads((options.output / "planted.json").read_text())
    print(f"{sum(len(t) for t in read_split(spec, 'train')[0])} boxes, {len(planted)} errors, {found.total} findings")
    print(f"| findings | planted | the first {options.first}: precision | recall | if findings were drawn at random |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for kind in ("all", *KINDS):
        errors = [error for error in planted if kind in ("all", error["kind"])]
        first = [doubt for doubt in found.first if kind in ("all", doubt.kind)][: options.first]
        right = hits(first, errors if kind != "all" else planted)
        chance = len(errors) / sum(len(truth) for truth in read_split(spec, "train")[0])
        cells = f"{right / max(len(first), 1):.2f} ({right} of {len(first)}) | {right / len(errors):.2f} | {chance:.2f}"
        print(f"| {kind} | {len(errors)} | {cells} |")


def hits(doubts: Sequence[LabelDoubt], planted: Sequence[dict[str, Any]]) -> int:
    """How many findings are planted errors, each counted once; the kinds may differ: a person sees what is wrong."""
    left = list(planted)
    for doubt in doubts:
        places = [doubt.boxes[doubt.box]] if doubt.box is not None else [np.array(doubt.answer[0], np.float32)]
        for error in left:
            there = error["picture"] == doubt.image.name
            if there and overlaps(np.array(places), np.array([error["box"]], np.float32))[0, 0] >= SAME:
                left.remove(error)
                break
    return len(planted) - len(left)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--splits", nargs="+", default=["train", "val"])
    parser.add_argument("--share", type=float, default=0.05, help="of the boxes, for each kind of error")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--imgsz", type=int, default=160)
    parser.add_argument("--first", type=int, default=100, help="findings that are looked at")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def plant(options: argparse.Namespace) -> Path:
    """Write the data set with errors; returns its YAML. What was planted is in ``planted.json``."""
    path = options.output / "planted" / "dataset.yaml"
    if path.exists():
        return path
    spec, rng = load_dataset(options.data), np.random.default_rng(options.seed)
    truths = [truth for split in options.splits for truth in read_split(spec, split)[0]]
    places = [(number, box) for number, truth in enumerate(truths) for box in range(len(truth))]
    each = round(options.share * len(places))
    drawn = [places[index] for index in rng.permutation(len(places))[: each * len(KINDS)]]
    wrong = {place: KINDS[index // each] for index, place in enumerate(drawn)}
    planted = []
    for folder in ("images", "labels"):
        (path.parent / folder).mkdir(parents=True, exist_ok=True)
    for number, truth in enumerate(truths):
        mine = {box: kind for (at, box), kind in wrong.items() if at == number}
        boxes, labels, errors = spoilt(truth, mine, len(spec.classes), rng)
        planted += [{"picture": truth.image.name, **error} for error in errors]
        (path.parent / "images" / truth.image.name).symlink_to(truth.image.resolve())
        rows = "".join(
            f"{label} " + " ".join(f"{value:.6f}" for value in row) + "\n"
            for label, row in zip(labels, relative(boxes, truth.size), strict=True)
        )
        write_text(path.parent / "labels" / f"{truth.image.stem}.txt", rows)
    write_json(options.output / "planted.json", planted)
    given = {"name": "planted", "format": "yolo", "classes": list(spec.classes)}
    write_text(path, yaml.safe_dump({**given, "root": ".", "splits": {"train": "images"}}))
    return path


def spoilt(
    truth: Annotation, wrong: dict[int, str], classes: int, rng: np.random.Generator
) -> tuple[FloatArray, list[int], list[dict[str, object]]]:
    """One picture's boxes ``[N, 4]`` and classes with errors in the boxes `wrong`, and what was planted."""
    boxes, labels, errors = [], [], []
    for index, (box, label) in enumerate(zip(truth.boxes, truth.labels.tolist(), strict=True)):
        kind = wrong.get(index)
        given = int((label + rng.integers(1, classes)) % classes) if kind == "class" else label
        moved = displaced(box, truth.size, rng) if kind == "place" else box
        if kind in ("class", "place"):
            errors.append({"kind": kind, "box": moved.tolist(), "label": given})
        if kind == "missing":
            errors.append({"kind": kind, "box": box.tolist(), "label": label})
        else:
            boxes.append(moved)
            labels.append(given)
        if kind == "extra":
            invented = empty_place(box, truth, rng)
            if invented is not None:
                boxes.append(invented)
                labels.append(int(rng.integers(classes)))
                errors.append({"kind": kind, "box": invented.tolist(), "label": labels[-1]})
    return np.array(boxes, np.float32).reshape(-1, 4), labels, errors


def displaced(box: FloatArray, size: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """The box moved and resized, within the picture, so that it overlaps the right place by 0.25 to 0.5."""
    width, height = box[2:] - box[:2]
    for _ in range(10_000):
        shift, scale = rng.uniform(-0.5, 0.5, 2) * [width, height], rng.uniform(0.6, 1.6, 2)
        middle, half = (box[:2] + box[2:]) / 2 + shift, [width, height] * scale / 2
        moved = np.clip(np.concatenate([middle - half, middle + half]), 0, [*size, *size]).astype(np.float32)
        if 0.25 <= overlaps(moved[None], box[None])[0, 0] <= 0.5:
            return moved
    raise RuntimeError("no such box was found")


def empty_place(box: FloatArray, truth: Annotation, rng: np.random.Generator) -> FloatArray | None:
    """A box of this size that overlaps no other by more than 0.1; half of it where there is no room, None at last."""
    for shrink in (1.0, 0.5, 0.25):
        sides = (box[2:] - box[:2]) * shrink
        for _ in range(200):
            corner = rng.uniform(0, 1, 2) * (np.array(truth.size) - sides)
            placed = np.concatenate([corner, corner + sides]).astype(np.float32)
            if overlaps(placed[None], truth.boxes).max() <= 0.1:
                return placed
    return None


def relative(boxes: FloatArray, size: tuple[int, int]) -> AnyArray:
    """Corners in pixels ``[N, 4]`` → middles and sides as shares of the picture's."""
    middles, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return np.concatenate([middles, sides], axis=1) / [*size, *size]


if __name__ == "__main__":
    main()
