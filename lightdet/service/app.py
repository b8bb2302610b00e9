"""The application: its parts put together, started and stopped in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fastapi import FastAPI

from lightdet import __version__
from lightdet.decisions import DecisionRule
from lightdet.decisions.promise import OWN_RULE, Promise
from lightdet.errors import UserError
from lightdet.inference.watching import stored_reference
from lightdet.runs.load import load
from lightdet.service import routes_detect, routes_label_studio, routes_records, routes_status, routes_zones
from lightdet.service.description import describe
from lightdet.service.engine import Engine
from lightdet.service.keys import Key, find_caller
from lightdet.service.metrics import Metrics
from lightdet.service.model_copy import identify
from lightdet.service.picture_reader import PictureReader
from lightdet.service.picture_retention import check_pictures
from lightdet.service.picture_writer import PictureWriter
from lightdet.service.records.journal import Journal, journal_folder
from lightdet.service.records.recorder import Recorder
from lightdet.service.records.store import Store
from lightdet.service.settings import LOWEST_SCORE, Settings
from lightdet.service.state import Service, keep_in_touch
from lightdet.service.uploads import Memory
from lightdet.tasks import task_of_model
from lightdet.web.errors import answer_in_our_words
from lightdet.web.guard import Admit, Guard, shown_key
from lightdet.web.pages import page_routes

log = logging.getLogger("lightdet.service")

Loader = Callable[[Settings], Any]
"""Gives the predictor of a service; `load_model` is the one for model files."""

_READERS = 4
PAGES = {"/": "index.html", "/docs": "docs.html", "/report": "report.html"}


def load_model(settings: Settings) -> Any:
    """Return the predictor of the model file.

    Raises:
        UserError: it cannot be loaded.
    """
    return load(settings.served, **settings.load_options())


def load_with_rule(settings: Settings, loader: Loader) -> tuple[Any, Any, Promise]:
    """Return the predictor, reporting scores as low as the rule needs them, the rule, and what it promises.

    Raises:
        UserError: the model cannot be loaded, the rule is for other classes, or looks at scores that are not reported.
    """
    lowest = settings.rule_over(DecisionRule()).lowest_threshold
    predictor = _load_reporting(settings, min(LOWEST_SCORE, lowest), loader)
    stored = predictor.rule
    rule = settings.rule_over(predictor.usual_rule() if stored is None else stored)
    predictor.check_rule(rule)
    rule.check_names(predictor.names)
    if rule.lowest_threshold < predictor.confidence:
        predictor = _load_reporting(settings, rule.lowest_threshold, loader)
    if rule.lowest_threshold < predictor.confidence:
        raise UserError(
            f"scores below {predictor.confidence:g} are not reported, but the lowest threshold of the decision is "
            f"{rule.lowest_threshold:g}; raise it, or lower --confidence or that of the export"
        )
    by_hand = stored is not None and rule.as_dict() != stored.as_dict()
    return predictor, rule, Promise(why_not=OWN_RULE) if by_hand else predictor.promise


def _load_reporting(settings: Settings, lowest: float, loader: Loader) -> Any:
    if settings.confidence is not None:
        return loader(settings)
    try:
        return loader(replace(settings, confidence=lowest))
    except UserError:  # a network with NMS in it has a lowest score of its own; any other error is raised again
        return loader(settings)


def assemble(settings: Settings, loader: Loader = load_model) -> Service:
    """Load the model, open the records, and let the network see one picture.

    Raises:
        UserError: the model or the database cannot be used, or the rule does not fit the model.
    """
    predictor, rule, promise = load_with_rule(settings, loader)
    store = Store(settings.database, durable=settings.durable)
    metrics = Metrics()
    model = identify(settings.model, settings.served)
    mark = task_of_model(settings.served).results.marked
    keep, limits, thumbnails = settings.pictures, settings.limits, settings.thumbnails
    band = keep.band if keep.choice.uncertain else 0.0
    engine = Engine(predictor, model, rule, promise, limits, mark, thumbnails=thumbnails, watcher=metrics, band=band)
    engine.reference = stored_reference(predictor.card_decision.record, promise, settings.model)
    engine.warm_up()
    metrics.describe(model, predictor.names)
    journal = Journal(journal_folder(settings.database), durable=settings.durable)
    recorder = Recorder(store, metrics.record_reporter(), journal=journal)
    check_pictures(keep, store)
    pictures = PictureWriter(keep, sync=settings.durable, report=metrics.picture)
    runtime = type(predictor.runtime).__name__.removesuffix("Runtime").lower()
    readers = ThreadPoolExecutor(_READERS, thread_name_prefix="read")
    memory, kept = Memory(settings.limits.memory), PictureReader(keep)
    return Service(settings, engine, store, recorder, metrics, memory, readers, runtime, pictures, kept)


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
        service.engine.close()
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
        page_routes("lightdet.service", PAGES),
    ):
        app.include_router(router)
    settings = service.settings
    describe(app, needed=bool(settings.accepted_keys), most_parts=settings.limits.max_parts)
    answer_in_our_words(app)
    app.add_middleware(Guard, hosts=_hosts(settings), books=service.metrics, admit=_admission(settings.accepted_keys))
    return app


def _admission(keys: tuple[Key, ...]) -> Admit | None:
    return (lambda headers: find_caller(shown_key(headers), keys)) if keys else None


def _hosts(settings: Settings) -> tuple[str, ...]:
    """Any name is allowed where a key is required: a foreign page under a name of its own has no key."""
    if settings.allowed_hosts:
        return settings.allowed_hosts
    return ("*",) if settings.accepted_keys and not settings.is_local else ()
