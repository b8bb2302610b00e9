"""``lightdet.profile``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lightdet.api.arguments import AnyPath, as_path, at_least, maybe_path
from lightdet.profiling.report import Report
from lightdet.runs.profile import ProfileRequest, profile_models

CONFIGURATIONS = (".yaml", ".yml")


def profile(
    *models: AnyPath,
    imgsz: int | None = None,
    classes: int | None = None,
    batch: int = 16,
    device: str = "auto",
    threads: int | None = None,
    runs: int = 50,
    precision: Literal["fp32", "bf16", "fp16"] | None = None,
    confidence: float = 0.25,
    picture: AnyPath | None = None,
) -> list[Report]:
    """Measure what models cost, side by side, as ``lightdet profile`` does.

    >>> (report,) = lightdet.profile("best.safetensors", runs=2, batch=1)
    >>> report.complexity.params > 0, sorted(report.latency.median())
    (True, ['network', 'postprocess', 'preprocess', 'total'])

    Args:
        models: trained models, exports, or configurations (.yaml, with fresh weights); none: our own detector.
        imgsz: side of the network input in pixels, a multiple of 32; by default that of the model or configuration.
        classes: of a configuration, the number of classes; by default 6, of a classifier 2.
        batch: pictures at once for throughput and memory, at least 1.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        threads: of the processor, at least 1.
        runs: single pictures timed per model, at least 1.
        precision: number format; by default fp32, or what an export was made for.
        confidence: lowest score that reaches NMS, in [0, 1].
        picture: what is timed; by default a generated picture of 1280 x 960 pixels.

    Returns:
        A report per model, configurations first: ``complexity`` (parameters, FLOPs), ``latency`` (milliseconds by
        stage), ``images_per_second``, ``peak_memory_mib``, ``as_dict()``.

    Raises:
        UserError: a model, configuration or picture that cannot be read; a device that is not there.
    """
    at_least(1, batch=batch, runs=runs, threads=threads, classes=classes)
    paths = [as_path(each, "a model") for each in models]
    configs = [path for path in paths if path.suffix.lower() in CONFIGURATIONS]
    weights: list[Path] = [path for path in paths if path not in configs]
    return profile_models(
        ProfileRequest(
            configs=configs,
            weights=weights,
            imgsz=imgsz,
            classes=classes,
            batch=batch,
            device=device,
            threads=threads,
            runs=runs,
            precision=precision,
            confidence=confidence,
            picture=maybe_path(picture, "picture"),
        )
    )
