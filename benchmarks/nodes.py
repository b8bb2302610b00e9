"""Where the time of an exported network goes: each node's, and the sums by kind.

    python benchmarks/nodes.py model.onnx --threads 1 --least 0.05
    python benchmarks/nodes.py model.xml --threads 4 --precision bf16

By the runtime's own counters, on random input; for each node the shortest of many runs, on which a busy machine has
little effect. The counters take time themselves, so the sum is more than the time of a run.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.inference.openvino_runtime import HINTS

Times = dict[tuple[str, str, str], list[float]]
"""Milliseconds of each (kind, name, what computes it)."""
SERIAL_NUMBER = re.compile(r"_\d{4,}$")
"""What OpenVINO adds to the names of nodes of its own: another at each compilation."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help=".onnx: in ONNX Runtime; .xml: in OpenVINO")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=sorted(HINTS), default="bf16", help="of OpenVINO")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--least", type=float, default=0.02, help="milliseconds: shorter nodes are only summed up")
    options = parser.parse_args()
    times = onnx_runtime(options) if options.file.suffix == ".onnx" else openvino(options)
    sums: dict[str, list[float]] = defaultdict(list)
    for (kind, name, kernel), found in times.items():
        sums[kind].append(min(found))
        if min(found) >= options.least:
            print(f"{min(found):8.3f}  {kind:16} {name[-40:]:40}  {kernel}")
    print()
    for kind, values in sorted(sums.items(), key=lambda item: -sum(item[1])):
        print(f"{sum(values):8.3f}  {kind:16} {len(values)} nodes")
    total = sum(sum(values) for values in sums.values())
    print(f"{total:8.3f}  all              {sum(len(values) for values in sums.values())} nodes")


def onnx_runtime(options: argparse.Namespace) -> Times:
    import onnxruntime  # noqa: PLC0415 - one of the two is enough

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.enable_profiling = options.threads, True
    with tempfile.TemporaryDirectory() as folder:
        settings.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(options.file, settings, providers=["CPUExecutionProvider"])
        given = session.get_inputs()[0]
        values = picture(given.shape, "uint8" in given.type)
        for _ in range(options.runs):
            session.run(None, {given.name: values})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    times: Times = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            shapes = [next(iter(shape.values())) for shape in event["args"]["input_type_shape"]]
            key = (event["args"]["op_name"], event["name"].removesuffix("_kernel_time"), str(shapes)[:60])
            times[key].append(event["dur"] / 1e3)
    return times


def openvino(options: argparse.Namespace) -> Times:
    import openvino as ov  # noqa: PLC0415

    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "PERF_COUNT": True}
    settings |= {"INFERENCE_NUM_THREADS": options.threads, "INFERENCE_PRECISION_HINT": HINTS[options.precision]}
    core = ov.Core()
    model = core.read_model(options.file)
    values = picture(list(model.inputs[0].shape), model.inputs[0].element_type == ov.Type.u8)
    times: Times = defaultdict(list)
    for _ in range(max(1, options.runs // 3)):
        # The counters are means over all runs so far, in whole microseconds, and the first run is a slow one: of three
        # runs of a fresh compilation, the mean of the last two.
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        request.infer([values])
        first = counters(request)
        request.infer([values])
        request.infer([values])
        for key, mean in counters(request).items():
            times[key].append((3 * mean - first[key]) / 2)
    return times


def counters(request: Any) -> dict[tuple[str, str, str], float]:
    """The mean milliseconds of each node that has run."""
    return {
        (node.node_type, SERIAL_NUMBER.sub("", node.node_name), node.exec_type): node.real_time.total_seconds() * 1e3
        for node in request.profiling_info
        if node.status == node.Status.EXECUTED
    }


def picture(shape: list[int], of_bytes: bool) -> AnyArray:
    draw = np.random.default_rng(0)
    if of_bytes:
        return draw.integers(0, 256, shape, dtype=np.uint8)
    return draw.random(shape, dtype=np.float32)


if __name__ == "__main__":
    main()
