"""How a command ends after Ctrl-C."""

import sys
from contextlib import suppress


def interrupted() -> int:
    """Print that Ctrl-C was received and return the exit code for it."""
    with suppress(BrokenPipeError):
        print("interrupted", file=sys.stderr, flush=True)  # noqa: T201
    return 130
