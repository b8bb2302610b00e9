"""Text that people write into records: letters, marks and spaces, but nothing that hides or turns other text around."""

from __future__ import annotations

import re

_SPACES = r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
# Control and format characters; halves of a surrogate pair are no text at all.
_HIDDEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\\ufeff\\ufff0-\\ufffb\U000e0000-\U000e007f"
)
LINE = f"^[^{_HIDDEN}]*$"
"""Pattern of one line, as JSON Schema and Python read it."""
LINES = f"^[{_SPACES}\\n\\t]*[^{_SPACES}{_HIDDEN}](?:[^{_HIDDEN}]|[\\n\\t])*$"
"""Pattern of several, which are not empty."""


def is_line(text: str) -> bool:
    """Whether it is one line of text that can be shown."""
    return _is_text(text) and re.fullmatch(LINE, text) is not None


def are_lines(text: str) -> bool:
    """Whether it is text that can be shown, with line breaks and tabs, and is not empty."""
    return _is_text(text) and re.fullmatch(LINES, text) is not None


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
