"""The command ``lightdet``: its sub-commands, and how it ends after a mistake or Ctrl-C.

Importing this file must stay cheap: a command is imported when it is called, and imports torch when it needs it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from cyclopts import App, Parameter, convert
from cyclopts.exceptions import CycloptsError

from lightdet.cli.help import TwoColumns
from lightdet.display.outcome import exit_code, fail
from lightdet.errors import UserError

COMMANDS = {
    "train": "Train a detector, or a classifier where the configuration says 'task: classify'.",
    "val": "Evaluate a detector or a classifier on a data set, or another program's detections.",
    "detect": "Find defects in pictures, videos and camera streams: marked-up copies, and the findings as files.",
    "explain": "Show where in a picture the evidence for what a model reports is: a heat map.",
    "profile": "Measure what a model costs: parameters, FLOPs, milliseconds by stage, images/s, memory.",
    "export": "Export a trained model to ONNX or OpenVINO, and verify that the file gives the same results.",
    "calibrate": "Choose the threshold at which a picture is NG, so that a rate is kept with a stated confidence.",
    "compare": "Train, score and time several detectors, or classifiers, alike.",
    "crossval": "Train with folds of few pictures left out in turn: numbers with their spread, and one threshold.",
    "tune": "Search for better settings of a detector or classifier.",
    "label": "Draw and correct boxes in the browser, with a model's proposals; saved in the folder's own format.",
    "line": "Judge the pictures of many folders, videos and cameras with several models, and pass on the results.",
    "serve": "Answer over HTTP: OK or NG with boxes, a page for people, records, statistics, metrics.",
}
USAGE = {name: f"lightdet {name} SOURCE… --weights FILE [OPTIONS]" for name in ("detect", "explain")}
DATA_COMMANDS = {
    "convert": "Write a data set in another label format, with its YAML, into a new folder.",
    "split": "Draw train, val and test again for a classifier: lists and a YAML in a new folder.",
    "init": "Write the YAML of a folder, in the format that its files are in.",
    "audit": "Say what is in a data set and what is wrong with it.",
    "pick": "Say which unlabelled pictures to label next, so that a detector learns most.",
    "prelabel": "Write what a model finds as proposals for Label Studio, CVAT or LabelMe.",
    "collect": "Make a data set of pictures that people corrected in the service, or that are to be labelled.",
    "synth": "Render pictures of defects with their exact boxes; leaves DIR/dataset.yaml.",
}
ARCHIVE_COMMANDS = {
    "run": "Judge an archive of pictures with many processes: a row per picture, as Parquet.",
    "query": "Ask the results by flags or in SQL: a table, CSV, JSON, and a contact sheet.",
    "summary": "Write the page of an output: bad share over time, classes, reasons, the worst pictures.",
}
RECORDS_COMMANDS = {
    "verify": "Check the chain of records: where was one changed, removed or inserted?",
    "backup": "Copy the records' database, even while the service writes to it.",
    "restore": "Restore the records' database from a backup.",
    "export": "Write records as CSV or Parquet.",
    "migrate": "Migrate a database of an earlier version.",
    "purge": "Delete the oldest records, in small steps; the service may run.",
}


HELP = TwoColumns()
UNUSED: Any = object()
"""In place of an error console, since errors are reported in our own way: importing rich would take 0.1 s."""


def _as_cyclopts(wanted: Any, tokens: Any) -> Any:
    """Convert as `cyclopts` does, except for whole numbers: it rounds 0.4 to 0, which may mean something else."""
    return convert(wanted, tokens, _exactly)


def _exactly(wanted: Any, text: str) -> Any:
    if wanted is int and not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError("is no whole number")
    return convert(wanted, [text])


def _version() -> str:
    from lightdet import __version__

    return f"lightdet {__version__}"


def _app(name: str, text: str) -> App:
    return App(
        name=name,
        help=text,
        help_flags="--help",
        version=_version,
        version_flags=() if name in ("data", "records", "archive") else "--version",
        default_parameter=Parameter(negative=(), show_env_var=True, converter=_as_cyclopts),
        help_formatter=HELP,
        help_format="plaintext",
        result_action="return_value",
        error_console=UNUSED,
        print_error=False,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
    )


app = _app("lightdet", "Find defects in pictures: train a lightweight detector, check it, use it.")
for _place, (_name, _help) in enumerate(COMMANDS.items()):
    app.command(f"lightdet.cli.{_name}:{_name}", name=_name, help=_help, sort_key=_place, usage=USAGE.get(_name))
data = _app("data", "Describe, convert, split, audit or render a data set.")
data.sort_key = len(COMMANDS)
for _place, (_name, _help) in enumerate(DATA_COMMANDS.items()):
    _module = f"data_{_name}" if _name in ("pick", "prelabel", "collect") else "data"
    data.command(f"lightdet.cli.{_module}:{_name}", name=_name, help=_help, sort_key=_place)
app.command(data)
records = _app("records", "Verify, back up, restore, export, migrate or purge the service's records.")
records.sort_key = len(COMMANDS) + 1
for _place, (_name, _help) in enumerate(RECORDS_COMMANDS.items()):
    records.command(f"lightdet.cli.records:{_name}", name=_name, help=_help, sort_key=_place)
app.command(records)
archive = _app("archive", "Judge archives of many pictures, and ask the results.")
archive.sort_key = len(COMMANDS) + 2
for _place, (_name, _help) in enumerate(ARCHIVE_COMMANDS.items()):
    _module = "archive" if _name == "run" else f"archive_{_name}"
    archive.command(f"lightdet.cli.{_module}:{_name}", name=_name, help=_help, sort_key=_place)
app.command(archive)
GROUPS = {"data": (data, DATA_COMMANDS), "records": (records, RECORDS_COMMANDS), "archive": (archive, ARCHIVE_COMMANDS)}


def main(args: Sequence[str] | None = None) -> int:
    """Run ``lightdet`` with `args` (default: those of the process) and return its exit code (`outcome.exit_code`)."""
    return _run(list(sys.argv[1:] if args is None else args), "lightdet")


def door(name: str, args: Sequence[str] | None = None) -> int:
    """Run the one command `name` for its script ``tools/<name>.py``; returns the exit code as `main` does."""
    HELP.called_as = (f"lightdet {name}", f"tools/{name}.py")
    return _run([name, *(sys.argv[1:] if args is None else args)], f"tools/{name}.py", skipped=1)


def _show_whole_docstring(args: list[str]) -> None:
    """For a command that is imported when called, `cyclopts` would show its line from the list as its help."""
    page = app[args[0]] if args[0] in COMMANDS else GROUPS[args[0]][0][args[1]]
    page.help = None


def _leave_out_empty_variables() -> None:
    """``LIGHTDET_PORT=`` counts as not set: a compose file cannot leave a variable out."""
    for name, value in list(os.environ.items()):
        if name.startswith("LIGHTDET_") and not value:
            del os.environ[name]


def _run(args: list[str], program: str, skipped: int = 0) -> int:
    def command() -> object:
        _leave_out_empty_variables()
        group = GROUPS.get(args[0]) if args else None
        if group is not None and len(args) == 1:
            raise UserError(f"Missing command; see '{program} {args[0]} --help'")
        if (args and args[0] in COMMANDS) or (group is not None and args[1] in group[1]):
            _show_whole_docstring(args)
        try:
            return app(args or ["--help"])
        except CycloptsError as error:
            from lightdet.cli.errors import wrong_usage

            return fail(wrong_usage(error, " ".join([program, *(error.command_chain or ())[skipped:]])))

    return exit_code(command)
