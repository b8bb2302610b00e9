"""Request bodies, limited while they arrive: raw bytes or multipart, in memory only, never on disk."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request

from lightdet.service.engine import Upload
from lightdet.service.inspection import clean_name, part_name
from lightdet.service.settings import MIB, Limits
from lightdet.web.errors import GoneError, RefusalError, busy
from lightdet.wording import counted

_DRAIN_SECONDS = 2.0
"""Seconds for which a refused body is still read: a caller that is still sending would not see the answer."""
_MAX_PART_HEADER = 8192
_MAX_FIELDS = 16
"""Parts of a form that are no pictures, such as the station: they do not count towards `Limits.max_parts`."""
_BOUNDARY = re.compile(r';\s*boundary="?(?P<name>[^";,\s]{1,200})"?\s*(?:;|$)', re.IGNORECASE)
_FILE_NAME = re.compile(r';\s*filename="(?P<quoted>(?:[^"\\]|\\.)*)"|;\s*filename=(?P<plain>[^";\s]+)', re.IGNORECASE)
_FIELD_NAME = re.compile(r';\s*name=(?:"(?P<quoted>[^"]+)"|(?P<plain>[^";\s]+))', re.IGNORECASE)
_CODED_NAME = re.compile(r";\s*filename\*=utf-8'[^']*'(?P<coded>[^;\s]+)", re.IGNORECASE)
_PLAIN_TYPES = ("application/octet-stream", "application/x-www-form-urlencoded", "")
"""Besides image/*: the default types of programs (curl's is the second)."""


@dataclass(frozen=True)
class Sent:
    """The contents of a request.

    Attributes:
        pictures: in their order.
        fields: name and text of each form field that is not a file.
    """

    pictures: list[Upload]
    fields: list[tuple[str, str]] = field(default_factory=list)


class Memory:
    """Limits the bytes of all request bodies together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    @contextmanager
    def account(self) -> Iterator[_Account]:
        """Give an account for one request; its bytes are given back at the end."""
        account = _Account(self)
        try:
            yield account
        finally:
            self.used -= account.taken


class _Account:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.taken = 0

    def take(self, count: int) -> None:
        """Take this many more bytes.

        Raises:
            RefusalError: too few are left (503).
        """
        if self._memory.used + count > self._memory.limit:
            raise busy("memory", "too many pictures are being sent at the same time; try again later")
        self._memory.used += count
        self.taken += count


async def read_uploads(request: Request, limits: Limits, account: _Account, name: str | None) -> Sent:
    """Read the pictures of a request: one as the raw body, or one or several as multipart/form-data.

    Args:
        request: not yet read.
        limits: `max_bytes`, `max_parts` and `body_timeout` are obeyed here.
        account: counts the memory.
        name: the caller's name for the picture of a raw body.

    Raises:
        RefusalError: too many bytes (413) or parts (413), too slow (408), no picture (400) or of a type that is
            none (415), a broken form (400), a form and `name` (422), too much at the same time (503).
        GoneError: the caller hung up.
    """
    header = request.headers.get("content-type", "")
    content_type = header.partition(";")[0].strip().lower()
    form = content_type == "multipart/form-data"
    boundary = form_boundary(header) if form else None
    refusal: RefusalError | None = None
    if not form and not content_type.startswith("image/") and content_type not in _PLAIN_TYPES:
        message = "send a picture as image/… or application/octet-stream, or several as multipart/form-data"
        refusal = RefusalError(415, "wrong_type", message)
    elif form and boundary is None:
        refusal = RefusalError(400, "bad_form", "the form has no boundary; let your HTTP library set its Content-Type")
    elif form and name:
        message = "name: is for a picture as the raw body; in a form, each picture has its file name"
        refusal = RefusalError(422, "bad_parameter", message)
    if refusal is not None:
        refusal.close = not await _drained(request)
        raise refusal
    body = await read_body(request, limits, account)
    if boundary is None:
        if not body:
            raise RefusalError(400, "no_picture", "the request has no body; send a picture")
        return Sent([Upload(body, part_name(name))])
    account.take(len(body))  # the parts are copies
    return split_form(body, boundary, limits.max_parts)


async def read_body(request: Request, limits: Limits, account: _Account) -> bytes:
    """Read a body of at most `Limits.max_bytes`.

    Raises:
        RefusalError: too many bytes (413), too slow (408), too much at the same time (503).
        GoneError: the caller hung up.
    """
    try:
        return await _read(request, limits, account)
    except RefusalError as refusal:
        refusal.close = refusal.status == 408 or not await _drained(request)
        raise


async def _read(request: Request, limits: Limits, account: _Account) -> bytes:
    too_large = RefusalError(
        413, "request_too_large", f"the request is larger than {limits.max_bytes / MIB:g} MiB; send less at a time"
    )
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limits.max_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_timeout):
            async for chunk in _chunks(request):
                if len(body) + len(chunk) > limits.max_bytes:
                    raise too_large
                account.take(len(chunk))
                body += chunk
    except TimeoutError:
        message = f"the request did not come within {limits.body_timeout:g} s"
        raise RefusalError(408, "too_slow", message) from None
    return bytes(body)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise GoneError from None


async def _drained(request: Request) -> bool:
    """Read on for a while; returns whether the end was reached."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while True:
                message = await request.receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return True
    return False


def form_boundary(content_type: str) -> bytes | None:
    """Return the boundary in a form's Content-Type; None if there is none."""
    found = _BOUNDARY.search(content_type)
    return found["name"].encode("latin-1") if found else None


def split_form(body: bytes, boundary: bytes, max_pictures: int) -> Sent:
    """Return the files, `max_pictures` at most, and the fields of a form (RFC 7578, RFC 2046 section 5.1).

    The body is whole, so it is cut by searching, which takes time in proportion to its length whatever is in it.

    Raises:
        RefusalError: too many pictures or fields (413), a broken form, no file in it, or a picture without a file
            name (400).
    """
    most = max_pictures + _MAX_FIELDS
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, most + 2)
    if len(pieces) > most + 2:
        raise RefusalError(413, "too_many_parts", f"more than {most} parts in one request; send fewer")
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise RefusalError(400, "bad_form", "the form is cut off or badly built: its last boundary is missing")
    uploads: list[Upload] = []
    fields: list[tuple[str, str]] = []
    for piece in pieces[1:-1]:
        head, data = _part(piece)
        name = _file_name(head.get("content-disposition", ""))
        if name is None:
            fields.append((_field_name(head), data.decode("utf-8", "replace")))
            continue
        if not data:
            raise RefusalError(400, "no_picture", "a file of the form is empty", part=len(uploads))
        uploads.append(Upload(data, clean_name(name)))
    if len(uploads) > max_pictures:
        told = f"more than {counted(max_pictures, 'picture')} in one request; send fewer"
        raise RefusalError(413, "too_many_parts", told)
    if not uploads:
        raise RefusalError(400, "no_picture", "the form has no file in it; send pictures as files")
    return Sent(uploads, fields)


def _part(piece: bytes) -> tuple[dict[str, str], bytes]:
    """A part's headers, by name in lower case, and its bytes."""
    start = piece.find(b"\r\n") + 2  # white space may follow a boundary
    end = piece.find(b"\r\n\r\n", start - 2, start + _MAX_PART_HEADER)
    if start < 2 or end < 0 or piece[: start - 2].strip():
        raise RefusalError(400, "bad_form", "the form is badly built: a part has no head, or too long a one")
    head: dict[str, str] = {}
    for line in piece[start:end].decode("utf-8", "replace").split("\r\n"):
        key, _, value = line.partition(":")
        head.setdefault(key.strip().lower(), value)
    return head, piece[end + 4 :]


def _field_name(head: Mapping[str, str]) -> str:
    """The name of a field; what may be a picture is none, or it would not be inspected and nobody would know."""
    found = _FIELD_NAME.search(head.get("content-disposition", ""))
    if found is None:
        raise RefusalError(400, "bad_form", "a part of the form has no name; name its fields, and its files as well")
    kind = head.get("content-type", "").strip().lower()
    if kind.startswith(("image/", "application/octet-stream")):
        message = "a picture in the form has no file name, and would be taken for text; send it as a file, with a name"
        raise RefusalError(400, "bad_form", message)
    return found["quoted"] or found["plain"]


def _file_name(disposition: str) -> str | None:
    if coded := _CODED_NAME.search(disposition):
        return unquote(coded["coded"], errors="replace")
    if found := _FILE_NAME.search(disposition):
        return found["plain"] or re.sub(r'\\([\\"])', r"\1", found["quoted"] or "")
    return None
