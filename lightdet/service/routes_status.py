"""What this service is, and how it is doing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from lightdet import __version__
from lightdet.service.keys import needs
from lightdet.service.line_up import ModelName, Served
from lightdet.service.metrics import CONTENT_TYPE
from lightdet.service.origin import is_this_computer
from lightdet.service.routes_detect import json_answer
from lightdet.service.schemas import errors
from lightdet.service.state import Parts
from lightdet.service.status_schemas import Health, Info, ModelChange, Models, Ready, WatchAnew
from lightdet.web.errors import RefusalError

router = APIRouter(tags=["status"])


@router.get("/health", response_model=Health)
async def health() -> Response:
    """Return that the service is alive, without checking the model or the database."""
    return json_answer({"status": "alive"})


@router.get("/ready", response_model=Ready, responses={503: {"model": Ready, "description": "not yet, or no more"}})
async def ready(request: Request, service: Parts) -> Response:
    """Return whether pictures are taken. A database that is away does not change that: answers go on without it.

    One whose file was deleted or replaced does, until it or a copy of it is put back.
    """
    stuck = service.models.stuck
    present = service.store.present or await service.read(service.store.is_back)
    taken = bool(request.app.state.ready) and not stuck and present
    up = "up" if service.recorder.healthy and present else "down"
    pictures = "none" if not service.pictures.keep else "not kept" if service.pictures.failing else "kept"
    answer = json_answer(
        {
            "ready": taken,
            "engine": "stuck" if stuck else "up",
            "models": len(service.models.names),
            "database": up,
            "backlog": service.recorder.backlog,
            "pictures": pictures,
        }
    )
    answer.status_code = 200 if taken else 503
    return answer


@router.get("/api/models", response_model=Models, responses=errors(401, 403), dependencies=[Depends(needs("read"))])
async def models(service: Parts) -> Response:
    """Return which models there are; the parameter `model` of other addresses takes their names."""
    found = [{**asdict(each.identity), "classes": list(each.classes)} for each in service.models]
    return json_answer({"models": found})


@router.get(
    "/api/model", response_model=Info, responses=errors(401, 403, 404, 422), dependencies=[Depends(needs("read"))]
)
async def about_model(service: Parts, model: ModelName = None) -> Response:
    """Return a model, its classes, the decision rule and the limits."""
    served, settings = service.models.choose(model), service.settings
    engine = served.engine
    return json_answer(
        {
            "name": engine.model.name,
            "version": engine.model.version,
            "sha256": engine.model.sha256,
            "lightdet": __version__,
            "runtime": served.runtime,
            "classes": list(served.classes),
            "input_size": engine.predictor.preprocessing.imgsz,
            "lowest_score": engine.predictor.confidence,
            "rule": engine.rule.as_dict(),
            "promise": engine.promise.as_dict(),
            "watch": _watch(served),
            "zones": None if engine.zones is None else {"digest": engine.zones.digest, **engine.zones.as_dict()},
            "limits": asdict(settings.limits),
            "thumbnails": settings.thumbnails,
        }
    )


@router.post(
    "/api/model/change",
    response_model=ModelChange,
    responses=errors(401, 403, 404, 409, 422),
    dependencies=[Depends(needs("change_model"))],
)
async def change(request: Request, service: Parts, model: ModelName = None) -> Response:
    """Serve a model's file as it is now: it is copied and verified first; if it is refused, nothing changes."""
    name = service.models.choose(model).identity.name
    if not service.settings.accepted_keys and not is_this_computer(request):
        message = "only this computer may change the model; others need an API key, and this service has none"
        raise RefusalError(403, "not_here", message)
    if service.control is None:
        raise RefusalError(409, "model_refused", "this service cannot change its model; start it again")
    told = await service.control.change_model(name)
    if told.now is None:
        raise RefusalError(409, "model_refused", told.refusal)
    now = told.now
    return json_answer(
        {
            "changed": told.before != now.sha256,
            "model": now.name,
            "sha256": now.sha256,
            "before": told.before,
            "classes": list(now.classes),
            "rule": now.rule,
            "recorded": told.recorded,
        }
    )


@router.post(
    "/api/watch/anew",
    response_model=WatchAnew,
    responses=errors(401, 403, 404, 409, 422),
    dependencies=[Depends(needs("change_model"))],
)
async def watch_anew(request: Request, service: Parts, model: ModelName = None) -> Response:
    """Begin the watch over a model's promise anew: if it is suspended, it holds again, until the pictures change again.

    Do this only after the cause was found and undone. It is logged, and recorded as a change of the model to itself.
    """
    name = service.models.choose(model).identity.name
    if not service.settings.accepted_keys and not is_this_computer(request):
        message = "only this computer may begin the watch anew; others need an API key, and this service has none"
        raise RefusalError(403, "not_here", message)
    if service.control is None or not (told := await service.control.watch_anew(name)).there:
        raise RefusalError(409, "no_watch", "there is no promise that is watched; calibrate the model")
    return json_answer({"recorded": told.recorded})


def _watch(served: Served) -> dict[str, Any] | None:
    reference, status = served.engine.reference, served.watched
    if reference is None:
        return None
    counts = {"reference": reference.pictures, "watched": reference.watched, "compared": status.compared}
    return {**counts, "evidence": {name: round(value, 4) for name, value in status.evidence.items()}}


@router.get(
    "/api/live",
    response_class=StreamingResponse,
    responses=errors(401, 403, 503)
    | {200: {"content": {"text/event-stream": {}}, "description": "server-sent events"}},
    dependencies=[Depends(needs("read"))],
)
async def live(request: Request, service: Parts) -> Response:
    """Return every inspection from now on as it is recorded, as server-sent events, and alarms as they come."""
    events = service.live.listen(request.scope)
    first = await anext(events)  # where there are too many listeners, that is told before the answer begins

    async def all_events() -> AsyncGenerator[bytes, None]:
        async with aclosing(events):
            yield first
            async for each in events:
                yield each

    return StreamingResponse(all_events(), media_type="text/event-stream")


@router.get(
    "/metrics",
    response_class=Response,
    responses=errors(401, 403) | {200: {"content": {"text/plain": {}}}},
    dependencies=[Depends(needs("read"))],
)
async def metrics(service: Parts) -> Response:
    """Return counts and times in Prometheus' text format."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)
