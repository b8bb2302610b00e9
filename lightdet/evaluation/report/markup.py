"""HTML from function calls: text is always escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

EMPTY = frozenset({"meta", "br", "img", "line", "rect", "path", "circle", "polyline"})


class Markup(str):
    """Text that is already HTML; only `tag`, `join` and constants of this package create it."""

    __slots__ = ()


Content = str | Markup | Iterable["Content"] | None
Value = str | int | float | bool | None


def tag(name: str, /, *content: Content, **attributes: Value) -> Markup:
    """Return ``<name attributes>content</name>``.

    Strings are escaped, `Markup` is not, lists are taken item by item, None is empty. In attribute names, a
    trailing ``_`` is removed (``class_``) and other ``_`` become ``-``; attributes that are None or False are left out.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        shown = "" if value is True else str(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{escape(shown)}"')
    opening = f"<{' '.join(parts)}>"
    if name in EMPTY:
        # closed as in XML, which HTML allows: the SVG parts need it
        return Markup(opening[:-1] + "/>")
    return Markup(f"{opening}{join(content)}</{name}>")


def join(content: Iterable[Content]) -> Markup:
    """Return the pieces one after another, strings escaped."""
    return Markup("".join(_render(piece) for piece in content))


def _render(piece: Content) -> str:
    if piece is None:
        return ""
    if isinstance(piece, Markup):
        return str(piece)
    if isinstance(piece, str):
        return escape(piece)
    return join(piece)
