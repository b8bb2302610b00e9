"""How a command ends that Ctrl-C has stopped, early or late."""

import sys
from contextlib import suppress


def interrupted() -> int:
    """Say that Ctrl-C was heard and return the exit code for it."""
    with suppress(BrokenPipeError):
        print("interrupted", file=sys.stderr, flush=True)  # noqa: T201
    return 130
