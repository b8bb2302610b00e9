"""Text for records: what is shown as it is, and what would hide or turn other text around."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.service.plain_text import are_lines, is_line


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), max_size=20))
def test_letters_marks_and_spaces_are_text(text: str) -> None:
    assert is_line(text)
    assert are_lines(f"{text}\n\tx{text}")
    assert are_lines(text) == bool(text.strip())


def hidden() -> list[str]:
    """Every control, surrogate and line separator of Unicode, and the format characters that turn or hide text."""
    kinds = {"Cc", "Cs", "Zl", "Zp"}
    found = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in kinds]
    return found + [chr(code) for code in (0x200B, 0x200E, 0x202A, 0x202E, 0x2066, 0x2069, 0xFEFF, 0xAD, 0xE0041)]


@given(st.sampled_from(hidden()), st.text(st.characters(categories=["L"]), max_size=5))
def test_what_hides_or_turns_text_is_none(character: str, around: str) -> None:
    assert not is_line(around + character + around)
    assert are_lines(f"x{character}{around}") == (character in "\n\t")


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000\xa0"])
def test_nothing_is_no_note(text: str) -> None:
    assert not are_lines(text)
