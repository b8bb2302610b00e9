"""What a training wrote with ``--json``: only that of a training which ended counts as a result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def ended(report: Path) -> dict[str, Any] | None:
    """The report of a training that ended; None where there is none yet, or one of a training that was interrupted."""
    if not report.is_file():
        return None
    told: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return told if told["finished"] else None
