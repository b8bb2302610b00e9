"""XML of labels as a tree that keeps the line of each element; no DOCTYPE, no entities, not deeper than labels are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from lightdet.data.faults import DataError

_MAX_DEPTH = 32
MAX_ELEMENTS = 2_000_000
"""Most elements of a file."""


@dataclass(slots=True)
class Element:
    """An element, the line at which it begins, its attributes and what it holds."""

    tag: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def child(self, tag: str) -> Element | None:
        """The first element in this one that is called `tag`."""
        return next(self.all(tag), None)

    def all(self, tag: str) -> Iterator[Element]:
        """The elements in this one that are called `tag`."""
        return (child for child in self.children if child.tag == tag)

    def text_of(self, tag: str) -> str:
        """The text of the first element that is called `tag`; empty if there is none."""
        child = self.child(tag)
        return "" if child is None else child.text.strip()


def parse_xml(data: bytes, path: Path) -> Element:
    """Parse and keep line numbers. DOCTYPE and entities are refused, so nothing expands and no other file is opened."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    top = Element("", 0)
    stack = [top]
    pieces: list[str] = []
    count = 0

    def refuse(*_: object) -> None:
        message = "the XML holds a DOCTYPE or ENTITY, which labels do not need; remove it"
        raise DataError(message, "format", path=path, line=parser.CurrentLineNumber)

    def end_text() -> None:
        stack[-1].text += "".join(pieces)
        pieces.clear()

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) > _MAX_DEPTH or count > MAX_ELEMENTS:
            deep = len(stack) > _MAX_DEPTH
            message = f"the XML {'is nested too deeply' if deep else 'holds too many elements'} for labels"
            raise DataError(message, "format", path=path, line=parser.CurrentLineNumber)
        end_text()
        element = Element(tag, parser.CurrentLineNumber, attributes)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        end_text()
        stack.pop()

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = pieces.append
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, "error")
        raise DataError(f"not valid XML: {reason}", "format", path=path, line=error.lineno) from None
    except (LookupError, ValueError):
        raise DataError("not valid XML: unknown text encoding", "format", path=path, line=1) from None
    return top.children[0]
