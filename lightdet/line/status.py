"""How a line is: plain values, and the file that is written every second."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightdet import __version__
from lightdet.errors import UserError
from lightdet.files import atomic_path
from lightdet.line.ledger import Ledger
from lightdet.line.messages import FAILED
from lightdet.line.model import Model
from lightdet.line.sinks.sink import Feeder
from lightdet.line.source import Source


def line_status(
    state: str,
    problem: str,
    sources: Mapping[str, Source],
    models: Mapping[str, Model],
    feeders: Mapping[str, Feeder],
    ledger: Ledger,
) -> dict[str, Any]:
    """Return how everything is.

    Args:
        state: ``up`` or ``ended``.
        problem: why nothing can be written; "": it can.
        sources, models, feeders: the parts, by name.
        ledger: knows what waits for the sinks.
    """
    parts = {
        "sources": {name: source.status() for name, source in sources.items()},
        "models": {name: model.status() for name, model in models.items()},
        "sinks": {
            name: feeder.status(ledger.waiting(name, feeder.delivered), ledger.lost[name])
            for name, feeder in feeders.items()
        },
    }
    states = {each["state"] for kind in parts.values() for each in kind.values()}
    return {
        "state": state,
        "healthy": state == "up" and not problem and states <= {"up", "done", "starting"},
        "problem": problem,
        "time_ms": time.time_ns() // 1_000_000,
        "pid": os.getpid(),
        **parts,
        "software": __version__,
    }


def fail_if_incomplete(values: Mapping[str, Any]) -> None:
    """Refuse a line that has come to its end without having judged all of it.

    Raises:
        UserError: a video was missing or broke off.
    """
    failed = [f"source {name}: {each['reason']}" for name, each in values["sources"].items() if each["state"] == FAILED]
    if failed:
        raise UserError(f"{'; '.join(failed)}; put it right and start again")


def write_status(folder: Path, values: Mapping[str, Any]) -> None:
    """Write it, whole or not at all; a power failure may leave an older one.

    Raises:
        UserError: it cannot be written.
    """
    with atomic_path(folder / "status.json", sync=False) as temporary:
        temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
