"""How soon does a promise withdraw itself when the pictures change, how often without reason, and what does it cost?

    LIGHTDET_DATASETS=../shared/datasets python benchmarks/drift.py --weights runs/neu/calibrated.safetensors

Two data sets: NEU-DET (every picture has a defect, so all are compared; with the model's detections) and good castings
(`lightdet.inference.watching` compares pictures that pass; without a model). Each picture's statistics are taken once
per change. The data set stands for all pictures: `--runs` times, the pictures of a calibration are drawn from it, and
then those of a line, unchanged ones first and changed ones after that.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import lightdet
from lightdet.arrays import Image
from lightdet.data.images import read_image
from lightdet.drift.monitor import Look, Monitor
from lightdet.drift.reference import Reference
from lightdet.drift.statistics import picture_statistics
from lightdet.files import write_json
from lightdet.inference.watching import look_at

Rows = list[dict[str, float]]
NOTICED = 200
CALM = 300
REFERENCE = 300
"""Pictures of a calibration."""
NEW_KIND = "scratches"


def shifted_crop(image: Image, *, dark: bool) -> Image:
    """The camera has moved by a tenth; what comes into view continues the border, or is dark."""
    height, width = image.shape[:2]
    move = np.array([[1, 0, width / 10], [0, 1, height / 10]], np.float32)
    border = cv2.BORDER_CONSTANT if dark else cv2.BORDER_REPLICATE
    return cv2.warpAffine(image, move, (width, height), borderMode=border)  # type: ignore[return-value]


CHANGES: Mapping[str, Callable[[Image], Image]] = {
    "unchanged": lambda image: image,
    "blur, 1 pixel": lambda image: cv2.GaussianBlur(image, (0, 0), 1.0),
    "light -20 %": lambda image: cv2.convertScaleAbs(image, alpha=0.8),
    "camera gain +25 %": lambda image: cv2.convertScaleAbs(image, alpha=1.25),
    "crop shifted by 10 %, dark beside the part": partial(shifted_crop, dark=True),
    "crop shifted by 10 %, the border continues": partial(shifted_crop, dark=False),
}  # type: ignore[dict-item]
SHARES = (1.0, 0.5, 0.25)
"""The share of pictures with the new kind of defect."""


def main() -> None:
    options = parse()
    cv2.setNumThreads(1)
    folder = Path(options.datasets)
    kept = Path(options.statistics)
    if not kept.is_file():
        model = lightdet.load(options.weights, threads=1)
        write_json(kept, {"NEU-DET": of_neu(folder / "neu-det", model), "casting": of_casting(folder / "casting")})
    for name, (rows, new, watched) in json.loads(kept.read_text()).items():
        if "delays" in options.only:
            for change, found in delays(rows, new, watched, options.runs).items():
                print(name, change, found, flush=True)
        if "calm" in options.only:
            print(name, false_alarms(rows["unchanged"], watched, options.calm_runs, options.calm), flush=True)
    if "cost" in options.only:
        print(cost(folder / "neu-det", options.weights))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", default=os.environ.get("LIGHTDET_DATASETS", "../shared/datasets"))
    parser.add_argument("--weights", required=True, help="a detector for NEU-DET, calibrated")
    parser.add_argument("--runs", type=int, default=100, help="simulated runs per change")
    parser.add_argument("--calm", type=int, default=10_000, help="unchanged pictures per run")
    parser.add_argument("--calm-runs", type=int, default=100, help="runs of them")
    parser.add_argument("--statistics", default="drift-statistics.json", help="where those of the pictures are kept")
    parser.add_argument("--only", nargs="*", default=("delays", "calm", "cost"), help="some of these")
    return parser.parse_args()


def of_neu(folder: Path, model: Any) -> tuple[dict[str, Rows], Rows, str]:
    """Five kinds of defects are known; the sixth is new. The pictures are those of the validation list."""
    names = (folder / "val.txt").read_text().split()
    images = {name: read_image(folder / "IMAGES" / f"{name}.jpg") for name in names}
    known = [image for name, image in images.items() if not name.startswith(NEW_KIND)]
    new = [image for name, image in images.items() if name.startswith(NEW_KIND)]

    def look(image: Image) -> dict[str, float]:
        return dict(look_at(image, model(image), model.rule, ok=True).values)

    rows = {change: [look(change_of(image)) for image in known] for change, change_of in CHANGES.items()}
    return rows, [look(image) for image in new], "all"


def of_casting(folder: Path) -> tuple[dict[str, Rows], Rows, str]:
    """Good parts are known; parts with defects that pass are new."""
    names = [line for each in ("train.txt", "test.txt") for line in (folder / each).read_text().split()]
    good = [read_image(folder / name) for name in names if "ok_front" in name]
    bad = [read_image(folder / name) for name in names if "def_front" in name]
    rows = {change: [picture_statistics(change_of(image)) for image in good] for change, change_of in CHANGES.items()}
    return rows, [picture_statistics(image) for image in bad], "passed"


def drawn(count: int, random: np.random.Generator) -> list[int]:
    """The pictures of a calibration, drawn as the line's are: the data set stands for all pictures."""
    return random.integers(count, size=min(count, REFERENCE)).tolist()


def delays(rows: dict[str, Rows], new: Rows, watched: str, runs: int) -> dict[str, Any]:
    """By change, and by how many unchanged pictures there were before it: after how many it is noticed, and by what."""
    noticed: dict[str, list[tuple[int, str]]] = {}
    for seed in range(runs):
        random = np.random.default_rng(seed)
        before = rows["unchanged"]
        reference = reference_of([before[index] for index in drawn(len(before), random)], watched)
        monitor = Monitor(reference)
        for calm in (0, CALM):
            if any(see(monitor, before, random) for _ in range(calm)):
                print("a false alarm in run", seed)
            state = monitor.as_dict()
            lines = {change: [(1.0, rows[change])] for change in rows if change != "unchanged"}
            lines |= {f"new kind of defect in {share:.0%}": [(share, new), (1.0, before)] for share in SHARES}
            for change, line in lines.items():
                found = noticed.setdefault(f"{change}, after {calm}", [])
                if (moment := first_alarm(Monitor.restore(reference, state), line, random)) is not None:
                    found.append(moment)
    return {change: summary(found, runs) for change, found in noticed.items()}


def first_alarm(
    monitor: Monitor, line: list[tuple[float, Rows]], random: np.random.Generator
) -> tuple[int, str] | None:
    """After how many pictures there is one, and what moved; None: not within `NOTICED`."""
    for number in range(1, NOTICED + 1):
        rows = next(rows for share, rows in line if random.random() < share)
        if see(monitor, rows, random):
            return number, monitor.suspension.moved  # type: ignore[union-attr]
    return None


def summary(found: list[tuple[int, str]], runs: int) -> str:
    numbers = sorted(number for number, _ in found)
    moved = Counter(name for _, name in found).most_common(2)
    told = f"median {statistics.median(numbers):g}, 95 % by {numbers[int(0.95 * len(numbers)) - 1]}" if numbers else "-"
    return f"{len(found)} of {runs} within {NOTICED}; {told}; {', '.join(f'{name} {n}' for name, n in moved)}"


def false_alarms(rows: Rows, watched: str, runs: int, pictures: int) -> dict[str, Any]:
    """Alarms among unchanged pictures."""
    alarms = 0
    for seed in range(runs):
        random = np.random.default_rng(10_000 + seed)
        monitor = Monitor(reference_of([rows[index] for index in drawn(len(rows), random)], watched))
        alarms += any(see(monitor, rows, random) for _ in range(pictures))
    return {"alarms": alarms, "runs": runs, "pictures": pictures, "per 10 000": 10_000 * alarms / (runs * pictures)}


def reference_of(rows: Rows, watched: Any) -> Reference:
    reference = Reference.of(rows, watched)
    assert reference is not None
    return reference


def see(monitor: Monitor, line: Sequence[dict[str, float]], random: np.random.Generator) -> bool:
    return monitor.see(Look(True, line[random.integers(len(line))])) is not None


def cost(folder: Path, weights: str) -> dict[str, Any]:
    """Processor milliseconds per picture at 224, from the file to the verdict, without and with the watch."""
    model = lightdet.load(weights, threads=1, imgsz=224, no_promise=True)
    files = [folder / "IMAGES" / f"{name}.jpg" for name in (folder / "val.txt").read_text().split()[::4]]
    images = [read_image(file) for file in files]
    monitor = Monitor(
        reference_of([dict(look_at(i, model(i), model.rule, ok=True).values) for i in images], "all"), 1e300
    )

    def turn(*, watching: bool) -> float:
        began = time.process_time()
        for file in files:
            image = read_image(file)
            found = model(image)
            ok = model.rule.ok(found)
            if watching:
                monitor.see(look_at(image, found, model.rule, ok))
        return (time.process_time() - began) / len(files) * 1e3

    turns = [(turn(watching=False), turn(watching=True)) for _ in range(7)]
    without, watched = (statistics.median(each) for each in zip(*turns, strict=True))
    share = statistics.median((b - a) / a for a, b in turns)
    return {"ms": round(without, 3), "ms with watch": round(watched, 3), "share": round(share, 4)}


if __name__ == "__main__":
    main()
