"""The application: its parts put together, started and stopped in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI

from lightdet import __version__
from lightdet.service import routes_detect, routes_label_studio, routes_records, routes_status, routes_zones
from lightdet.service.bodies import Bodies
from lightdet.service.description import describe
from lightdet.service.keys import Key, find_caller
from lightdet.service.loading import Loader, load_line_up, load_model
from lightdet.service.metrics import Metrics
from lightdet.service.picture_reader import PictureReader
from lightdet.service.picture_retention import check_pictures
from lightdet.service.picture_writer import PictureWriter
from lightdet.service.records.journal import Journal, journal_folder
from lightdet.service.records.recorder import Recorder
from lightdet.service.records.store import Store
from lightdet.service.settings import Settings
from lightdet.service.state import Service, keep_in_touch
from lightdet.service.uploads import Memory
from lightdet.web.errors import answer_in_our_words
from lightdet.web.guard import Admit, Guard, shown_key
from lightdet.web.pages import page_routes

log = logging.getLogger("lightdet.service")

_READERS = 4
READ_THERE = ("/api/detect", "/api/mark", "/api/label-studio/")
"""Addresses that take pictures, or JSON with pictures in it, and bound what they read."""
PAGES = {"/": "index.html", "/docs": "docs.html", "/report": "report.html"}


def assemble(settings: Settings, loader: Loader = load_model) -> Service:
    """Load the models, open the records, and let each network see one picture.

    Raises:
        UserError: a model or the database cannot be used, or a rule does not fit its model.
    """
    metrics = Metrics()
    models = load_line_up(settings, loader, metrics)
    metrics.describe([(each.identity, each.classes) for each in models])
    store = Store(settings.database, durable=settings.durable)
    journal = Journal(journal_folder(settings.database), durable=settings.durable)
    recorder = Recorder(store, metrics.record_reporter(), journal=journal)
    check_pictures(settings.pictures, store)
    pictures = PictureWriter(settings.pictures, sync=settings.durable, report=metrics.picture)
    readers = ThreadPoolExecutor(_READERS, thread_name_prefix="read")
    memory, kept = Memory(settings.limits.memory), PictureReader(settings.pictures)
    return Service(settings, models, store, recorder, metrics, memory, readers, pictures, kept)


def create_app(service: Service, *, when_ready: Callable[[], None] = lambda: None) -> FastAPI:
    """Return the application for a service's parts; it closes them when it stops.

    Args:
        service: from `assemble`.
        when_ready: is called when requests are taken.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.recorder.start()
        service.pictures.start()
        app.state.ready = True
        when_ready()
        beating = asyncio.create_task(keep_in_touch(service))
        yield
        app.state.ready = False
        beating.cancel()
        service.models.close()
        service.pictures.close()
        service.kept.close()
        service.recorder.close()
        service.readers.shutdown()
        service.store.close()

    app = FastAPI(
        title="lightdet",
        summary="Finds defects on pictures and decides OK or NG.",
        version=__version__,
        license_info={"name": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,  # those load scripts from elsewhere; ours is in pages.py
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service, app.state.ready = service, False
    for router in (
        routes_detect.router,
        routes_records.router,
        routes_status.router,
        routes_zones.router,
        routes_label_studio.router,
        page_routes("lightdet.service", PAGES, drawn_on=("/",)),
    ):
        app.include_router(router)
    settings = service.settings
    describe(
        app,
        needed=bool(settings.accepted_keys),
        most_parts=settings.limits.max_parts,
        models=service.models.names,
    )
    answer_in_our_words(app)
    app.add_middleware(Bodies, limits=settings.limits, memory=service.memory, besides=READ_THERE)
    app.add_middleware(Guard, hosts=_hosts(settings), books=service.metrics, admit=_admission(settings.accepted_keys))
    return app


def _admission(keys: tuple[Key, ...]) -> Admit | None:
    return (lambda headers: find_caller(shown_key(headers), keys)) if keys else None


def _hosts(settings: Settings) -> tuple[str, ...]:
    """Any name is allowed where a key is required: a foreign page under a name of its own has no key."""
    if settings.allowed_hosts:
        return settings.allowed_hosts
    return ("*",) if settings.accepted_keys and not settings.is_local else ()
