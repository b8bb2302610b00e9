"""Label Studio's machine learning backend: it asks, the model proposes. Nothing is recorded, nothing trained.

Label Studio adds these names to the address that it is given: ``http://host:port/api/label-studio``, or with a model's
name behind it where the service has several.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from lightdet.service.engine import Upload
from lightdet.service.inspection import Inspection
from lightdet.service.keys import needs
from lightdet.service.label_studio import Interface, check_classes, picture_of, read_interface, regions, version_of
from lightdet.service.line_up import Served
from lightdet.service.routes_detect import json_answer
from lightdet.service.state import Parts, Service
from lightdet.service.uploads import read_body
from lightdet.tasks import gives_boxes
from lightdet.web.errors import RefusalError

log = logging.getLogger("lightdet.service")

router = APIRouter(
    prefix="/api/label-studio", dependencies=[Depends(needs("inspect"))], include_in_schema=False
)  # the description is of our own interface; this one is Label Studio's

MOST_TASKS = 1000


@router.get("/health")
@router.get("/{model}/health")
async def health(service: Parts, model: str | None = None) -> Response:
    """Say that the backend answers, in Label Studio's words."""
    return json_answer({"status": "UP", "model_class": f"lightdet {_version(service.models.choose(model))}"})


@router.post("/setup")
@router.post("/{model}/setup")
async def setup(request: Request, service: Parts, model: str | None = None) -> Response:
    """Check that the project's interface fits the model; what else is sent, such as a token, is not kept."""
    said = await _said(request, service)
    interface = read_interface(said.get("schema"))
    served = _detector(service, model)
    check_classes(interface, served.classes)
    return json_answer({"model_version": _version(served)})


@router.post("/predict")
@router.post("/{model}/predict")
async def predict(request: Request, service: Parts, model: str | None = None) -> Response:
    """Return the model's boxes for each task, or why there are none; refuse the request if no task can be answered.

    An entry without ``result`` is no prediction for Label Studio: it logs the entry and takes the others. One with an
    empty ``result`` would be a picture without defects.
    """
    said = await _said(request, service)
    tasks = said.get("tasks")
    if not isinstance(tasks, list) or len(tasks) > MOST_TASKS:
        raise RefusalError(422, "bad_request", f"'tasks' must be a list of at most {MOST_TASKS} tasks")
    interface = read_interface(said.get("label_config"))
    served = _detector(service, model)
    results: list[dict[str, Any]] = []
    refused: list[RefusalError] = []
    for number, task in enumerate(tasks):
        try:
            results.append(regions(await _look(service, served, task, interface), interface))
        except RefusalError as refusal:
            refused.append(refusal.in_part(number) if len(tasks) > 1 else refusal)
            results.append(json.loads(refused[-1].body()))
    if refused and len(refused) == len(tasks):
        raise refused[0]
    if refused:
        log.warning("Label Studio gets no boxes for %d of %d tasks: %s", len(refused), len(tasks), refused[0].message)
    return json_answer({"results": results, "model_version": _version(served)})


async def _look(service: Service, served: Served, task: object, interface: Interface) -> Inspection:
    folder, most = service.settings.label_studio_folder, service.settings.limits.max_bytes
    with service.memory.account() as account:
        data, name = await service.read(lambda: picture_of(task, interface, folder, most))
        account.take(len(data))
        [found] = await served.engine.inspect([Upload(data, name)], most=1, counted=False)
    return found


@router.post("/webhook")
@router.post("/{model}/webhook")
async def webhook(request: Request, service: Parts) -> Response:
    """Take notice of an event, and do nothing: a model that changes while it is asked would be another model."""
    await _said(request, service)
    return json_answer({"status": "ignored", "why": "lightdet trains when it is told to: lightdet train"})


async def _said(request: Request, service: Service) -> dict[str, Any]:
    """The JSON object of a request, within the service's bounds."""
    with service.memory.account() as account:
        body = await read_body(request, service.settings.limits, account)
        try:
            said = await service.read(lambda: json.loads(body))
        except (ValueError, RecursionError):
            raise RefusalError(400, "bad_request", "the request is not JSON") from None
    if not isinstance(said, dict):
        raise RefusalError(422, "bad_request", "the request must be a JSON object")
    return said


def _detector(service: Service, model: str | None) -> Served:
    served = service.models.choose(model)
    if not gives_boxes(served.engine.rule):
        raise RefusalError(409, "no_detector", "this model is a classifier, which draws no boxes")
    return served


def _version(served: Served) -> str:
    return version_of(served.identity.name, served.identity.version)
