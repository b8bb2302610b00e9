"""The addresses that the page calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from lightdet.errors import UserError
from lightdet.inference.source import printable
from lightdet.labelling.pictures import place_id
from lightdet.labelling.proposals import Source
from lightdet.labelling.schemas import (
    Sent,
    SentClass,
    SentLabels,
    SentVersion,
    counts_answer,
    folder_answer,
    picture_answer,
    proposals_answer,
)
from lightdet.labelling.shown_picture import picture_tag, shown_picture
from lightdet.labelling.store import NothingError, StaleError, Store, View
from lightdet.web.errors import GoneError, RefusalError
from lightdet.web.pages import unchanged

LARGEST_BODY = 4 << 20
S = TypeVar("S", bound=Sent)
T = TypeVar("T")


def label_routes(store: Store, proposals: Source | None, bit_depth: int) -> APIRouter:
    """Return the routes of a folder that is labelled."""
    router = APIRouter(prefix="/api")

    async def changed(picture: str, change: Callable[[int], View]) -> dict[str, Any]:
        index = _index(store, picture)
        view = await run_in_threadpool(_in_words, lambda: change(index))
        return picture_answer(store, view, picture_tag(view.picture, bit_depth))

    @router.get("/folder")
    async def folder() -> dict[str, Any]:
        return folder_answer(store, None if proposals is None else proposals.name)

    @router.get("/pictures/{picture}")
    async def look(picture: str) -> dict[str, Any]:
        return await changed(picture, store.view)

    @router.put("/pictures/{picture}")
    async def save(picture: str, request: Request) -> dict[str, Any]:
        sent = await _body(request, SentLabels)
        drawn = [mark.drawn() for mark in sent.marks]
        return await changed(picture, lambda index: store.save(index, sent.version, drawn, sent.state))

    @router.post("/pictures/{picture}/undo")
    async def undo(picture: str, request: Request) -> dict[str, Any]:
        sent = await _body(request, SentVersion)
        return await changed(picture, lambda index: store.undo(index, sent.version))

    @router.post("/pictures/{picture}/redo")
    async def redo(picture: str, request: Request) -> dict[str, Any]:
        sent = await _body(request, SentVersion)
        return await changed(picture, lambda index: store.redo(index, sent.version))

    @router.get("/pictures/{picture}/image")
    async def image(picture: str, request: Request) -> Response:
        shown = store.folder.pictures[_index(store, picture)]
        # Asked for anew each time: a server that is started again may have another picture at this address.
        headers = {"etag": f'"{picture_tag(shown, bit_depth)}"', "cache-control": "private, no-cache"}
        if known := unchanged(request, headers):
            return known
        data, kind = await run_in_threadpool(_in_words, lambda: shown_picture(shown, bit_depth))
        return Response(data, media_type=kind, headers=headers)

    @router.get("/pictures/{picture}/proposals")
    async def propose(picture: str) -> dict[str, Any]:
        shown = store.folder.pictures[_index(store, picture)]
        if proposals is None:
            return proposals_answer([])
        return proposals_answer(await run_in_threadpool(_in_words, lambda: proposals.of(shown)))

    @router.post("/classes")
    async def add_class(request: Request) -> dict[str, Any]:
        sent = await _body(request, SentClass)
        if sent.folder != place_id(store.folder.root):
            raise RefusalError(409, "another_folder", "another folder is labelled here now; reload the page")
        await run_in_threadpool(_in_words, lambda: store.add_class(sent.name.strip()))
        return counts_answer(store)

    return router


def _index(store: Store, picture: str) -> int:
    """The number of a picture. A page that was open at an earlier start may show one that is no longer here."""
    index = store.index(picture)
    if index is None:
        raise RefusalError(404, "no_picture", "this picture is not among those that are labelled here; reload the page")
    return index


def _in_words(work: Callable[[], T]) -> T:
    """Do something, with its mistakes as refusals."""
    try:
        return work()
    except StaleError:
        message = "these labels were changed in another window, or by another program, in the meantime"
        raise RefusalError(409, "changed_elsewhere", message) from None
    except NothingError:
        raise RefusalError(409, "nothing", "there is nothing more to undo, or to redo") from None
    except UserError as error:
        raise RefusalError(422, "refused", printable(str(error))) from None


async def _body(request: Request, kind: type[S]) -> S:
    """Read a request's JSON, of a bounded size."""
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > LARGEST_BODY:
            raise RefusalError(413, "too_large", f"a request has at most {LARGEST_BODY >> 20} MiB")
    if await request.is_disconnected() and not data:
        raise GoneError
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise RefusalError(422, "bad_parameter", f"{where}: {first['msg']}") from None
