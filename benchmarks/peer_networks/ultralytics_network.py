"""Run by the peer's own interpreter: milliseconds of a network of `ultralytics` in PyTorch, one picture at a time.

    PEER/bin/python ultralytics_network.py yolo11n IMGSZ CLASSES THREADS SECONDS

Fused as its own predictor fuses it, in fp32; weights are random, which costs the same time. Prints the median.
"""

import statistics
import sys
import time

import torch
from ultralytics.nn.tasks import DetectionModel


def main(name: str, imgsz: int, classes: int, threads: int, seconds: float) -> None:
    torch.set_num_threads(threads)
    network = DetectionModel(f"{name}.yaml", nc=classes, verbose=False).eval().fuse(verbose=False)
    picture = torch.rand(1, 3, imgsz, imgsz)
    times = []
    with torch.inference_mode():
        for _ in range(3):
            network(picture)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            network(picture)
            times.append((time.perf_counter() - start) * 1e3)
    print(statistics.median(times))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
