"""Network time of exported models at 608 pixels, ours and peers, in turn; and the time besides the network.

    python benchmarks/runtimes.py --weights best.safetensors --data datasets/neu-det.yaml --files build/runtimes \
        --peer-python PEER/bin/python --json runtimes.json

First the files are made, unless ``--files`` has them already: ours by ``lightdet export`` (verified on
the data set), the peers' by their own export in a venv that has `ultralytics` (AGPL: nothing of it is imported
here), the original YOLOv5n from parts of our own (``peer_networks/yolov5n.py``). Then each is measured once per round,
in random order: three runs to warm up, the median of ten. The tables show the medians over the rounds, and the
medians of the rounds' ratios. Ours takes the picture's bytes and gives raw grids; a peer takes floats and decodes in
the network, as its own export has it. The second table has what ours does outside of the network.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np

import lightdet
from lightdet.arrays import Image
from lightdet.assembly.dataset import load_dataset
from lightdet.data.dataset import read_split
from lightdet.data.images import read_image
from lightdet.files import write_json
from lightdet.inference.exported import ExportedRuntime
from lightdet.inference.foreign_network import ForeignNetwork
from lightdet.inference.predictor import Predictor

HERE = Path(__file__).parent
OURS, YOLOV5N = "lightdet", "yolov5n"
PEERS = ("yolo11n", "yolo26n")
RUNTIMES = {
    "ort-fp32": ("{}.onnx", "ONNX Runtime fp32"),
    "ov-bf16": ("{}.xml", "OpenVINO bf16"),
    "ov-int8": ("{}_int8.xml", "OpenVINO INT8"),
}
CLASSES = 6
Case: TypeAlias = Callable[[], dict[str, float]]
WARM_UP, RUNS, PAUSE = 3, 10, 0.02  # seconds between two networks: their threads keep spinning for a moment
CAMERAS = {"608 x 608": (608, 608), "1280 x 960": (1280, 960), "1920 x 1080": (1920, 1080)}


def main() -> None:
    options = parse()
    folder: Path = options.files
    folder.mkdir(parents=True, exist_ok=True)
    make_files(options, folder)
    if options.prepare:
        return
    cv2.setNumThreads(options.threads)
    cases: dict[str, Case] = {}
    computed: dict[str, str] = {}
    for name in (OURS, YOLOV5N, *PEERS):
        for runtime, (pattern, _) in RUNTIMES.items():
            path = folder / pattern.format(name)
            if path.is_file():
                cases[f"{name} {runtime}"], computed[runtime] = network_case(path, options)
    for runtime, (pattern, _) in RUNTIMES.items():
        path = folder / pattern.format(OURS)
        for what, pictures in pictures_of(options).items():
            cases[f"on top {runtime} {what}"] = predictor_case(path, pictures, options)
    rounds = measure(cases, options)
    result = summarize(options, rounds) | {"computed_in": computed}
    tell(result)
    if options.json:
        write_json(options.json, result)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="a checkpoint of ours")
    parser.add_argument("--data", type=Path, required=True, help="its data set's YAML")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--files", type=Path, required=True, help="folder of the exported files; created if missing")
    parser.add_argument("--peer-python", help="interpreter of a venv with ultralytics; only to make files")
    parser.add_argument("--prepare", action="store_true", help="make the files and stop")
    parser.add_argument("--imgsz", type=int, default=608)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no round after this long")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def make_files(options: argparse.Namespace, folder: Path) -> None:
    """Export what is not there yet."""
    kinds = {".onnx": ("onnx", "fp32"), ".xml": ("openvino", "bf16"), "_int8.xml": ("openvino", "int8")}
    for ending, (kind, precision) in kinds.items():
        target = folder / f"{OURS}{ending}"
        if not target.is_file():
            command = [sys.executable, "-m", "lightdet", "export", "--weights", str(options.weights), "--output"]
            command += [str(target), "--format", kind, "--precision", precision, "--imgsz", str(options.imgsz)]
            command += ["--data", str(options.data)]
            command += ["--data-root", str(options.data_root)] if options.data_root else []
            subprocess.run(command, check=True)
    if not (folder / f"{YOLOV5N}.onnx").is_file():
        export_yolov5n(folder / f"{YOLOV5N}.onnx", options.imgsz)
    missing = [name for name in PEERS if not (folder / f"{name}_int8.xml").is_file()]
    if missing and options.peer_python:
        export_peers(options, folder.resolve(), missing)
    for name in (YOLOV5N, *PEERS):
        source = folder / f"{name}.onnx"
        if source.is_file() and not source.with_suffix(".xml").is_file():
            convert(source, eight_bits=name == YOLOV5N, imgsz=options.imgsz)


def export_yolov5n(target: Path, imgsz: int) -> None:
    import torch  # noqa: PLC0415 - a measurement needs none, and its threads would be in the way
    from peer_networks.yolov5n import PUBLISHED_PARAMETERS, Decoded, folded_parameters, settled, yolov5n  # noqa: PLC0415

    count = folded_parameters(yolov5n(80, imgsz))
    if count != PUBLISHED_PARAMETERS:
        sys.exit(f"peer_networks/yolov5n.py has {count} parameters with 80 classes, not {PUBLISHED_PARAMETERS}")
    network = Decoded(settled(yolov5n(CLASSES, imgsz), imgsz)).eval()
    torch.onnx.export(
        network, (torch.zeros(1, 3, imgsz, imgsz),), target, dynamo=True, opset_version=18, external_data=False
    )


def export_peers(options: argparse.Namespace, folder: Path, names: Sequence[str]) -> None:
    from lightdet.data.synthetic import SyntheticPlan, write_synthetic  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as work:
        dataset = Path(work) / "set"
        write_synthetic(dataset, SyntheticPlan(images=60, imgsz=options.imgsz, seed=0, val=0.5))
        command = [options.peer_python, str((HERE / "peer_networks" / "ultralytics_export.py").resolve())]
        command += [str(folder), str(dataset), str(options.imgsz), str(CLASSES), *names]
        subprocess.run(command, check=True, cwd=work)


def convert(source: Path, *, eight_bits: bool, imgsz: int) -> None:
    """ONNX → OpenVINO, the numbers as they are; and quantized by NNCF with its own settings."""
    import nncf  # noqa: PLC0415 - slow to import, and not needed for a measurement
    import openvino  # noqa: PLC0415

    model = openvino.Core().read_model(source)
    openvino.save_model(model, source.with_suffix(".xml"), compress_to_fp16=False)
    if eight_bits:
        draw = np.random.default_rng(0)
        pictures = [draw.random((1, 3, imgsz, imgsz), dtype=np.float32) for _ in range(30)]
        quantized = nncf.quantize(
            model,
            nncf.Dataset(pictures),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(types=["Sigmoid"], validate=False),
        )
        target = source.with_name(f"{source.stem}_int8.xml")
        openvino.save_model(quantized, target, compress_to_fp16=False)


def network_case(path: Path, options: argparse.Namespace) -> tuple[Case, str]:
    """The network alone, on one random picture; and the precision that the runtime says it computes in."""
    precision = None if path.suffix == ".onnx" else "bf16"
    network = ForeignNetwork(path, imgsz=options.imgsz, threads=options.threads, precision=precision, device="cpu")

    def visit() -> dict[str, float]:
        times = [network().milliseconds["network"] for _ in range(WARM_UP + RUNS)]
        return {"ms": statistics.median(times[WARM_UP:])}

    return visit, network.precision


def pictures_of(options: argparse.Namespace) -> dict[str, list[Image]]:
    """Pictures of the data set in their own size, and as cameras of other sizes would give them."""
    spec = load_dataset(options.data, options.data_root)
    annotations = read_split(spec, "val")[0]
    chosen = annotations[:: max(1, len(annotations) // RUNS)][:RUNS]
    own = [read_image(annotation.image, bit_depth=spec.bit_depth) for annotation in chosen]
    found = {f"{own[0].shape[1]} x {own[0].shape[0]}": own}
    for name, size in CAMERAS.items():
        found[name] = [np.asarray(cv2.resize(image, size), np.uint8) for image in own]
    return found


def predictor_case(
    path: Path, pictures: Sequence[Image], options: argparse.Namespace
) -> Callable[[], dict[str, float]]:
    """From decoded picture to `Detections`, without the network."""
    predictor = lightdet.load(path, threads=options.threads)
    watch = Stopwatch(predictor)

    def visit() -> dict[str, float]:
        for picture in pictures[:WARM_UP]:
            predictor(picture)
        rest, whole, boxes = [], [], []
        for picture in pictures:
            watch.milliseconds = 0.0
            start = time.perf_counter()
            found = predictor(picture)
            whole.append((time.perf_counter() - start) * 1e3)
            rest.append(whole[-1] - watch.milliseconds)
            boxes.append(len(found))
        return {"ms": statistics.median(rest), "whole": statistics.median(whole), "boxes": statistics.mean(boxes)}

    return visit


class Stopwatch:
    """Takes the time of a predictor's network."""

    def __init__(self, predictor: Predictor) -> None:
        self.milliseconds = 0.0
        runtime = predictor.runtime
        assert isinstance(runtime, ExportedRuntime)
        self.run = runtime.file.run
        setattr(runtime.file, "run", self)  # noqa: B010 - a type checker takes methods for constant

    def __call__(self, images: Image) -> Any:
        """Run it, and add up its time."""
        start = time.perf_counter()
        outputs = self.run(images)
        self.milliseconds += (time.perf_counter() - start) * 1e3
        return outputs


def measure(cases: dict[str, Case], options: argparse.Namespace) -> list[dict[str, dict[str, float]]]:
    """All cases once per round, in random order; the first round warms up."""
    order, shuffler = list(cases), random.Random(0)
    rounds: list[dict[str, dict[str, float]]] = []
    began = time.monotonic()
    for number in range(options.rounds + 1):
        if rounds and time.monotonic() - began > options.seconds:
            break
        shuffler.shuffle(order)
        found = {}
        for name in order:
            time.sleep(PAUSE)
            found[name] = cases[name]()
        if number:
            rounds.append(found)
    return rounds


def summarize(options: argparse.Namespace, rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    def over(name: str, what: str = "ms") -> list[float]:
        return [found[name][what] for found in rounds]

    networks: dict[str, Any] = {}
    for runtime in RUNTIMES:
        own = over(f"{OURS} {runtime}")
        for name in (OURS, YOLOV5N, *PEERS):
            if f"{name} {runtime}" in rounds[0]:  # no files of the peers without their interpreter
                times = over(f"{name} {runtime}")
                ratios = [a / b for a, b in zip(own, times, strict=True)]
                low, high = (float(np.percentile(times, q)) for q in (10, 90))
                networks.setdefault(name, {})[runtime] = {
                    "ms": round(statistics.median(times), 2),
                    "p10": round(low, 2),
                    "p90": round(high, 2),
                    "lightdet_over_it": round(statistics.median(ratios), 3),
                }
    pairs = zip(over(f"{OURS} ov-int8"), over(f"{OURS} ov-bf16"), strict=True)
    on_top = {
        name.removeprefix("on top "): {
            "ms": round(statistics.median(over(name)), 2),
            "whole": round(statistics.median(over(name, "whole")), 2),
            "boxes": round(rounds[0][name]["boxes"], 1),
        }
        for name in sorted(rounds[0])
        if name.startswith("on top ")
    }
    return {
        "imgsz": options.imgsz,
        "threads": options.threads,
        "batch": 1,
        "rounds": len(rounds),
        "networks": networks,
        "int8_over_bf16": round(statistics.median(a / b for a, b in pairs), 3),
        "on_top": on_top,
        "versions": {package: version(package) for package in ("onnxruntime", "openvino", "nncf", "numpy")}
        | {"lightdet": lightdet.__version__, "opencv": cv2.__version__, "python": platform.python_version()},
        "processors": os.cpu_count(),
    }


def tell(result: dict[str, Any]) -> None:
    """Print the tables as on the page of results."""
    print(f"| network | {' | '.join(f'{title}, ms | ratio' for _, title in RUNTIMES.values())} |")
    print("| --- |" + " --- | --- |" * len(RUNTIMES))
    for name, found in result["networks"].items():
        cells = [
            f"{found[r]['ms']:.2f} | {found[r]['lightdet_over_it']:.2f}" if r in found else " | " for r in RUNTIMES
        ]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\ncomputed in: {result['computed_in']}")
    print(f"INT8 / bf16 of ours: {result['int8_over_bf16']:.2f}; {result['rounds']} rounds\n")
    print("| runtime and picture | on top of the network, ms | whole, ms | boxes |\n| --- | --- | --- | --- |")
    for name, found in result["on_top"].items():
        print(f"| {name} | {found['ms']:.2f} | {found['whole']:.2f} | {found['boxes']} |")


if __name__ == "__main__":
    main()
