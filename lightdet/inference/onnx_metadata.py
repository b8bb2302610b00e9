"""The metadata of an ONNX file, read from its bytes: checksum and card are known before any runtime sees the file.

An ONNX file is a protobuf message; `metadata_props` is its field 14, a list of messages with a key and a value. All
other fields are skipped by their length, unread.
"""

from __future__ import annotations

from collections.abc import Iterator

METADATA_PROPS = 14
_KEY, _VALUE = 1, 2
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_VARINT = 10


def onnx_metadata(data: bytes) -> dict[str, str]:
    """Return the metadata of an ONNX file.

    Raises:
        ValueError: it is cut off, or not a protobuf; a key or value is not UTF-8.
    """
    found = {}
    for number, entry in _fields(memoryview(data)):
        if number == METADATA_PROPS:
            parts = {part: bytes(text).decode() for part, text in _fields(entry)}
            found[parts.get(_KEY, "")] = parts.get(_VALUE, "")
    return found


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of each length-delimited field of a message; ValueError if it is not a message."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind, length = tag & 7, 0
        if kind == _VARINT:
            _, place = _varint(data, place)
        elif kind == _BYTES:
            length, place = _varint(data, place)
            if length > len(data) - place:
                raise ValueError("cut off")
            yield tag >> 3, data[place : place + length]
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError("no protobuf")
        place += length


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """A varint (seven bits per byte, lowest first), and where it ends."""
    value = 0
    for count, byte in enumerate(data[place : place + _LONGEST_VARINT]):
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value, place + count + 1
    raise ValueError("cut off")
