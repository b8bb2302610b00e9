"""The layout of the help: plain text in two columns, as wide as the terminal, at most 120."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

NAMES = 34
"""Width of the names, if the terminal has room for two columns."""


class TwoColumns:
    """Formats the help of a command (a `cyclopts` help formatter)."""

    def __init__(self) -> None:
        self.width = min(120, shutil.get_terminal_size((100, 24)).columns)
        self.called_as: tuple[str, str] | None = None
        """For a script that replaces a command: what the usage line says, and what to write instead."""

    def render_usage(self, console: Any, options: Any, usage: Any) -> None:
        """Print the usage line."""
        text = _text(usage).strip().removeprefix("Usage:").strip()
        if self.called_as is not None:
            text = text.replace(*self.called_as, 1)
        _print(f"Usage: {text.replace('[ARGS...]', '[KEY.PATH=VALUE…]')}\n")

    def render_description(self, console: Any, options: Any, description: Any) -> None:
        """Print the description, its paragraphs filled."""
        for paragraph in _text(description).strip().split("\n\n"):
            if paragraph.strip():
                _print(textwrap.fill(" ".join(paragraph.split()), self.width) + "\n")

    def __call__(self, console: Any, options: Any, panel: Any) -> None:
        """Print a group of options or commands."""
        if not panel.entries:
            return
        _print(f"{_text(panel.title)}:")
        for entry in panel.entries:
            for line in self._lines(_names(entry), _description(entry)):
                _print(line)
        _print("")

    def _lines(self, names: str, text: str) -> Iterator[str]:
        indent = NAMES if self.width >= 2 * NAMES else 6
        filled = textwrap.wrap(text, self.width - indent) or [""]
        if len(names) + 4 > indent:
            yield f"  {names}"
        else:
            yield f"  {names}".ljust(indent) + filled.pop(0)
        for line in filled:
            if line:
                yield " " * indent + line


def _names(entry: Any) -> str:
    flags = [*entry.positive_shorts, *entry.positive_names, *entry.negative_names]
    flags = [name for name in flags if not (name.startswith("--") and name[2:].isupper())]
    named = ", ".join(flags) if any(name.startswith("--") for name in flags) else entry.positional_label or ""
    if not named:
        named = ", ".join(flags)
    metavar = entry.metavar if entry.metavar and named.startswith("-") else None
    return f"{named} {metavar}" if metavar else named


def _description(entry: Any) -> str:
    text = " ".join(_text(entry.description).split())
    more = []
    if entry.choices:
        more.append(" | ".join(entry.choices))
    if entry.env_var:
        more.append(f"env {', '.join(entry.env_var)}")
    if entry.default not in (None, "", "()", "False", "True"):
        more.append(f"default {entry.default}")
    if entry.required:
        more.append("required")
    return f"{text} [{'; '.join(more)}]" if more else text


def _text(value: Any) -> str:
    value = getattr(value, "primary_renderable", value)
    return "" if value is None else str(getattr(value, "plain", value))


def _print(text: str) -> None:
    print(text)  # noqa: T201 - the console would wrap and colour
