"""``lightdet line``: many sources, models and sinks in one process tree."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

from lightdet.cli.common import ALL
from lightdet.options.line import LineOptions


def line(options: Annotated[LineOptions, ALL]) -> None:
    """Judge the pictures of many folders, videos, streams and cameras with several models, and pass on the results.

    The YAML names sources, models and sinks (docs/line.md). A picture without a verdict is never OK: every sink gets
    it, with the reason. How everything is stands in status.json of the state folder. SIGTERM or Ctrl-C ends it after
    what has begun.
    """
    from lightdet.config.line import check_line
    from lightdet.config.yaml_file import load_yaml

    section = check_line(load_yaml(Path(options.file)))
    if options.check:
        from lightdet.line.describe import describe

        rows = list(describe(section))
        print(*rows, sep="\n")  # noqa: T201 - what the command is for
        return _write(options, {"described": rows})
    from lightdet.line.line import Line
    from lightdet.line.status import fail_if_incomplete

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    last = Line(section, once=options.once).run()
    _write(options, last)
    fail_if_incomplete(last)


def _write(options: LineOptions, values: dict[str, Any]) -> None:
    if options.json is not None:
        from lightdet.files import write_json

        write_json(options.json, values)
