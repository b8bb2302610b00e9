"""The page for people: our own files, read once; they load nothing from elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from lightdet.service.errors import plain

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class _File:
    data: bytes
    media_type: str
    tag: str


def page_routes() -> APIRouter:
    """Return the routes of the page, the API's description (``/docs``), the shift report (``/report``), their files."""
    router = APIRouter(include_in_schema=False)
    shelf = {
        entry.name: _File(data, _TYPES[suffix], f'"{hashlib.sha256(data).hexdigest()[:16]}"')
        for entry in files("lightdet.service").joinpath("static").iterdir()
        if (suffix := f".{entry.name.rpartition('.')[2]}") in _TYPES
        for data in [entry.read_bytes()]
    }

    @router.get("/")
    async def index(request: Request) -> Response:
        return _answer(shelf["index.html"], request)

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        return _answer(shelf["docs.html"], request)

    @router.get("/report")
    async def report(request: Request) -> Response:
        return _answer(shelf["report.html"], request)

    @router.get("/static/{name}")
    async def static(name: str, request: Request) -> Response:
        if name not in shelf:  # a look-up in a fixed list: no name leads anywhere else
            refusal = plain(404)
            return Response(refusal.body(), refusal.status, refusal.headers())
        return _answer(shelf[name], request)

    return router


def _answer(file: _File, request: Request) -> Response:
    headers = {"etag": file.tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.data, media_type=file.media_type, headers=headers)
