"""The command ``lightdet``: its sub-commands, and how a mistake or a Ctrl-C ends it.

Importing this file must stay cheap (no torch, no OpenCV): each command imports what it needs when it runs.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

from lightdet.addresses import hide_sign_in
from lightdet.cli import data
from lightdet.cli.calibrate import calibrate
from lightdet.cli.compare import compare
from lightdet.cli.detect import detect
from lightdet.cli.explain import explain
from lightdet.cli.export import export
from lightdet.cli.interrupted import interrupted
from lightdet.cli.profile import profile
from lightdet.cli.serve import serve
from lightdet.cli.train import train
from lightdet.cli.tune import tune
from lightdet.cli.unknown_options import what_it_is_here
from lightdet.cli.val import val
from lightdet.errors import UserError
from lightdet.files import LOST, remove_empty_folders

FULL = (errno.ENOSPC, errno.EDQUOT)
MEASURING = ("pycocotools", "scipy", "sklearn")
"""What `lightdet val` needs: in packaging/runtime an extra."""

app = typer.Typer(
    name="lightdet",
    help="Find defects on pictures: train a light detector, check it, use it.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from lightdet import __version__

        typer.echo(f"lightdet {__version__}")
        raise typer.Exit


@app.callback()
def _lightdet(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


app.command()(train)
app.command()(val)
app.command()(detect)
app.command()(explain)
app.command()(profile)
app.command()(export)
app.command()(calibrate)
app.command()(compare)
app.command()(tune)
app.command()(serve)
app.add_typer(data.app, name="data")


def main(args: Sequence[str] | None = None) -> int:
    """Run ``lightdet`` with `args` (default: those of the process) and return the exit code.

    0 done; 2 a mistake in what was given, told in one line on stderr; 130 interrupted. An unexpected error
    keeps its traceback: it is ours to mend, not the user's.
    """
    return _run(typer.main.get_command(app), sys.argv[1:] if args is None else args, "lightdet")


def door(name: str, args: Sequence[str] | None = None) -> int:
    """Run the one command `name` for its script ``tools/<name>.py``; returns the exit code as `main` does."""
    group: Any = typer.main.get_command(app)
    return _run(group.commands[name], sys.argv[1:] if args is None else args, f"tools/{name}.py")


def _run(command: Any, args: Sequence[str], program: str) -> int:
    code = None
    try:
        code = _outcome(command, args, program)
        return code
    finally:
        if code != 0:
            remove_empty_folders()


def _outcome(command: Any, args: Sequence[str], program: str) -> int:
    for stream in (sys.stdout, sys.stderr):  # a file name that the terminal cannot show must not end a run
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        result = command.main(args=list(args) or ["--help"], prog_name=program, standalone_mode=False)
        if sys.stdout is not None:  # closed by the caller
            sys.stdout.flush()
    except UserError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return interrupted()
    except BrokenPipeError:
        return _closed_pipe()
    except Exception as error:
        if _out_of_memory(error):
            return _fail("the device's memory is full; take a smaller --batch or --imgsz")
        if isinstance(error, OSError) and error.errno in FULL:
            return _fail(f"{error.filename or 'the output'}: the disk is full; make room and start again")
        if isinstance(error, OSError) and error.errno in LOST:
            where = f"{error.filename}: " if error.filename else ""
            return _fail(f"{where}{error.strerror}; see whether the drive or network share is there, and start again")
        if isinstance(error, ModuleNotFoundError) and _is_foreign(error.name):
            if (error.name or "").partition(".")[0] in MEASURING:
                return _fail(
                    f"this needs {error.name}, which is not installed: lightdet-runtime has it in its extra 'val'"
                )
            return _fail(
                f"this needs {error.name}, which is not installed: pip install lightdet (lightdet-runtime does "
                "without what only training and exporting need)"
            )
        if not hasattr(error, "format_message"):  # what typer raises for a wrong argument has it
            raise
        return _fail(_usage(error, program))
    code = result if isinstance(result, int) else 0
    return interrupted() if code == 130 else code


def _fail(message: str) -> int:
    with suppress(BrokenPipeError):
        print("error:", " ".join(message.split()), file=sys.stderr, flush=True)  # noqa: T201
    return 2


def _closed_pipe() -> int:
    """The reader of our output went away (``| head``): end quietly, also when the interpreter flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _out_of_memory(error: Exception) -> bool:
    torch = sys.modules.get("torch")  # never imported for this question alone
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _is_foreign(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] != "lightdet"


def _usage(error: Any, program: str) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else program
    ours = what_it_is_here(error)
    if ours is not None:
        return f"{ours}; see '{path} --help'"
    message = (
        hide_sign_in(error.format_message()).strip().rstrip(".").replace("Value error, ", "").replace(": Input ", ": ")
    )
    return f"{message}; see '{path} --help'"
