"""The options of ``lightdet line``."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from cyclopts import Parameter

from lightdet.options.base import AnyPath, Options
from lightdet.options.shared import Json


@dataclass(frozen=True)
class LineOptions(Options):
    """The options of ``lightdet line``."""

    file: Annotated[AnyPath, Parameter(name="FILE", help="The line's YAML: its sources, models and sinks.")]
    _: KW_ONLY
    once: Annotated[bool, Parameter(help="Judge what folders and videos hold now, and end.")] = False
    check: Annotated[bool, Parameter(help="Only check the YAML, and say what it describes.")] = False
    json: Json = None
