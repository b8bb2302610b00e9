"""Small changes of a file's bytes: what slips of hand, other tools, broken disks and hostile people make of it."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

EDIT_BYTES = 6
"""An edit: its kind, where in the file (two bytes), how much, and which word or value (two bytes)."""
_TOKEN = re.compile(rb"[^\s<>,:;\[\]{}\"']+")
_WORDS = (
    *(b"0", b"1", b"-1", b"2", b"64", b"0.5", b".5", b"5.", b"1e0", b"1e-9", b"-0", b"+1", b"007", b"1.0000001", b"3"),
    *(
        b"nan",
        b"inf",
        b"-inf",
        b"1e999",
        b"-1e308",
        b"1" * 400,
        b"1" * 5000,
        b"0x10",
        b"1_0",
        b"1,5",
        b"1/2",
        b"1e",
        b".",
    ),
    *("½".encode(), "١".encode(), "０".encode(), "−1".encode(), b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\0"),
    *(b"\r", b"\n", b"\r\n", b"\t", b"\x0b", b"\x0c", b"\x1c", "\x85".encode(), "\u2028".encode(), "\xa0".encode()),
    *(b"null", b"true", b"~", b"[]", b"{}", b'""', b"'", b'"', b"#", b"&a", b"*a", b"!!python/object:os.system", b"<<"),
    *(b"scratch", b"dent", b" dent ", b"Dent", "größe".encode(), "gro\u0308ße".encode(), b"a", b"x" * 300),
)
_WHOLE = (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 32, 127, 128, 255, 256, 257, 1000, 4096, 32767, 32768, 65535)
_WIDE = (*_WHOLE, 65536, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)

Edit = Callable[[bytes, int, int, int, Sequence[bytes]], bytes]


def edit_lists(most: int) -> st.SearchStrategy[list[bytes]]:
    """Half of `most` edits or more, for `edited`: drawn as one string, which is fast, and shrinks to edits of zeros."""
    size = most * EDIT_BYTES
    strings = st.binary(min_size=size // 2, max_size=size)
    return strings.map(lambda text: [text[at : at + EDIT_BYTES] for at in range(0, len(text) - EDIT_BYTES, EDIT_BYTES)])


def edited(data: bytes, edit: bytes, words: Sequence[bytes], kinds: Sequence[Edit]) -> bytes:
    """`data` after one edit of one of the `kinds`; `words` are the target's own, beside those that all files get."""
    place = int.from_bytes(edit[1:3]) * (len(data) + 1) >> 16
    choice = int.from_bytes(edit[4:6])
    return kinds[edit[0] % len(kinds)](data, place, edit[3], choice, words)


def _word(choice: int, words: Sequence[bytes]) -> bytes:
    return words[choice // 2 % len(words)] if choice % 2 and words else _WORDS[choice // 2 % len(_WORDS)]


def _token(data: bytes, place: int) -> tuple[int, int]:
    """Where the token at or behind `place` begins and ends; empty at the end of the file."""
    match = _TOKEN.search(data, place)
    return match.span() if match else (len(data), len(data))


def replace_token(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    start, end = _token(data, place)
    return data[:start] + _word(choice, words) + data[end:]


def remove_token(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    start, end = _token(data, place)
    return data[:start] + data[end:]


def repeat_token(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    start, end = _token(data, place)
    return data[:end] + (b" ", b"", b", ", b"\n")[choice % 4] + data[start:end] + data[end:]


def exchange_tokens(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    first, second = _token(data, place), _token(data, choice * (len(data) + 1) >> 16)
    if first[1] > second[0]:
        first, second = second, first
    if first[1] > second[0]:
        return data
    a, b = data[slice(*first)], data[slice(*second)]
    return data[: first[0]] + b + data[first[1] : second[0]] + a + data[second[1] :]


def insert_word(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    return data[:place] + _word(choice, words) + data[place:]


def remove_range(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    return data[:place] + data[place + 1 + amount % 16 :]


def repeat_range(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    part = data[place : place + 1 + amount]
    return data[:place] + part * (1 + choice % 3) + data[place:]


def repeat_line(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    index = place * len(lines) // (len(data) + 1)
    lines.insert(choice % (len(lines) + 1), lines[index])
    return b"\n".join(lines)


def remove_line(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    del lines[place * len(lines) // (len(data) + 1)]
    return b"\n".join(lines)


def set_byte(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    return data[:place] + bytes([amount]) + data[place + 1 :]


def cut_off(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    return data[:place]


def change_ends(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    """Another line end everywhere, or another encoding."""
    if choice % 4 == 3:
        return data.decode("utf-8", "replace").encode(("utf-16", "latin-1", "utf-8-sig")[amount % 3], "replace")
    return data.replace(b"\r\n", b"\n").replace(b"\n", (b"\r\n", b"\r", b"\n\n")[choice % 4])


def set_number(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    """A size, a count or an offset of a picture's header becomes another, in either byte order."""
    if amount % 2:
        value = struct.pack("<H" if amount & 2 else ">H", _WHOLE[choice % len(_WHOLE)])
    else:
        value = struct.pack("<I" if amount & 2 else ">I", _WIDE[choice % len(_WIDE)])
    return data[:place] + value + data[place + len(value) :]


def set_early_number(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    """As `set_number`, in the first bytes, where headers are."""
    return set_number(data, place % 64, amount, choice, words)


def mend_sums(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
    """Make a PNG's checksums right again, so that what was changed is reached."""
    if not data.startswith(b"\x89PNG"):
        return set_byte(data, place, amount, choice, words)
    mended, position = data[:8], 8
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        body = data[position + 4 : position + 8 + length]
        mended += data[position : position + 4] + body + struct.pack(">I", zlib.crc32(body))
        position += 12 + length
    return mended


TEXT_EDITS: tuple[Edit, ...] = (
    replace_token,
    replace_token,
    replace_token,
    remove_token,
    repeat_token,
    exchange_tokens,
    insert_word,
    insert_word,
    remove_range,
    repeat_range,
    repeat_line,
    remove_line,
    set_byte,
    cut_off,
    change_ends,
)
PICTURE_EDITS: tuple[Edit, ...] = (
    set_byte,
    set_byte,
    set_number,
    set_early_number,
    set_early_number,
    remove_range,
    repeat_range,
    cut_off,
    mend_sums,
    mend_sums,
)
