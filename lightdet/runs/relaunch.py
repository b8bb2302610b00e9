"""A torchrun that lost a host starts the same command again: the training continues where it was."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from lightdet.files import make_folder, remove_file, write_text
from lightdet.options.train import TrainOptions
from lightdet.runs.resume import STATE_FILE

LAUNCH_FILE = "launch.txt"
_NO_ID = "none"
"""What torchrun passes on where it was given no ``--rdzv-id``."""


def continued(options: TrainOptions) -> TrainOptions:
    """Return options that resume, if this very launch (``torchrun --rdzv-id``) has begun the training in ``--output``.

    Other trainings in the folder are left to the checks that refuse them.
    """
    launch = os.environ.get("TORCHELASTIC_RUN_ID", _NO_ID)
    output = Path(options.output)
    if launch == _NO_ID or _launch_of(output) != launch:
        return options
    if (output / STATE_FILE).is_file():
        return replace(options, resume=True, overwrite=False, weights=None)
    return replace(options, overwrite=True)  # it was lost before it had anything to keep


def begin(output: Path, *, resumed: bool) -> None:
    """Mark in `output` that a training begins or continues; to be called when nothing can be wrong with its command.

    The state of an old training that this one replaces goes first: after a kill before the first save, that one would
    continue.

    Raises:
        UserError: the old state cannot be deleted.
    """
    if not resumed:
        remove_file(output / STATE_FILE)
    note_launch(output)


def note_launch(output: Path) -> None:
    """Write which launch trains here, if torchrun was given an id for it."""
    launch = os.environ.get("TORCHELASTIC_RUN_ID", _NO_ID)
    path = output / LAUNCH_FILE
    if launch != _NO_ID:
        make_folder(output)
        write_text(path, f"{launch}\n")
    else:
        path.unlink(missing_ok=True)


def _launch_of(output: Path) -> str | None:
    try:
        return (output / LAUNCH_FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
