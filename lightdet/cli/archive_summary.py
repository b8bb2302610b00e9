"""``lightdet archive summary``: the page of an archive's results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lightdet.cli.common import ALL
from lightdet.options.archive import SummaryOptions


def summary(options: Annotated[SummaryOptions, ALL]) -> None:
    """Write the summary page of an output of 'archive run': bad share over time, classes, reasons, the worst pictures.

    A run writes it at its end; this is for an output of several runs, or of another scheduler.
    """
    import sys

    from lightdet.runs.archive.summary import write_summary

    path = write_summary(Path(options.folder), None if options.output is None else Path(options.output))
    sys.stdout.write(f"{path}\n")
