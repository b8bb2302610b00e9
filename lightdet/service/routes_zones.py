"""Zones drawn on the page: checked, turned into a file, or used from now on."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from lightdet.assembly.zones import zones_of_values, zones_text
from lightdet.decisions.zones import Zones
from lightdet.errors import UserError
from lightdet.service.keys import needs
from lightdet.service.line_up import ModelName, Served
from lightdet.service.origin import is_this_computer
from lightdet.service.routes_detect import json_answer
from lightdet.service.schemas import errors
from lightdet.service.state import Parts
from lightdet.service.status_schemas import CheckedZones, DrawnZones, SavedZones
from lightdet.web.errors import RefusalError

router = APIRouter(prefix="/api/zones", tags=["status"])

NO_FILE = "this service was started without --zones FILE, so there is no file to save to: download the zones instead"
PROMISED = (
    "other zones would end the promise of this service: download them, and calibrate the model with them "
    "(lightdet calibrate --zones), or start the service with --no-promise"
)


@router.post(
    "/check",
    response_model=CheckedZones,
    responses=errors(400, 401, 403, 404, 422),
    dependencies=[Depends(needs("read"))],
)
async def check(service: Parts, drawn: DrawnZones, model: ModelName = None) -> Response:
    """Return zones as a YAML file for ``--zones``, and whether this service would take them; nothing changes."""
    served = service.models.choose(model)
    zones = await service.read(lambda: _zones(drawn, served))
    return json_answer({"yaml": zones_text(zones), "digest": zones.digest, "why_not_saved": _why_not(served)})


@router.post(
    "/change",
    response_model=SavedZones,
    responses=errors(400, 401, 403, 404, 409, 422),
    dependencies=[Depends(needs("change_zones"))],
)
async def save(request: Request, service: Parts, drawn: DrawnZones, model: ModelName = None) -> Response:
    """Look in these zones from now on, and write them into the file of ``--zones``.

    Refused where the service promises something: the promise was calibrated with other zones.
    """
    served = service.models.choose(model)
    zones = await service.read(lambda: _zones(drawn, served))
    if not service.settings.accepted_keys and not is_this_computer(request):
        message = "only this computer may change the zones; others need an API key, and this service has none"
        raise RefusalError(403, "not_here", message)
    if (why := _why_not(served)) or service.control is None:
        raise RefusalError(409, "zones_refused", why or "this service cannot change its zones; start it again")
    told = await service.control.change_zones(served.identity.name, zones)
    if told.now is None:
        raise RefusalError(409, "zones_refused", told.refusal)
    return json_answer({"digest": zones.digest})


def _zones(drawn: DrawnZones, served: Served) -> Zones:
    values: dict[str, Any] = drawn.model_dump(exclude_none=True)
    try:
        return zones_of_values(values, served.classes)
    except UserError as error:
        raise RefusalError(422, "bad_zones", error.message) from None


def _why_not(served: Served) -> str:
    if served.engine.promise.stated:  # also while it is suspended
        return PROMISED
    return NO_FILE if served.settings.zones_file is None else ""
