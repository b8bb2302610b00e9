"""Metrics for Prometheus: counts and times of requests, pictures and records.

Several worker processes share a folder of memory-mapped files (``PROMETHEUS_MULTIPROC_DIR``, set before this module
is imported), so that each of them reports for all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

from lightdet.drift.kept import Watched
from lightdet.service.inspection import Inspection, ModelIdentity

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each one, of no use here
        own = CollectorRegistry()
        self._own = own
        self.requests = Counter("lightdet_requests", "Answered requests.", ("method", "route", "status"), registry=own)
        self.request_seconds = Histogram(
            "lightdet_request_seconds", "From a request's head to the end of its answer.", ("route",),
            buckets=_BUCKETS, registry=own,
        )  # fmt: skip
        self.refused = Counter("lightdet_refused", "Requests refused, by reason.", ("code",), registry=own)
        self._loads: dict[str, tuple[int, int]] = {}
        self.failures = 0  # refusals of this worker's because the network gave no numbers
        self.hung_up = Counter("lightdet_hung_up", "Callers that hung up while sending.", registry=own)
        self.inspections = Counter("lightdet_inspections", "Inspected pictures.", ("model", "decision"), registry=own)
        self.overridden = Counter(
            "lightdet_overridden",
            "Pictures inspected by a caller's own rule; counted nowhere else.",
            registry=own,
        )
        self.defects = Counter("lightdet_defects", "Defects found.", ("model", "name"), registry=own)
        self.stage_seconds = Histogram(
            "lightdet_stage_seconds", "Time of one picture by stage.", ("stage",), buckets=_BUCKETS, registry=own
        )
        self.working = Gauge("lightdet_working", "Requests worked on now.", registry=own, multiprocess_mode="livesum")
        self.waiting = Gauge("lightdet_waiting", "Requests waiting now.", registry=own, multiprocess_mode="livesum")
        self.records = Counter(
            "lightdet_records", "Inspections written in time, late, or lost.", ("outcome",), registry=own
        )
        self.pictures = Counter(
            "lightdet_pictures", "Pictures that were to be kept: kept, or not.", ("outcome",), registry=own
        )
        self.database_up = Gauge(
            "lightdet_database_up",
            "Whether the last record could be written.",
            registry=own,
            multiprocess_mode="livemin",
        )
        self.model = Gauge(
            "lightdet_model", "A model in use; always 1.", ("model", "version"), registry=own,
            multiprocess_mode="livemax",
        )  # fmt: skip
        self.suspended = Gauge(
            "lightdet_promise_suspended",
            "Whether the promise is suspended, because the pictures have changed; only for a model with one.",
            ("model", "version"),
            registry=own,
            multiprocess_mode="livemax",
        )
        self.evidence = Gauge(
            "lightdet_watch_evidence",
            "How near a statistic of the pictures is to a suspension of the promise: 0 is nothing, 1 is there.",
            ("model", "statistic"),
            registry=own,
            multiprocess_mode="livemax",
        )
        if not _shared_folder():
            ProcessCollector(registry=own)

    def describe(self, models: Iterable[tuple[ModelIdentity, tuple[str, ...]]]) -> None:
        """Show which models there are, with their classes, and every count from zero on."""
        for model, names in models:
            self.model.labels(model.name, model.version).set(1)
            for decision in ("OK", "NG"):
                self.inspections.labels(model.name, decision)
            for name in names:
                self.defects.labels(model.name, name)
        self.database_up.set(1)
        for outcome in ("written", "late", "lost"):
            self.records.labels(outcome)
        for outcome in ("kept", "not_kept"):
            self.pictures.labels(outcome)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self.requests.labels(method, route, str(status)).inc()
        self.request_seconds.labels(route).observe(seconds)

    def gone(self) -> None:
        """A caller hung up while sending."""
        self.hung_up.inc()

    def refuse(self, code: str) -> None:
        """A request was refused."""
        self.refused.labels(code).inc()
        self.failures += code == "no_verdict"

    def load(self, model: str, working: int, waiting: int) -> None:
        """The number of requests for this model in work, and of those that wait."""
        self._loads[model] = (working, waiting)
        self.working.set(sum(each[0] for each in self._loads.values()))
        self.waiting.set(sum(each[1] for each in self._loads.values()))

    def inspected(self, inspection: Inspection) -> None:
        """A picture is finished."""
        if inspection.overridden:
            self.overridden.inc()
        else:
            self.inspections.labels(inspection.model.name, inspection.decision).inc()
            for each in inspection.detections:
                if each["defect"]:
                    self.defects.labels(inspection.model.name, each["name"]).inc()
        for stage, milliseconds in inspection.milliseconds.items():
            self.stage_seconds.labels(stage).observe(milliseconds / 1e3)

    def watched(self, model: ModelIdentity, status: Watched) -> None:
        """How the watch over a model's promise stands."""
        self.suspended.labels(model.name, model.version).set(status.suspension is not None)
        for name, value in status.evidence.items():
            self.evidence.labels(model.name, name).set(round(value, 4))

    def picture(self, outcome: str) -> None:
        """A picture that was to be kept is ``kept`` or ``not_kept``."""
        self.pictures.labels(outcome).inc()

    def record_reporter(self) -> Callable[[str, int], None]:
        """Return a function by which the recorder reports about its records."""

        def report(outcome: str, count: int) -> None:
            if outcome != "away":
                self.records.labels(outcome).inc(count)
            if outcome != "lost":
                self.database_up.set(outcome != "away")

        return report

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format, of all workers."""
        if not _shared_folder():
            return generate_latest(self._own)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)


def _shared_folder() -> str:
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
