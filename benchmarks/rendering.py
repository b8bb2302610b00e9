"""How many pictures per second one core draws for pretraining, and what they hold.

    python benchmarks/rendering.py --output benchmarks/results/rendering.json

Times are the process's own processor time, so another program on the machine matters less; the textures, made once
per process, are timed separately. `--grounds` adds the time of each ground.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import cv2

from lightdet.data.synthetic.teacher import CLASSES, Drawing, draw
from lightdet.data.synthetic.teacher.bank import FIELDS, field
from lightdet.files import write_json


def main() -> None:
    options = parse()
    cv2.setNumThreads(1)
    began = time.process_time()
    for name in FIELDS:
        field(name)
    textures = time.process_time() - began
    for index in range(10):
        draw(options.seed, index, options.imgsz, reference=False)
    rounds, by_ground = [], defaultdict(list)
    drawn: list[Drawing] = []
    for number in range(options.rounds):
        began = time.process_time()
        for index in range(number * options.pictures, (number + 1) * options.pictures):
            before = time.process_time()
            drawn.append(draw(options.seed, index, options.imgsz, reference=False))
            by_ground[drawn[-1].ground].append(time.process_time() - before)
        rounds.append(options.pictures / (time.process_time() - began))
    result: dict[str, Any] = {
        "imgsz": options.imgsz,
        "pictures_per_second_and_core": {"median": statistics.median(rounds), "rounds": rounds},
        "seconds_for_textures": textures,
        **contents(drawn),
    }
    if options.grounds:
        means = {name: 1000 * statistics.mean(times) for name, times in by_ground.items()}
        result["milliseconds_by_ground"] = dict(sorted(means.items(), key=lambda item: -item[1]))
    print(json.dumps(result, indent=2))
    if options.output:
        write_json(options.output, result)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--pictures", type=int, default=200, help="pictures per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--grounds", action="store_true")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def contents(drawn: list[Drawing]) -> dict[str, Any]:
    """What was drawn: defects per class, pictures per number of defects, the boxes' sides."""
    labels = Counter(CLASSES[label] for one in drawn for label in one.labels.tolist())
    numbers = Counter(len(one.labels) for one in drawn)
    sides = sorted(
        float(((box[2] - box[0]) * (box[3] - box[1])) ** 0.5 / one.image.shape[0]) for one in drawn for box in one.boxes
    )
    return {
        "defects_by_class": dict(labels.most_common()),
        "pictures_by_number_of_defects": {str(n): numbers[n] for n in sorted(numbers)},
        "side_of_boxes": {f"{q}%": round(sides[len(sides) * q // 100], 3) for q in (1, 10, 25, 50, 75, 90, 99)},
    }


if __name__ == "__main__":
    main()
