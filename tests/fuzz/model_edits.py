"""Changes of model files that know what is where: the card, the header of safetensors, fields of ONNX, XML.

What an edit does hangs on its own bytes alone, by a generator that they seed. After it the file's check sum is wrong,
taken out (as in files of 0.1) or made anew: else nothing behind the check would ever be reached.
"""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import fuzz_mutations as raw
from fuzz_mutations import Edit
from model_files import joined, parts, resealed, unsealed

from lightdet.card import METADATA_KEY

Change = Callable[[bytes, random.Random], bytes]
_DEEP = 100_000
_MARK = "@@here@@"
_VALUES = (
    *("null", "true", "false", "0", "1", "-1", "2", "0.0", "-0.0", "1.0", "224.0", "64", "96", "1024", "8192"),
    *("8224", "100000", "1000000", "2147483648", "9223372036854775808", "1e400", "-1e400", "NaN", "Infinity"),
    *("-Infinity", "1e308", "1e-308", "1e-7", "0.5", '""', '"a"', '"\\ud800"', '"\\u0000"', '"\\u001b[31m\\n"'),
    *('"\\u2028"', '"null"', '"detect"', '"classify"', '"grids"', '"detections"', '"softmax"', '"../../x"'),
    *("[]", "{}", "[[]]", "[[[1, 2]]]", '["a"]', '["a", "b"]', '["a", "a"]', "[null]", "[1, 2, 3]", "[1e400]"),
    *('{"a": 1, "a": 2}', '{"rule": {}}', '{"rule": {"threshold": 1e400}}', '{"": null}', "8", "16", "24", "512"),
    *("2048", "65536", "[65536, 65536]", "[2048, 2048, 2048, 2048, 2048]", "[8, 8, 8, 8, 8]", "[0, 0, 0]"),
)
_DEAR_VALUES: tuple[Callable[[], str], ...] = (
    lambda: "1" * 400,
    lambda: "1" * 5000,
    lambda: "[" * _DEEP + "]" * _DEEP,
    lambda: '{"a":' * _DEEP + "1" + "}" * _DEEP,
    lambda: json.dumps([str(number) for number in range(10_001)]),
    lambda: json.dumps(["a"] * 1_000_000),
    lambda: "[" + "8," * 100_000 + "8]",
    lambda: "[" + "[]," * 1_000_000 + "[]]",
    lambda: json.dumps("x" * 2000),
    lambda: json.dumps("x" * 5_000_000),
)
"""Made anew each time, and taken less often."""
_DTYPES = ("BOOL", "U8", "I8", "U16", "F16", "BF16", "I32", "F32", "F64", "I64", "F8_E4M3", "F8_E5M2", "C64", "F4", "X")
_NUMBERS = (0, 1, -1, 2, 7, 8, 31, 32, 64, 255, 1024, 65536, 10**6, 2**31 - 1, 2**31, 2**32, 2**40, 2**63 - 1, -(2**63))
_FLOATS = (0.0, -1.0, 1e-30, 1e30, 3e38, float("nan"), float("inf"), float("-inf"))
_TEXTS = ("", "a", "images", "x" * 3000, "\x00", "\x1b[2J\n", "ü", "../../etc/passwd", "%s%n", "-1")


def structured(change: Change) -> Edit:
    """An edit of a change that draws for itself; the upper bits of `amount` say what becomes of the check sum."""

    def edit(data: bytes, place: int, amount: int, choice: int, words: Sequence[bytes]) -> bytes:
        try:
            changed = change(data, random.Random(f"{place} {amount} {choice}"))
        except _ForeignError:  # an edit before this one has left nothing to take apart
            changed = raw.set_byte(data, place, amount, choice, words)
        return _with_sums(changed, amount)

    return edit


def summed(plain: Edit) -> Edit:
    """An edit of the bytes, with check sums as in `structured`."""
    return lambda data, place, amount, choice, words: _with_sums(plain(data, place, amount, choice, words), choice >> 2)


def _with_sums(data: bytes, amount: int) -> bytes:
    return (data, unsealed(data), resealed(data), resealed(data))[amount >> 6 & 3]


class _ForeignError(Exception):
    """Not what such a file holds."""


# JSON ---------------------------------------------------------------------------------------------------------------


def changed_json(text: str, draw: random.Random) -> str:
    """One value, key or pair of JSON becomes another; what no Python value holds is put in as text."""
    try:
        top = json.loads(text)
    except (ValueError, RecursionError):
        raise _ForeignError from None
    if len(text) > 1_000_000:
        raise _ForeignError
    places = list(_places(top))
    if not places:
        return _value(draw)
    holder, key = draw.choice(places)
    kind = draw.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[draw.choice(["task", "format", "x", "", "decision", _MARK])] = holder.pop(key)
    elif kind == 2:
        old = holder[key]
        holder[key] = draw.choice([[old], {"a": old}, str(old), float(old) if isinstance(old, int) else [old, old]])
    elif kind == 3 and isinstance(holder[key], list):
        holder[key] = holder[key] * draw.choice([0, 2, 100, 5000])
    else:
        holder[key] = _MARK
    made = json.dumps(top)
    twice = f'"{key}": null, "{key}": {_value(draw)}' if isinstance(key, str) and kind == 4 else None
    if twice is not None:
        return made.replace(f'{json.dumps(key)}: "{_MARK}"', twice)
    return made.replace(f'"{_MARK}":', f'"{chr(92)}ud800":').replace(f'"{_MARK}"', _value(draw))


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(min(len(value), 50)):
            yield value, key
            yield from _places(value[key])


def _value(draw: random.Random) -> str:
    return draw.choice(_DEAR_VALUES)() if draw.randrange(200) == 0 else draw.choice(_VALUES)


# safetensors --------------------------------------------------------------------------------------------------------


def _header(data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        length = int.from_bytes(data[:8], "little")
        found = json.loads(data[8 : 8 + length])
        if not (isinstance(found, dict) and isinstance(found.get("__metadata__"), dict)):
            raise _ForeignError
    except (ValueError, RecursionError):
        raise _ForeignError from None
    return found, data[8 + length :]


def _assembled(header: str, body: bytes) -> bytes:
    text = header.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + body


def change_card(data: bytes, draw: random.Random) -> bytes:
    header, body = _header(data)
    card = header["__metadata__"].get(METADATA_KEY)
    if not isinstance(card, str):
        raise _ForeignError
    header["__metadata__"][METADATA_KEY] = changed_json(card, draw)
    return _assembled(json.dumps(header), body)


def change_header(data: bytes, draw: random.Random) -> bytes:
    header, body = _header(data)
    return _assembled(changed_json(json.dumps(header), draw), body)


def change_tensor(data: bytes, draw: random.Random) -> bytes:
    """Another type, shape or place of a tensor, or another name; half of the time one that still adds up."""
    header, body = _header(data)
    names = [name for name in header if name != "__metadata__" and isinstance(header[name], dict)]
    if not names:
        raise _ForeignError
    name = draw.choice(names)
    info = header[name]
    kind = draw.randrange(7)
    try:
        begin, end = info["data_offsets"]
        size = end - begin
        if kind == 0:
            info["dtype"] = draw.choice(_DTYPES)
        elif kind == 1:
            dtype, width = draw.choice(
                [("U8", 1), ("I8", 1), ("BOOL", 1), ("F16", 2), ("BF16", 2), ("I32", 4), ("F8_E4M3", 1)]
            )
            info |= {"dtype": dtype, "shape": [size // width]}
        elif kind == 2:
            info["shape"] = draw.choice(
                [info["shape"][::-1], [*info["shape"], 1], [1, *info["shape"]], [-1], [2**63, 2]]
            )
        elif kind == 3:
            info["data_offsets"] = [begin + draw.choice(_NUMBERS), end + draw.choice(_NUMBERS)]
        elif kind == 4:
            header[draw.choice(["x", *names])] = header.pop(name)
        elif kind == 5:
            del header[name]
        else:
            value = struct.pack("<f", draw.choice(_FLOATS))
            body = body[:begin] + (value * size)[:size] + body[end:]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, struct.error):
        raise _ForeignError from None
    return _assembled(json.dumps(header), body)


# ONNX ---------------------------------------------------------------------------------------------------------------

_NO_UTF8 = "@@no utf-8@@"


def _onnx(data: bytes) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.ModelProto.FromString(data)
    except (DecodeError, RecursionError):
        raise _ForeignError from None


def change_onnx_card(data: bytes, draw: random.Random) -> bytes:
    model = _onnx(data)
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            try:
                entry.value = changed_json(entry.value, draw)
            except UnicodeEncodeError:
                raise _ForeignError from None
            return bytes(model.SerializeToString())
    raise _ForeignError


def change_field(data: bytes, draw: random.Random) -> bytes:
    """A field anywhere in the messages of an ONNX file becomes another."""
    model = _onnx(data)
    found = list(_fields(model))
    message, field = draw.choice(found)
    if field.is_repeated:
        try:
            _change_repeated(getattr(message, field.name), field, draw)
        except UnicodeDecodeError:  # a name that an edit before this one made unreadable
            raise _ForeignError from None
    elif field.type == field.TYPE_MESSAGE:
        message.ClearField(field.name)
    elif (value := _scalar(field, draw)) is not None:
        setattr(message, field.name, value)
    made = bytes(model.SerializeToString())
    return made.replace(_NO_UTF8.encode(), b"\xff\xfe\xed\xa0\x80" + b"\xc3" * (len(_NO_UTF8) - 5))


def _change_repeated(values: Any, field: Any, draw: random.Random) -> None:
    index, kind = draw.randrange(max(1, len(values))), draw.randrange(4)
    if kind == 0 and values:
        del values[index]
    elif kind == 1 and values:
        values.extend([values[index]] * draw.choice([1, 2, 300]))
    elif field.type == field.TYPE_MESSAGE:
        del values[index:]
    elif (value := _scalar(field, draw)) is not None:
        if values and kind == 2:
            values[index] = value
        else:
            values.append(value)


def _scalar(field: Any, draw: random.Random) -> Any:
    if field.type == field.TYPE_STRING:
        return draw.choice([*_TEXTS, _NO_UTF8])
    if field.type == field.TYPE_BYTES:
        return draw.choice([b"", b"\0" * 4, b"\xff" * 64, struct.pack("<f", draw.choice(_FLOATS)) * 6])
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return draw.choice(_FLOATS)
    if field.type == field.TYPE_ENUM:
        return draw.choice([each.number for each in field.enum_type.values])
    number = draw.choice(_NUMBERS)
    low, high = (-(2**31), 2**31 - 1) if field.type == field.TYPE_INT32 else (-(2**63), 2**63 - 1)
    if field.type in (field.TYPE_UINT64, field.TYPE_UINT32):
        low = 0
    return min(max(number, low), high)


def _fields(message: Any) -> Any:
    """Every field that is set, with the message that holds it; what is not set now and then, too."""
    for field, value in message.ListFields():
        yield message, field
        if field.type == field.TYPE_MESSAGE:
            for each in list(value)[:40] if field.is_repeated else [value]:
                yield from _fields(each)
    for field in message.DESCRIPTOR.fields[:3]:
        yield message, field


# OpenVINO -----------------------------------------------------------------------------------------------------------

_TAG = re.compile(rb"<(/?)([\w]+)([^<>]*?)(/?)>")
_ATTRIBUTE = re.compile(rb'([\w]+)="([^"]*)"')
_CARD = re.compile(METADATA_KEY.encode() + rb'" value="([^"]*)"|<' + METADATA_KEY.encode() + rb' value="([^"]*)"')
_BOMB = b'<!DOCTYPE net [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
) + b"]>"  # fmt: skip


def change_ir_card(data: bytes, draw: random.Random) -> bytes:
    from html import unescape

    model, weights = parts(data)
    found = _CARD.search(model)
    if found is None:
        raise _ForeignError
    group = 1 if found[1] is not None else 2
    text = unescape(found[group].decode("utf-8", "replace"))
    changed = escape(changed_json(text, draw)).encode("utf-8", "surrogatepass")
    return joined(model[: found.start(group)] + changed + model[found.end(group) :], weights)


def change_attribute(data: bytes, draw: random.Random) -> bytes:
    model, weights = parts(data)
    found = list(_ATTRIBUTE.finditer(model))
    if not found:
        raise _ForeignError
    match = draw.choice(found)
    value = draw.choice(
        [str(draw.choice(_NUMBERS)), *(escape(text) for text in _TEXTS), "&b;", "nan", "1e400", "f32", "i64", "", "1,1"]
    ).encode("utf-8")  # fmt: skip
    value = draw.choice([value, value, value, b"\xff\xfe", b"&#0;", draw.choice(found)[2], b"x" * 100_000])
    return joined(model[: match.start(2)] + value + model[match.end(2) :], weights)


def change_element(data: bytes, draw: random.Random) -> bytes:
    """An element goes, comes twice, or holds a very deep one; or entities stand before all."""
    model, weights = parts(data)
    found = list(_TAG.finditer(model))
    if not found:
        raise _ForeignError
    match, kind = draw.choice(found), draw.randrange(6)
    deep = draw.choice([3, 1000, _DEEP])
    if kind == 0:
        model = model[: match.start()] + model[match.end() :]
    elif kind == 1:
        model = model[: match.end()] + match[0] + model[match.end() :]
    elif kind == 2:
        model = model[: match.end()] + b"<a>" * deep + b"</a>" * deep + model[match.end() :]
    elif kind == 3:
        other = draw.choice(found)
        model = model[: match.start()] + other[0] + model[match.end() :]
    elif kind == 4:
        place = model.find(b"<net")
        model = model[:place] + _BOMB + model[place:]
    else:
        model = model.replace(match[2], draw.choice(found)[2])
    return joined(model, weights)


def change_weights(data: bytes, draw: random.Random) -> bytes:
    model, weights = parts(data)
    if not weights:
        raise _ForeignError
    place, kind = draw.randrange(len(weights)), draw.randrange(4)
    if kind == 0:
        weights = weights[:place]
    elif kind == 1:
        weights = weights[:place] + weights[place + 1 :]
    elif kind == 2:
        place -= place % 4
        weights = weights[:place] + struct.pack("<f", draw.choice(_FLOATS)) + weights[place + 4 :]
    else:
        weights = struct.pack("<f", draw.choice(_FLOATS)) * (len(weights) // 4)
    return joined(model, weights)


_BYTES = tuple(
    summed(each)
    for each in (raw.set_byte, raw.set_number, raw.set_early_number, raw.remove_range, raw.repeat_range, raw.cut_off)
)
CHECKPOINT_EDITS = (*_BYTES, *(structured(each) for each in (*[change_card] * 6, change_header, *[change_tensor] * 3)))
ONNX_EDITS = (*_BYTES, *(structured(each) for each in (*[change_onnx_card] * 4, *[change_field] * 6)))
OPENVINO_EDITS = (
    *_BYTES,
    *(structured(each) for each in (*[change_ir_card] * 4, *[change_attribute] * 3, *[change_element] * 2)),
    *(structured(each) for each in [change_weights] * 2),
)
