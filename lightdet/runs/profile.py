"""Configurations and weights → their profiles, measured side by side; exported networks run without torch."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from lightdet.assembly.need_torch import need_torch
from lightdet.config import YamlFile, load_yaml
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.files import write_json
from lightdet.inference.export_card import ExportCard
from lightdet.inference.foreign_network import ForeignNetwork, library_of
from lightdet.model_kind import is_export
from lightdet.options.profile import ProfileOptions
from lightdet.profiling.complexity import Complexity, measure_complexity
from lightdet.profiling.latency import measure_latency, measure_throughput, sample_picture
from lightdet.profiling.memory import peak_memory_mib, reset_peak_memory
from lightdet.profiling.report import Report
from lightdet.runs.load import load
from lightdet.tasks import task_of_config, task_of_model

if TYPE_CHECKING:
    import torch

    from lightdet.compute import Computing


@dataclass(frozen=True)
class _Subject:
    """What is timed: a `Predictor`, or a `ForeignNetwork`, which has the same call."""

    name: str
    predictor: Any
    imgsz: int
    classes: int | None
    complexity: Complexity | None
    device: str
    precision: str
    runtime: str
    in_torch: bool = False


def profile_models(options: ProfileOptions) -> list[Report]:
    """Measure every model in `options`, several in turn; configurations first, then weights, then other networks.

    Raises:
        UserError: an unreadable or wrong configuration, weights or picture; a device that is not there.
    """
    if options.weights and not options.config and options.overrides:
        raise UserError(f"'{options.overrides[0]}' would change a configuration; a trained model cannot change")
    if options.weights and not options.config and options.classes is not None:
        raise UserError("--classes is for a configuration; a trained model has its own")
    device = _device_of_torch(options)
    picture = sample_picture() if options.picture is None else read_image(options.picture)
    if options.threads is not None:
        if device is not None:
            import torch  # noqa: PLC0415

            torch.set_num_threads(options.threads)
        cv2.setNumThreads(options.threads)
    subjects = _subjects(options, device)
    predictors = [subject.predictor for subject in subjects]
    latencies = measure_latency(predictors, picture, runs=options.runs)
    reset_peak_memory(device or "cpu")
    speeds = measure_throughput(predictors, picture, batch=options.batch)
    reports = [
        Report(
            model=subject.name,
            imgsz=subject.imgsz,
            classes=subject.classes,
            device=subject.device,
            device_name=device_name(subject.device),
            threads=_threads(options),
            precision=subject.precision,
            runtime=subject.runtime,
            picture=(picture.shape[1], picture.shape[0]),
            complexity=subject.complexity,
            latency=latency,
            batch=options.batch,
            images_per_second=speed,
            peak_memory_mib=peak_memory_mib(subject.device if subject.in_torch else "cpu"),
        )
        for subject, latency, speed in zip(subjects, latencies, speeds, strict=True)
    ]
    if options.json is not None:
        results = [report.as_dict(layers=options.layers) for report in reports]
        write_json(options.json, results[0] if len(results) == 1 else {"models": results})
    return reports


def _device_of_torch(options: ProfileOptions) -> torch.device | None:
    """The device for models in torch; None if there are none: exported networks choose their own, and need no torch."""
    checkpoints = [path for path in options.weights if not is_export(path)]
    if options.weights and not options.config and not checkpoints:
        return None
    for path in checkpoints:
        need_torch(path)
    from lightdet.models.device import choose_device  # noqa: PLC0415

    return choose_device(options.device)


def _subjects(options: ProfileOptions, device: torch.device | None) -> list[_Subject]:
    files = [load_yaml(path) for path in options.config]
    if not files and not options.weights:
        files = [YamlFile({})]
    subjects = [_fresh(file, options, device) for file in files]
    sides = options.sides or [options.imgsz] * len(options.weights)
    for path, side in zip(options.weights, sides, strict=True):
        task = task_of_model(path)
        predictor = load(
            path,
            device=options.device if is_export(path) else str(device),
            imgsz=side,
            precision=options.precision,
            threads=_threads(options),
            **task.profiled_thresholds(options.confidence),
        )
        # With tiles: the network that looks at each of them.
        subjects.append(_subject(str(path), getattr(predictor, "predictor", predictor)))
    return subjects + [_foreign(Path(path), options) for path in options.against]


def _fresh(file: YamlFile, options: ProfileOptions, device: torch.device | None) -> _Subject:
    """A configuration's network with random weights."""
    task = task_of_config(file, options.overrides)
    side = [] if options.imgsz is None else [f"imgsz={options.imgsz}"]
    predictor = task.fresh_predictor(
        task.configuration(file, [*options.overrides, *side]),
        options.classes,
        device=device or "cpu",
        precision=options.precision or "fp32",
        threads=_threads(options),
        **task.profiled_thresholds(options.confidence),
    )
    return _subject(str(file.path) if file.path else "default configuration", predictor)


def _subject(name: str, predictor: Any) -> _Subject:
    runtime, imgsz = predictor.runtime, predictor.preprocessing.imgsz
    if hasattr(runtime, "card"):
        cost, told = _stored_complexity(runtime.card), library_of(Path(runtime.file.path))
    else:
        cost, told = measure_complexity(runtime.network, imgsz), _torch_told(runtime.computing)
    count = len(predictor.names)
    in_torch = not hasattr(runtime, "card")
    return _Subject(name, predictor, imgsz, count, cost, str(runtime.device), runtime.precision, told, in_torch)


def _torch_told(computing: Computing) -> str:
    import torch  # noqa: PLC0415

    return f"PyTorch {torch.__version__.partition('+')[0]}, {computing.kernels}"


def _stored_complexity(card: ExportCard) -> Complexity | None:
    """For the network as trained: rewriting it saves time, but few of the counted operations."""
    cost = card.facts.get("complexity")
    return Complexity(int(cost["params"]), int(cost["flops"]), ()) if cost else None


def _foreign(path: Path, options: ProfileOptions) -> _Subject:
    network = ForeignNetwork(
        path, imgsz=options.imgsz, device=options.device, threads=_threads(options), precision=options.precision
    )
    return _Subject(str(path), network, network.imgsz, None, None, network.device, network.precision, library_of(path))


def _threads(options: ProfileOptions) -> int:
    """As many as torch has, or would have: models compared side by side get the same."""
    if options.threads is not None:
        return options.threads
    with suppress(ImportError):
        import torch  # noqa: PLC0415

        return torch.get_num_threads()
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(told)) if told.isdecimal() else os.cpu_count() or 1


def device_name(device: torch.device | str) -> str:
    """Return the name of a processor or GPU."""
    if str(device).startswith("cuda"):
        with suppress(ImportError):
            import torch  # noqa: PLC0415

            return torch.cuda.get_device_name(device)
        return str(device)
    for line in _cpu_info().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    import platform  # noqa: PLC0415 - it may start a process

    return platform.processor() or platform.machine()


def _cpu_info() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return ""
