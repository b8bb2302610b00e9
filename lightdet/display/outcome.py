"""How a process ends: its exit code, and for a mistake one line on stderr."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from lightdet.display.interrupted import interrupted
from lightdet.errors import UserError
from lightdet.files import LOST, remove_empty_folders
from lightdet.missing import of_the_system

FULL = (errno.ENOSPC, errno.EDQUOT)
_LONGEST_SHOWN = 250
MEASURING = ("pycocotools", "scipy", "sklearn")
"""What `lightdet val` needs: in packaging/runtime an extra."""


def exit_code(action: Callable[[], object]) -> int:
    """Do it and return the exit code.

    0 done, or what `action` returns; 2 a mistake in the input, reported in one line; 130 interrupted. An unexpected
    error keeps its traceback: it is our bug, not the user's mistake.
    """
    code = None
    try:
        code = _outcome(action)
        return code
    finally:
        if code != 0:
            remove_empty_folders()


def fail(message: str) -> int:
    """Report a mistake and return the exit code for it."""
    with suppress(BrokenPipeError):
        print("error:", " ".join(message.split()), file=sys.stderr, flush=True)  # noqa: T201
    return 2


def _outcome(action: Callable[[], object]) -> int:
    for stream in (sys.stdout, sys.stderr):  # a file name that the terminal cannot show must not end a run
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        result = action()
        if sys.stdout is not None:  # closed by the caller
            sys.stdout.flush()
    except UserError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return interrupted()
    except BrokenPipeError:
        return _closed_pipe()
    except Exception as error:
        message = _of_the_machine(error)
        if message is None:
            raise
        return fail(message)
    code = result if isinstance(result, int) else 0
    return interrupted() if code == 130 else code


def _of_the_machine(error: Exception) -> str | None:
    """The message for missing memory, disk space or packages; None: a bug of ours."""
    if _out_of_memory(error):
        return "the device's memory is full; take a smaller --batch or --imgsz"
    if isinstance(error, OSError) and error.errno in FULL:
        return f"{error.filename or 'the output'}: the disk is full; make room and start again"
    if isinstance(error, OSError) and (error.filename or error.errno in LOST) and (told := of_the_system(error)):
        where = str(error.filename)
        shown = where if len(where) < _LONGEST_SHOWN else f"{where[:_LONGEST_SHOWN]}…"
        return f"{shown}: {told}" if error.filename else told
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        package = error.name.partition(".")[0]
        if package in MEASURING:
            return f"this needs {error.name}, which is not installed: lightdet-runtime has it in its extra 'val'"
        if package != "lightdet":
            return (
                f"this needs {error.name}, which is not installed; lightdet-runtime does without what only "
                "training and exporting need: install lightdet in its place"
            )
    return None


def _closed_pipe() -> int:
    """The reader of our output is gone (``| head``): end quietly, also when the interpreter flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _out_of_memory(error: Exception) -> bool:
    torch = sys.modules.get("torch")  # never imported for this question alone
    return torch is not None and isinstance(error, torch.OutOfMemoryError)
