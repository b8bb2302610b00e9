"""Who this is and how it fares."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request, Response

from lightdet import __version__
from lightdet.service.metrics import CONTENT_TYPE
from lightdet.service.routes_detect import json_answer
from lightdet.service.schemas import Health, Info, Ready, errors
from lightdet.service.state import Parts

router = APIRouter(tags=["status"])


@router.get("/health", response_model=Health)
async def health() -> Response:
    """Return a sign of life; asks nothing of the model or the database."""
    return json_answer({"status": "alive"})


@router.get("/ready", response_model=Ready, responses={503: {"model": Ready, "description": "not yet, or no more"}})
async def ready(request: Request, service: Parts) -> Response:
    """Return whether pictures are taken. A database that is away does not change that: answers go on without it."""
    stuck = service.engine.stuck
    taken = bool(request.app.state.ready) and not stuck
    up = "up" if service.recorder.healthy else "down"
    answer = json_answer(
        {"ready": taken, "engine": "stuck" if stuck else "up", "database": up, "backlog": service.recorder.backlog}
    )
    answer.status_code = 200 if taken else 503
    return answer


@router.get("/api/model", response_model=Info, responses=errors(401))
async def model(service: Parts) -> Response:
    """Return the model, its classes, the rule of decision and the bounds."""
    engine, settings = service.engine, service.settings
    return json_answer(
        {
            "name": engine.model.name,
            "version": engine.model.version,
            "lightdet": __version__,
            "runtime": service.runtime,
            "classes": list(engine.predictor.names),
            "input_size": engine.predictor.preprocessing.imgsz,
            "lowest_score": engine.predictor.confidence,
            "rule": engine.rule.as_dict(),
            "limits": asdict(settings.limits),
            "thumbnails": settings.thumbnails,
        }
    )


@router.get("/metrics", response_class=Response, responses=errors(401) | {200: {"content": {"text/plain": {}}}})
async def metrics(service: Parts) -> Response:
    """Return counts and times in Prometheus' text format."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)
