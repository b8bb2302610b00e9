"""All measurements of one model, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lightdet.profiling.complexity import Complexity
from lightdet.profiling.latency import Latency


@dataclass(frozen=True, eq=False)
class Report:
    """One model on one device.

    Attributes:
        model: what was measured: a configuration or weights file.
        imgsz: side of the square input in pixels.
        classes: number of classes; None if unknown.
        device: ``cpu``, ``cuda:0``, …, and its name.
        threads: on the CPU.
        precision: fp32, bf16, fp16 or int8.
        runtime: the runtime, with its version.
        picture: ``(width, height)`` of the timed picture.
        complexity: parameters and operations; None if unknown.
        latency: time of single pictures by stage.
        batch: batch size for `images_per_second` and `peak_memory_mib`.
        images_per_second: all stages together.
        peak_memory_mib: see `lightdet.profiling.memory`; of all models measured together.
    """

    model: str
    imgsz: int
    classes: int | None
    device: str
    device_name: str
    threads: int
    precision: str
    runtime: str
    picture: tuple[int, int]
    complexity: Complexity | None
    latency: Latency
    batch: int
    images_per_second: float
    peak_memory_mib: float | None

    def as_dict(self, *, layers: bool = False) -> dict[str, Any]:
        """Return values ready for JSON; times in ms, medians and 95th percentiles; `layers` adds the table."""
        result: dict[str, Any] = {
            "model": self.model,
            "params": None if self.complexity is None else self.complexity.params,
            "flops": None if self.complexity is None else self.complexity.flops,
            "imgsz": self.imgsz,
            "classes": self.classes,
            "latency_ms": self.latency.median(),
            "latency_p95_ms": self.latency.p95(),
            "runs": len(self.latency.samples["total"]),
            "boxes": self.latency.boxes,
            "throughput": {"batch": self.batch, "images_per_second": self.images_per_second},
            "peak_memory_mib": self.peak_memory_mib,
            "device": self.device,
            "device_name": self.device_name,
            "threads": self.threads,
            "precision": self.precision,
            "runtime": self.runtime,
            "picture": list(self.picture),
        }
        if layers and self.complexity is not None:
            result["layers"] = [asdict(layer) for layer in self.complexity.layers]
        return result
