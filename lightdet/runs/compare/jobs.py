"""The trainings of a comparison, and what follows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from lightdet.options.compare import CompareOptions
from lightdet.runs import trainings
from lightdet.runs.compare.plan import CONFIG_NAME, MODELS
from lightdet.runs.compare.request import Entry
from lightdet.runs.trainings import Job


class Watcher(trainings.Watcher, Protocol):
    """Follows the comparison."""

    def scoring(self, name: str, label: str) -> None:
        """A run is about to be evaluated."""

    def profiling(self, models: int) -> None:
        """`models` models are about to be timed in turn."""


def label_of(seed: int) -> str:
    """Return the name of a trained run among those of its row."""
    return f"seed {seed}"


def jobs_of(options: CompareOptions, entries: Sequence[Entry]) -> list[Job]:
    """All trainings of the comparison, ordered by seed: if it ends early, every model has a run."""
    trained = [entry for entry in entries if entry.kind == "trained"]
    most = max((len(entry.seeds) for entry in trained), default=0)
    return [
        _job(options, entry.name, entry.seeds[turn])
        for turn in range(most)
        for entry in trained
        if turn < len(entry.seeds)
    ]


def _job(options: CompareOptions, name: str, seed: int) -> Job:
    row = Path(options.output) / MODELS / name
    wanted = {
        "data": str(options.data),
        "config": str(row / CONFIG_NAME),
        "data_root": None if options.data_root is None else str(options.data_root),
        "seed": seed,
        "device": options.device,
        "on_error": options.on_error,
    }
    return Job(name, label_of(seed), row / f"seed{seed}", wanted)
