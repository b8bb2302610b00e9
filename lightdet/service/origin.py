"""Where a picture comes from: the key, and the station and order that the request gives, by header or form field."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from fastapi import Request

from lightdet.service.inspection import FIELD_LENGTH, Origin
from lightdet.service.keys import caller_of
from lightdet.service.plain_text import is_line
from lightdet.web.errors import RefusalError

HEADERS: Mapping[str, str] = {"station": "x-station", "order": "x-order"}
"""By the name of the form field. A header is read as UTF-8, or else as Latin-1."""


def read_origin(request: Request, fields: Sequence[tuple[str, str]], station: str) -> Origin:
    """Return where the pictures of a request come from.

    Args:
        request: has the headers and the key.
        fields: name and text of each form field that is not a file.
        station: the default if the request names none.

    Raises:
        RefusalError: something is too long, contains control characters, or is given twice and differently; or a
            field is unknown, which may be a misspelt one (422).
    """
    if any(name not in HEADERS for name, _ in fields):
        message = f"a field of the form is unknown; known here: {', '.join(HEADERS)}, and pictures as files"
        raise RefusalError(422, "bad_parameter", message)
    caller = caller_of(request)
    said = {name: _said(name, request, fields) for name in HEADERS}
    return Origin(caller.name, caller.role, said["station"] or station, said["order"])


def is_this_computer(request: Request) -> bool:
    """Whether a request comes from the service's own computer."""
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _said(name: str, request: Request, fields: Iterable[tuple[str, str]]) -> str:
    header = HEADERS[name]
    given = [_decoded(value) for value in request.headers.getlist(header)]
    given += [value for field, value in fields if field == name]
    values = dict.fromkeys(filter(None, (value.strip() for value in given)))
    if len(values) > 1:
        message = f"{name}: given more than once, and differently; give it as the header {header} or in the form"
        raise RefusalError(422, "bad_parameter", message)
    value = next(iter(values), "")
    if len(value) > FIELD_LENGTH or not is_line(value):
        message = f"{name}: must have up to {FIELD_LENGTH} characters that can be shown"
        raise RefusalError(422, "bad_parameter", message)
    return value


def _decoded(value: str) -> str:
    raw = value.encode("latin-1")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return value
