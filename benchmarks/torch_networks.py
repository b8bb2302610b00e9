"""Our network in PyTorch compared with a peer's and with our own ONNX file: each in a process of its own, in turn.

    python benchmarks/torch_networks.py --weights best.safetensors --onnx best.onnx --peer-python PEER/bin/python

One picture at a time, the network alone; each visit loads, warms up and gives the median of its runs. Ours runs as
`lightdet.load` sets it up (rewritten, as its half second of measuring chose); the peers as their own predictor fuses
them (`ultralytics` is AGPL: it is in a venv of its own, and nothing of it is imported here).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lightdet.files import write_json
from lightdet.processors import available_processors

HERE = Path(__file__).parent
WARM_UP = 3


def main() -> None:
    options = parse()
    if options.visit:
        print(visit(options))
        return
    rounds = []
    for number in range(options.rounds):
        found = {"lightdet in PyTorch": ours(options, options.weights)}
        found["lightdet in ONNX Runtime"] = ours(options, options.onnx)
        for peer in options.peers if options.peer_python else ():
            found[f"{peer} in PyTorch"] = theirs(options, peer)
        print(f"round {number}: " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in found.items()), flush=True)
        rounds.append(found)
    result = summary(options, rounds)
    print(json.dumps(result, indent=2))
    if options.json:
        write_json(options.json, result)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="a checkpoint of ours")
    parser.add_argument("--onnx", type=Path, required=True, help="the same, exported at this input side")
    parser.add_argument("--imgsz", type=int, default=608)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring, per visit")
    parser.add_argument("--peer-python", help="interpreter of a venv with ultralytics")
    parser.add_argument("--peers", nargs="+", default=["yolo11n"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--visit", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def ours(options: argparse.Namespace, path: Path) -> float:
    flags = ["--weights", str(options.weights), "--onnx", str(options.onnx), "--imgsz", str(options.imgsz)]
    flags += ["--threads", str(options.threads), "--seconds", str(options.seconds), "--visit", str(path)]
    return number_of([sys.executable, __file__, *flags])


def theirs(options: argparse.Namespace, peer: str) -> float:
    script = HERE / "peer_networks" / "ultralytics_network.py"
    words = [peer, str(options.imgsz), "6", str(options.threads), str(options.seconds)]
    return number_of([options.peer_python, str(script), *words])


def number_of(command: list[str]) -> float:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return float(done.stdout.strip().splitlines()[-1])


def visit(options: argparse.Namespace) -> float:
    """Median milliseconds of the network alone, in this process."""
    import numpy as np  # noqa: PLC0415 - the process that only starts the others needs none of it

    import lightdet  # noqa: PLC0415

    predictor = lightdet.load(options.visit, imgsz=options.imgsz, threads=options.threads)
    side = options.imgsz
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    times = []
    for _ in range(WARM_UP):
        predictor(picture)
    end = time.perf_counter() + options.seconds
    while time.perf_counter() < end:
        times.append(predictor(picture).milliseconds["network"])
    return statistics.median(times)


def summary(options: argparse.Namespace, rounds: list[dict[str, float]]) -> dict[str, Any]:
    own = "lightdet in PyTorch"
    return {
        "imgsz": options.imgsz,
        "threads": options.threads,
        "processors": available_processors(),
        "rounds": rounds,
        "milliseconds": {name: round(statistics.median(r[name] for r in rounds), 1) for name in rounds[0]},
        "lightdet_over_it": {
            name: round(statistics.median(r[own] / r[name] for r in rounds), 3) for name in rounds[0] if name != own
        },
    }


if __name__ == "__main__":
    main()
