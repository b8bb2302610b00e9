"""Peak memory: of the process, or of a GPU."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def reset_peak_memory(device: torch.device | str) -> None:
    """Reset, so that `peak_memory_mib` covers only what follows; if the system cannot, it covers everything."""
    if str(device).startswith("cuda"):
        import torch  # noqa: PLC0415 - not there where exported networks alone are used

        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):  # Linux only, and not in every container
        _CLEAR.write_text("5")


def peak_memory_mib(device: torch.device | str) -> float | None:
    """Return MiB: torch's own on a GPU, else the resident memory of the process, Python and torch included.

    None where the system does not tell (Windows).
    """
    if str(device).startswith("cuda"):
        import torch  # noqa: PLC0415

        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    with suppress(OSError):
        # Not getrusage: its figure starts at that of the parent process.
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 2**10, 1)
    try:
        import resource  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
