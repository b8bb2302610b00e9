"""How many processors this process may use: fewer than there are in a container or under `taskset`."""

from __future__ import annotations

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_processors() -> int:
    """The processors that this process may run on, no more than a container's quota allows; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _quota() or allowed))


def _quota() -> int | None:
    """A Linux container's quota (cgroup v2) in processors, rounded up; None without one."""
    try:
        share, period = _QUOTA.read_text().split()
        return None if share == "max" else max(1, -(-int(share) // int(period)))
    except (OSError, ValueError):
        return None
