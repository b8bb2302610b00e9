"""What cannot apply to detections that already exist is refused, not ignored."""

from __future__ import annotations

from lightdet.errors import UserError
from lightdet.options.val import ValOptions

OF_A_FILE = frozenset(
    {"--predictions", "--data", "--split", "--data-root", "--zones", "--output", "--pictures", "--on-error", "--json"}
)
"""The flags of an evaluation that say nothing about how defects are found."""


def check_what_applies(options: ValOptions) -> None:
    """Refuse flags and settings of a detector where detections are read from a file.

    Raises:
        UserError: there is one.
    """
    if options.predictions is None:
        return
    flags = [flag for flag in options.given() if flag not in {*OF_A_FILE, "--overrides", "--progress"}]
    keys = [override.partition("=")[0].strip() for override in options.overrides]
    for name in [*flags, *keys]:
        raise UserError(
            f"{name} is for finding defects, and the detections of {options.predictions} already exist: leave it out"
        )
