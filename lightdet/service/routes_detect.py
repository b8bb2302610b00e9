"""Pictures in, decisions out."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from lightdet.service.answers import original_address
from lightdet.service.engine import PictureKind
from lightdet.service.inspection import FIELD_LENGTH, NAME_LENGTH, Inspection, iso_time
from lightdet.service.keys import needs
from lightdet.service.line_up import ModelName
from lightdet.service.parameters import refuse_unknown
from lightdet.service.plain_text import LINE
from lightdet.service.schemas import BINARY, PICTURES_BODY, DetectAnswer, errors
from lightdet.service.state import Parts

router = APIRouter(prefix="/api", tags=["pictures"], dependencies=[Depends(refuse_unknown), Depends(needs("inspect"))])
_REFUSALS = errors(400, 401, 403, 404, 408, 413, 415, 422, 503)

Threshold = Annotated[
    float | None,
    Query(
        ge=0,
        le=1,
        description="One threshold for every class in place of the service's rule, for this request. "
        "Refused (403) unless the service was started with --allow-override.",
    ),
]
Name = Annotated[
    str | None,
    Query(max_length=NAME_LENGTH, description="What the part is called, such as its serial number (raw bodies)."),
]


_LINE: dict[str, Any] = {"maxLength": FIELD_LENGTH, "pattern": LINE}
Station = Annotated[
    str | None,
    Header(alias="X-Station", json_schema_extra=_LINE, description="Where it was taken; or a form's field `station`."),
]
Order = Annotated[
    str | None,
    Header(alias="X-Order", json_schema_extra=_LINE, description="Batch or order number; or a form's field `order`."),
]


@router.post("/detect", response_model=DetectAnswer, responses=_REFUSALS, openapi_extra=PICTURES_BODY)
async def detect(
    request: Request,
    service: Parts,
    model: ModelName = None,
    threshold: Threshold = None,
    name: Name = None,
    picture: Annotated[
        PictureKind, Query(description="Send the picture back as well: as it is, or with the defects marked.")
    ] = "none",
    station: Station = None,  # these two are read with the form
    order: Order = None,
) -> Response:
    """Inspect one picture or several: OK or NG, with boxes and scores. All are inspected, or none."""
    inspections, recorded = await service.inspect(request, model, name, threshold, picture)
    bad = any(inspection.decision == "NG" for inspection in inspections)
    answer = {
        "decision": "NG" if bad else "OK",
        "recorded": recorded,
        "results": [result_of(inspection) for inspection in inspections],
    }
    return json_answer(answer)


@router.post(
    "/mark",
    response_class=Response,
    responses=_REFUSALS | {200: {"content": {"image/jpeg": {"schema": BINARY}}, "description": "the marked picture"}},
    openapi_extra=PICTURES_BODY,
)
async def mark(
    request: Request,
    service: Parts,
    model: ModelName = None,
    threshold: Threshold = None,
    name: Name = None,
    station: Station = None,
    order: Order = None,
) -> Response:
    """Inspect one picture and return it with its defects marked; the decision is in the headers."""
    [inspection], recorded = await service.inspect(request, model, name, threshold, "marked", most=1)
    data = inspection.picture or b""
    return Response(
        data,
        media_type=_media_type(data),
        headers={
            "x-decision": inspection.decision,
            "x-defects": str(inspection.defects),
            "x-inspection": inspection.id,
            "x-recorded": str(recorded).lower(),
        },
    )


def result_of(inspection: Inspection) -> dict[str, Any]:
    """Return an inspection as the answer shows it."""
    result: dict[str, Any] = {
        "id": inspection.id,
        "time": iso_time(inspection.time_ms),
        "name": inspection.name,
        "sha256": inspection.sha256,
        "bytes": inspection.length,
        "size": list(inspection.size),
        "model": asdict(inspection.model),
        "rule": inspection.rule,
        "promise": inspection.promise,
        "overridden": inspection.overridden,
        "zones": inspection.zones or None,
        **asdict(inspection.origin),
        "software": inspection.software,
        "original": original_address(inspection.id) if inspection.original else None,
        "not_kept": inspection.not_kept,
        "decision": inspection.decision,
        "defects": inspection.defects,
        "detections": inspection.detections,
        "corrections": [],
        "milliseconds": inspection.milliseconds,
    }
    if inspection.picture is not None:
        encoded = base64.b64encode(inspection.picture).decode()
        result["picture"] = f"data:{_media_type(inspection.picture)};base64,{encoded}"
    return result


def json_answer(value: Any) -> Response:
    """Return JSON without checking it again."""
    return Response(json.dumps(value, ensure_ascii=False, allow_nan=False), media_type="application/json")


def _media_type(data: bytes) -> str:
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
