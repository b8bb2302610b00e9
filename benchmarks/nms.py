"""Post-processing of raw outputs full of boxes: does it stay bounded?

    python benchmarks/nms.py --output benchmarks/results/nms.json

Random logits on the grids of a 608 input, raised or lowered until a given number of cells passes the threshold
of 0.001; the sizes are measured in turn, the medians are printed. A network that has hardly learned gives such outputs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor

from lightdet.assembly.detector import build_detector
from lightdet.config import ModelConfig
from lightdet.files import write_json

SIZES = (100, 1000, 7581, 20000)
CONFIDENCE = 0.001


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    detector = build_detector(ModelConfig(), 6, 608)
    cases = {size: grids_with(size) for size in SIZES}
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    for number in range(options.rounds + 2):
        for size, grids in cases.items():
            began = time.perf_counter()
            detector.select(grids, confidence=CONFIDENCE, iou=0.55, max_detections=300)
            if number > 1:
                times[size].append((time.perf_counter() - began) * 1000)
    result = {
        "milliseconds": {str(size): round(statistics.median(found), 2) for size, found in times.items()},
        "threads": options.threads,
        "torch": torch.__version__,
    }
    print(result)
    if options.output:
        write_json(options.output, result)


def grids_with(count: int) -> list[Tensor]:
    """Raw grids of one picture in which `count` cells pass, each for one class."""
    generator = torch.Generator().manual_seed(0)
    grids = [torch.randn(1, 3, side, side, 11, generator=generator) for side in (76, 38, 19)]
    cells = torch.cat([grid[..., 4].flatten() for grid in grids])
    limit = cells.topk(count).values[-1]
    for grid in grids:
        grid[..., 4] = torch.where(grid[..., 4] >= limit, grid[..., 4], -30.0)
        grid[..., 6:] = -30.0
        grid[..., 5] = 2.0
    return grids


if __name__ == "__main__":
    main()
