"""A line under load: shares, latency and memory of many sources and models, while processes are killed at random.

    python benchmarks/line.py a.onnx b.onnx --sources 8 --minutes 60 --kill 60 --cut 90 --json line.json

Each source is a folder into which a picture is put every 1/RATE s; together more than the models can judge, so
that what they leave is dropped and told. Results go into a file, to a web server and to an MQTT broker (where mosquitto
is installed). Writes no verdicts of its own: it reads what the sinks were given.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from line_receivers import Receiver, all_delivered, delivered, receivers
from PIL import Image as Pil

_KEPT = 60.0
"""Seconds after which a fed file is deleted."""
_SETTLE = 30.0
"""Seconds after the start that are not counted."""
_AWAY = 10.0
"""Seconds for which a receiver of results is away when it is cut off."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="model files, as for lightdet.load")
    parser.add_argument("--sources", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=4.0, help="pictures per second of each source")
    parser.add_argument("--side", type=int, default=200, help="of a picture, in pixels")
    parser.add_argument("--latency", type=float, default=3.0, help="of each source, in seconds")
    parser.add_argument("--queue", type=int, default=8)
    parser.add_argument("--kill", type=float, default=0.0, help="kill a random child every so many seconds; 0: none")
    parser.add_argument("--cut", type=float, default=0.0, help="cut off a random sink every so many seconds; 0: none")
    parser.add_argument("--json", help="write the result to this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lightdet-line-") as folder:
        found = measure(Path(folder), args)
    print(json.dumps(found, indent=2))
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    names = [f"s{number}" for number in range(args.sources)]
    made = receivers(folder)
    described = line_yaml(folder, names, args)
    described["sinks"].update({name: each.section() for name, each in made.items()})
    (folder / "line.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    stop = threading.Event()
    process = subprocess.Popen([sys.executable, "-m", "lightdet", "line", str(folder / "line.yaml")])
    try:
        while not (folder / "state" / "status.json").exists():
            if process.poll() is not None:
                sys.exit("the line did not start")
            time.sleep(0.2)
        threads = [threading.Thread(target=feed, args=(folder / name, args, stop)) for name in names]
        for thread in threads:
            thread.start()
        cutting = threading.Thread(target=cut_off, args=(made, args, stop, cuts := Counter[str]()))
        cutting.start()
        memory, kills = watch(process, args)
        stop.set()
        cutting.join()
        for thread in threads:
            thread.join()
    finally:
        stop.set()
        process.send_signal(signal.SIGTERM)
        process.wait(120)
    found = summary(folder, names, args, memory, kills)
    all_delivered(made, found["results"], 30)
    ids = {row["id"] for row in results(folder)}
    found["cut_off"], found["receivers"] = dict(cuts), delivered(made, ids)
    return found


def line_yaml(folder: Path, names: list[str], args: argparse.Namespace) -> dict[str, Any]:
    for name in names:
        (folder / name).mkdir()
    source = {"settle": 0.1, "queue": args.queue, "drop": "oldest", "latency": args.latency}
    return {
        "state": str(folder / "state"),
        "sources": {name: {"folder": str(folder / name), **source} for name in names},
        "models": {f"m{number}": {"file": file} for number, file in enumerate(args.models)},
        "sinks": {"log": {"file": {"path": str(folder / "out.jsonl"), "max_bytes": 10**12}}},
    }


def feed(folder: Path, args: argparse.Namespace, stop: threading.Event) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (args.side, args.side, 3), np.uint8)
    number, due, there = 0, time.monotonic(), []
    while not stop.is_set():
        pixels[:8, :8] = number % 251
        Pil.fromarray(pixels).save(folder / ".next", "JPEG")
        (folder / ".next").rename(folder / f"{number:07}.jpg")
        there.append((time.monotonic(), folder / f"{number:07}.jpg"))
        while there and there[0][0] < time.monotonic() - _KEPT:
            there.pop(0)[1].unlink()
        number += 1
        due = max(due + 1.0 / args.rate, time.monotonic())
        stop.wait(due - time.monotonic())


def cut_off(made: dict[str, Receiver], args: argparse.Namespace, stop: threading.Event, cuts: Counter[str]) -> None:
    """Take a random receiver away and bring it back, again and again."""
    while args.cut and not stop.wait(args.cut):
        name = random.choice(sorted(made))
        made[name].cut()
        cuts[name] += 1
        stop.wait(_AWAY)
        made[name].start()


def watch(process: subprocess.Popen[bytes], args: argparse.Namespace) -> tuple[list[tuple[float, float]], int]:
    """Return MiB ``(main process, its children)`` each second, and how many were killed."""
    began, memory, kills, kill_at = time.monotonic(), [], 0, time.monotonic() + _SETTLE + args.kill
    while time.monotonic() - began < _SETTLE + 60 * args.minutes:
        if process.poll() is not None:
            sys.exit("the line ended by itself")
        children = children_of(process.pid)
        memory.append((resident(process.pid), sum(resident(each) for each in children)))
        if args.kill and children and time.monotonic() >= kill_at:
            os.kill(random.choice(children), signal.SIGKILL)
            kills, kill_at = kills + 1, kill_at + args.kill
        time.sleep(1.0)
    return memory, kills


def children_of(pid: int) -> list[int]:
    """The children that work: not the one that multiprocessing itself keeps for shared things."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    numbers = [int(number) for task in listed.parent.parent.glob("*/children") for number in task.read_text().split()]
    return [number for number in numbers if b"spawn_main" in command(number)]


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def resident(pid: int) -> float:
    """A process's own memory in MiB: pages that it shares are divided among those that share them."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]


def summary(
    folder: Path, names: list[str], args: argparse.Namespace, memory: list[tuple[float, float]], kills: int
) -> dict[str, Any]:
    rows = results(folder)
    since = min(row["time_ms"] for row in rows) + _SETTLE * 1000
    counted = [row for row in rows if row["time_ms"] >= since]
    judged = Counter(row["source"] for row in counted if row["verdict"] != "none")
    mean = sum(judged.values()) / len(names)
    seconds = np.array([row["seconds"] for row in counted if row["verdict"] != "none"])
    told = np.array([row["seconds"] for row in counted])
    ids = {row["id"] for row in rows}
    files = {(row["source"], row["picture"]) for row in rows}
    sizes = np.array(memory)
    status = json.loads((folder / "state" / "status.json").read_text(encoding="utf-8"))
    return {
        "sources": len(names),
        "models": len(args.models),
        "minutes": args.minutes,
        "kills": kills,
        "results": len(rows),
        "same_id_twice": len(rows) - len(ids),
        "same_file_twice": len(rows) - len(files),
        "judged_per_second": round(sum(judged.values()) / (60 * args.minutes), 2),
        "share_of_mean": {name: round(judged[name] / mean, 3) for name in names},
        "verdicts": Counter(row["cause"] or "judged" for row in counted),
        "latency_allowed": args.latency,
        "seconds_judged": {f"p{q}": round(float(np.percentile(seconds, q)), 3) for q in (50, 99, 100)},
        "seconds_told": {f"p{q}": round(float(np.percentile(told, q)), 3) for q in (50, 99, 100)},
        "memory_mib": {
            name: {
                "by_quarter": [round(float(np.median(part)), 1) for part in np.array_split(column, 4)],
                "most": round(float(column.max()), 1),
            }
            for name, column in (("main", sizes[:, 0]), ("children", sizes[:, 1]))
        },
        "restarts": sum(part["restarts"] for kind in ("sources", "models") for part in status[kind].values()),
    }


if __name__ == "__main__":
    main()
