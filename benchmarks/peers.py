"""Other packages' smallest networks and ours: the same pictures, minutes, machine and evaluation.

    python benchmarks/peers.py --data datasets/neu-det.yaml --imgsz 224 --minutes 10 --seeds 0 1 2 \
        --peer-python PEER/bin/python --output runs/peers

Ours starts from random weights and, separately, from the package's pretrained weights; the peers from random weights,
or from a file of their package's weights (``--peers yolo11n yolo11n.pt``). Each is trained alone, one after the
other, by its own package's recipe, and the detections of the last epoch's averaged weights on the validation pictures
are scored by ``lightdet val``. `ultralytics` is AGPL: it is in a venv of its own, and nothing of it is imported here.
The same command continues after an interruption and repeats no training. ``--pictures N`` trains on N pictures,
drawn once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from lightdet.assembly.dataset import load_dataset
from lightdet.data.dataset import DatasetSpec, read_split
from lightdet.data.formats.yolo import write_yolo
from lightdet.files import write_json

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent / "tools"
SCORES = ("map50", "map75", "map50_95")


def main() -> None:
    options = parse()
    options.output.mkdir(parents=True, exist_ok=True)
    folder = options.output.resolve() / "set"
    write_set(load_dataset(options.data, options.data_root), folder, options.pictures)
    rows = []
    for seed in options.seeds:
        for start in ("chance", "pretrained"):
            rows.append(row(options, f"lightdet, {start}", seed, lambda s=seed, b=start: ours(options, folder, b, s)))
        for peer in options.peers if options.peer_python else ():
            begun = "pretrained" if peer.endswith(".pt") else "chance"
            name = f"{Path(peer).stem}, {begun}"
            rows.append(row(options, name, seed, lambda s=seed, p=peer: theirs(options, folder, p, s)))
    table = {
        name: summary([each for each in rows if each["name"] == name])
        for name in dict.fromkeys(r["name"] for r in rows)
    }
    result = {
        "data": str(options.data),
        "imgsz": options.imgsz,
        "minutes": options.minutes,
        "batch": options.batch,
        "pictures": options.pictures,
        "processors": os.cpu_count(),
        "processor": platform.processor(),
        "rows": rows,
        "median": table,
    }
    write_json(options.output / "result.json", result)
    print("| network, begun with | parameters M | mAP@0.5 | mAP@0.5:0.95 |\n| --- | ---: | ---: | ---: |")
    for name, told in table.items():
        print(f"| {name} | {told['parameters'] / 1e6:.2f} | {told['map50']:.3f} | {told['map50_95']:.3f} |")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--imgsz", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--pictures", type=int, help="train on this many only")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--peer-python", help="interpreter of a venv that has `ultralytics`")
    parser.add_argument(
        "--peers", nargs="*", default=["yolo11n", "yolo26n"], help="networks, or files of weights (.pt)"
    )
    return parser.parse_args()


def write_set(spec: DatasetSpec, folder: Path, pictures: int | None) -> None:
    """Both sides train on the very same files: links to the pictures, labels as YOLO txt."""
    if (folder / "dataset.yaml").exists():
        return
    for split in ("train", "val"):
        annotations, _ = read_split(spec, split)
        if split == "train" and pictures is not None:
            random.Random(0).shuffle(annotations)
            annotations = annotations[:pictures]
        for part in ("images", "labels"):
            (folder / part / split).mkdir(parents=True, exist_ok=True)
        for annotation in annotations:
            link = folder / "images" / split / annotation.image.name
            if not link.exists():
                link.symlink_to(annotation.image.resolve())
            write_yolo(annotation, folder / "labels" / split / f"{annotation.image.stem}.txt")
    lines = [str(path) for path in sorted((folder / "images" / "val").iterdir())]
    (folder / "val.txt").write_text("\n".join(lines) + "\n")
    classes = json.dumps(list(spec.classes))
    splits = "splits: {train: images/train, val: images/val}\n"
    (folder / "dataset.yaml").write_text(f"root: .\nformat: yolo\nclasses: {classes}\n{splits}")


def row(options: argparse.Namespace, name: str, seed: int, make: Any) -> dict[str, Any]:
    """What a training reached; from its file if it was done before."""
    kept = options.output / f"{name.replace(', ', '-')}-{seed}.json"
    if not kept.exists():
        write_json(kept, {"name": name, "seed": seed, **make()})
    result: dict[str, Any] = json.loads(kept.read_text())
    print(result, flush=True)
    return result


def ours(options: argparse.Namespace, folder: Path, start: str, seed: int) -> dict[str, Any]:
    run = options.output.resolve() / f"ours-{start}-{seed}"
    common = ["--data", str(folder / "dataset.yaml")]
    door(
        "train", *common, "--config", str(HERE.parent / "configs" / "lightdet.yaml"), "--minutes", str(options.minutes),
        "--imgsz", str(options.imgsz), "--batch", str(options.batch), "--seed", str(seed), "--device", "cpu",
        "--output", str(run), "--overwrite", "--json", str(run) + "-training.json", f"train.start={start}",
    )  # fmt: skip
    scores = scored(run, *common, "--weights", str(run / "last.safetensors"), "--device", "cpu")
    told = json.loads(Path(str(run) + "-training.json").read_text())
    return {**scores, "parameters": scores["params"], "minutes": told["minutes"], "epochs": told["epochs"]}


def theirs(options: argparse.Namespace, folder: Path, peer: str, seed: int) -> dict[str, Any]:
    found = (
        options.output.resolve() / f"{Path(peer).stem}-{'pt' if peer.endswith('.pt') else 'chance'}-{seed}.found.json"
    )
    start = str(Path(peer).resolve()) if peer.endswith(".pt") else peer
    words = [str(folder), str(options.imgsz), str(options.batch), str(options.minutes), str(seed), start]
    command = [options.peer_python, str(HERE / "peer_networks" / "ultralytics_detector.py"), *words]
    done = subprocess.run(
        [*command, str(folder / "val.txt"), str(found)],
        capture_output=True, text=True, check=False, cwd=options.output,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{peer}: {done.stderr[-2000:]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return {**scored(found, "--data", str(folder / "dataset.yaml"), "--predictions", str(found)), **told}


def scored(where: Path, *flags: str) -> dict[str, Any]:
    """Score by our evaluation, whoever made the detections."""
    numbers = Path(f"{where}-scores.json")
    door("val", *flags, "--output", f"{where}-val", "--json", str(numbers))
    told = json.loads(numbers.read_text())
    return {name: told[name] for name in (*SCORES, "params") if name in told}


def door(verb: str, *flags: str) -> None:
    done = subprocess.run(
        [sys.executable, str(TOOLS / f"{verb}.py"), *flags], capture_output=True, text=True, check=False
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{verb}: {done.stderr[-2000:]}")


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = (*SCORES, "parameters", "minutes")
    return {name: statistics.median(each[name] for each in rows) for name in names}


if __name__ == "__main__":
    main()
