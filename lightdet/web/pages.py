"""The files of a page, read once: our own, and those of libraries; they load nothing from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from lightdet.web.errors import plain
from lightdet.web.guard import POLICY

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}

_DRAWN_ON = {"content-security-policy": f"{POLICY}; style-src-attr 'unsafe-inline'"}
"""Annotorious colours each box by a style attribute. Scripts and style sheets stay our own alone."""


@dataclass(frozen=True)
class _File:
    data: bytes
    media_type: str
    tag: str
    headers: Mapping[str, str] = field(default_factory=dict)


def page_routes(part: str, pages: Mapping[str, str], *, drawn_on: Sequence[str] = ()) -> APIRouter:
    """Return the routes of a part's pages, and of the files that they load.

    Args:
        part: the package whose folder ``static`` holds them; the files that all parts share are there as well.
        pages: by address, the name of a file, such as ``{"/": "index.html"}``.
        drawn_on: addresses of those on which boxes are drawn.
    """
    router = APIRouter(include_in_schema=False)
    shelf = _shelf("lightdet.web") | _shelf(part)
    for address, name in pages.items():
        file = _File(
            shelf[name].data, shelf[name].media_type, shelf[name].tag, _DRAWN_ON if address in drawn_on else {}
        )
        router.add_api_route(address, _page(file), methods=["GET"])

    @router.get("/static/{name}")
    async def static(name: str, request: Request) -> Response:
        if name not in shelf:  # a look-up in a fixed list: no name leads anywhere else
            refusal = plain(404)
            return Response(refusal.body(), refusal.status, refusal.headers())
        return _answer(shelf[name], request)

    return router


def _shelf(part: str) -> dict[str, _File]:
    return {
        entry.name: _File(data, _TYPES[suffix], f'"{hashlib.sha256(data).hexdigest()[:16]}"')
        for entry in files(part).joinpath("static").iterdir()
        if (suffix := f".{entry.name.rpartition('.')[2]}") in _TYPES
        for data in [entry.read_bytes()]
    }


def _page(file: _File) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return _answer(file, request)

    return page


def _answer(file: _File, request: Request) -> Response:
    headers = {"etag": file.tag, "cache-control": "no-cache", **file.headers}
    return unchanged(request, headers) or Response(file.data, media_type=file.media_type, headers=headers)


def unchanged(request: Request, headers: Mapping[str, str]) -> Response | None:
    """Return the answer to a browser that has what the ETag in `headers` names; None if it must be sent."""
    known = request.headers.get("if-none-match") == headers["etag"]
    return Response(status_code=304, headers=headers) if known else None
