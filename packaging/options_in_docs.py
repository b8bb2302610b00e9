"""The reference shows a verb's options: what `takes` gives the function at run time, the sources do not say."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import griffe


def _told(annotation: Any) -> str:
    return (
        inspect.formatannotation(annotation)
        .replace("pathlib.", "")
        .replace("typing.", "")
        .replace("collections.abc.", "")
    )


class OptionsInDocs(griffe.Extension):
    """Takes signature and docstring of a function that `lightdet.options.base.takes` made from the function itself."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Replace what was read in the sources."""
        if not any(str(decorator.value).startswith("takes(") for decorator in func.decorators):
            return
        made = getattr(import_module(func.module.path), func.name)
        shown = []
        for each in inspect.signature(made).parameters.values():
            kind = getattr(griffe.ParameterKind, each.kind.name.lower())
            default = None if each.default is inspect.Parameter.empty else repr(each.default).replace("<factory>", "{}")
            shown.append(griffe.Parameter(each.name, annotation=_told(each.annotation), kind=kind, default=default))
        func.parameters = griffe.Parameters(*shown)
        if func.docstring is not None:
            func.docstring.value = inspect.getdoc(made) or ""
