"""Past inspections: history, small and kept pictures, statistics, CSV."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from lightdet.service.answers import as_result, timed
from lightdet.service.control_chart import Sample, p_chart
from lightdet.service.corrected_boxes import checked_boxes
from lightdet.service.csv_rows import TABLES, csv_chunks
from lightdet.service.inspection import FIELD_LENGTH, Origin, iso_time
from lightdet.service.keys import caller_of, needs
from lightdet.service.parameters import Moment, Text, refuse_unknown
from lightdet.service.picture_folder import MEDIA_TYPES, media_type
from lightdet.service.records.store import Span, Store, Wanted
from lightdet.service.routes_detect import json_answer
from lightdet.service.samples import WIDTHS, Samples, read_samples
from lightdet.service.schemas import BINARY, Correction, History, NewCorrection, Result, Statistics, errors
from lightdet.service.state import Parts, Service
from lightdet.web.errors import RefusalError

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST_MS = (_FIRST - datetime.fromtimestamp(0, UTC)) // _MILLISECOND
router = APIRouter(prefix="/api", tags=["records"], dependencies=[Depends(refuse_unknown), Depends(needs("read"))])
_REFUSALS = errors(401, 403, 422, 503)

Since = Annotated[Moment | None, Query(description="ISO 8601; UTC if it names no zone. From this time on …")]
Until = Annotated[Moment | None, Query(description="… until this time, not included.")]
OfModel = Annotated[
    Text | None, Query(alias="model", max_length=200, description="only what the model of this name decided")
]
Identity = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="an inspection's id")]


@router.get("/inspections", response_model=History, responses=_REFUSALS)
async def history(
    service: Parts,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[
        str | None, Query(pattern="^[0-9a-f]{32}$", description="only what is older than this id")
    ] = None,
    since: Since = None,
    until: Until = None,
    decision: Annotated[
        Literal["OK", "NG", "none"] | None, Query(description="`none`: parts that a line gave no verdict")
    ] = None,
    defect: Annotated[Text | None, Query(alias="class", max_length=200, description="a defect of this class")] = None,
    model: Annotated[
        Text | None,
        Query(max_length=200, description="its name, its version (12 hexadecimal digits) or its whole SHA-256"),
    ] = None,
    station: Annotated[Text | None, Query(max_length=FIELD_LENGTH, description="the whole name of a station")] = None,
    order: Annotated[Text | None, Query(max_length=FIELD_LENGTH, description="a whole batch or order number")] = None,
    sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="of the picture's file")] = None,
    text: Annotated[
        Text | None,
        Query(min_length=3, max_length=200, description="a part of the name, the station or the order number"),
    ] = None,
    name: Annotated[Text | None, Query(max_length=200, description="a part of the name; takes longer")] = None,
    old_defect: Annotated[Text | None, Query(alias="defect", max_length=200, deprecated=True)] = None,
) -> Response:
    """Return past inspections, the latest first."""
    span = _span(since, until)
    if defect is not None and old_defect is not None:
        raise RefusalError(422, "bad_parameter", "class, defect: both mean the same; give class")
    wanted = Wanted(decision, defect or old_defect, model, station, order, sha256, text, name)
    records = await service.query(lambda: service.store.history(span, wanted, limit=limit, before=before))
    following = records[-1]["id"] if len(records) == limit else None
    return json_answer({"results": [as_result(record) for record in records], "before": following})


@router.get("/inspections/{identity}", response_model=Result, responses=_REFUSALS | errors(404))
async def inspection(service: Parts, identity: Identity) -> Response:
    """Return one past inspection."""
    record = await service.query(lambda: service.store.one(identity))
    if record is None:
        raise RefusalError(404, "not_found", "there is no inspection of this id")
    return json_answer(as_result(record))


@router.get(
    "/inspections/{identity}/thumbnail",
    response_class=Response,
    responses=_REFUSALS | errors(404) | {200: {"content": {"image/jpeg": {}}}},
)
async def thumbnail(service: Parts, identity: Identity) -> Response:
    """Return the small picture of a past inspection."""
    data = await service.query(lambda: service.store.thumbnail(identity))
    if data is None:
        raise RefusalError(404, "not_found", "there is no small picture of this inspection")
    return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400, immutable"})


@router.get(
    "/inspections/{identity}/original",
    response_class=Response,
    responses=_REFUSALS
    | errors(404, 409)
    | {200: {"content": {kind: {"schema": BINARY} for kind in MEDIA_TYPES}, "description": "the bytes as they came"}},
)
async def original(service: Parts, identity: Identity) -> Response:
    """Return the picture of a past inspection as it came, if it was kept."""
    record, deleted_until = await service.query(
        lambda: (service.store.one(identity), service.store.pictures_deleted_until())
    )
    if record is None:
        raise RefusalError(404, "not_found", "there is no inspection of this id")
    name = record["original"]
    if not name:
        why = f": {record['not_kept']}" if record["not_kept"] else ""
        raise RefusalError(404, "not_found", f"the picture of this inspection was not kept{why}")
    found = await service.kept.read(name)
    if found is None:
        what = "was deleted after its time" if identity <= deleted_until else "is not where pictures are kept"
        raise RefusalError(404, "not_found", f"the picture of this inspection was kept, but {what}")
    data, sha256 = found
    if sha256 != record["sha256"]:
        raise RefusalError(409, "picture_changed", "the kept picture is not the one that was inspected: it was changed")
    headers = {
        "cache-control": "private, max-age=86400, immutable",
        "content-disposition": f'inline; filename="{name.rpartition("/")[2]}"',
    }
    return Response(data, media_type=media_type(name), headers=headers)


@router.post(
    "/inspections/{identity}/corrections",
    response_model=Correction,
    status_code=201,
    responses=_REFUSALS | errors(400, 404),
    dependencies=[Depends(needs("correct"))],
)
async def correct(request: Request, service: Parts, identity: Identity, said: NewCorrection) -> Response:
    """Say what a part really is, or remark on it. The inspection stays as it is; this is a record of its own."""
    caller = caller_of(request)
    origin = Origin(caller.name, caller.role)
    written = await service.query(lambda: _correct(service, identity, said, origin))
    if written is None:
        raise RefusalError(404, "not_found", "there is no inspection of this id")
    answer = json_answer(timed(written))
    answer.status_code = 201
    return answer


def _classes_of(service: Service, record: dict[str, Any]) -> Sequence[str]:
    """The classes of the model that decided; of all models if it is not served any more."""
    served = service.models.named(record["model"]["name"])
    return service.models.classes if served is None else served.classes


def _correct(service: Service, identity: str, said: NewCorrection, origin: Origin) -> dict[str, Any] | None:
    boxes: list[dict[str, Any]] | None = None
    if said.boxes is not None:
        record = service.store.one(identity)
        if record is None:
            return None
        given = [each.model_dump() for each in said.boxes]
        boxes = checked_boxes(record, said.decision, given, _classes_of(service, record))
    return service.store.correct(identity, said.decision, said.note, origin, _now(), boxes)


@router.get("/statistics", response_model=Statistics, responses=_REFUSALS)
async def statistics(
    service: Parts,
    since: Since = None,
    until: Until = None,
    points: Annotated[int, Query(ge=1, le=500, description="most samples of the chart")] = 40,
    nelson: Annotated[bool, Query(description="signals by Nelson's rules 2 to 8 too")] = False,
    model: OfModel = None,
) -> Response:
    """Return how many parts were bad, with which defects, and a p-chart over time, of whole samples."""
    span = _span(since, until)
    served = None if model is None else service.models.named(model)
    names = service.models.classes if served is None else served.classes
    return json_answer(await service.query(lambda: _statistics(service.store, span, points, names, nelson, model)))


@router.get(
    "/inspections.csv",
    response_class=StreamingResponse,
    responses=_REFUSALS | {200: {"content": {"text/csv": {}}, "description": "UTF-8 with a byte order mark"}},
)
async def download(
    service: Parts,
    since: Since = None,
    until: Until = None,
    rows: Annotated[
        Literal["inspections", "detections", "corrections"], Query(description="one row for each of these")
    ] = "inspections",
    model: OfModel = None,
) -> Response:
    """Return past inspections as CSV for spreadsheets, the oldest first."""
    span = _span(since, until)

    def begin() -> tuple[bytes, Iterator[bytes]]:
        columns, rows_of = TABLES[rows]
        chunks = csv_chunks(columns, rows_of(service.store.export(span, model)))
        return next(chunks), chunks

    first, rest = await service.query(begin)  # a database that cannot be reached is reported before the answer starts
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    headers = {"content-disposition": f'attachment; filename="lightdet-{rows}-{stamp}.csv"'}
    return StreamingResponse(itertools.chain([first], rest), media_type="text/csv; charset=utf-8", headers=headers)


def _span(since: datetime | None, until: datetime | None) -> Span:
    times = [_milliseconds(value) for value in (since, until)]
    if times[0] is not None and times[1] is not None and times[0] >= times[1]:
        raise RefusalError(422, "bad_parameter", "since: must be before until")
    return Span(*times)


def _milliseconds(value: datetime | None) -> int | None:
    if value is None:
        return None
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    # Rounded up, which leaves the same records before it; but never into a year that cannot be written back.
    since_first = -((_FIRST - aware) // _MILLISECOND)
    return min(max(since_first, 0), (_LAST - _FIRST) // _MILLISECOND) + _FIRST_MS


def _statistics(
    store: Store, span: Span, points: int, names: Sequence[str], nelson: bool, model: str | None
) -> dict[str, Any]:
    inspected, rejected, first, last = store.totals(span, model)
    counts = store.by_class(span, model)
    return {
        "since": _iso(span.since_ms),
        "until": _iso(span.until_ms),
        "inspected": inspected,
        "rejected": rejected,
        "share": rejected / inspected if inspected else None,
        "overridden": store.overridden(span, model),
        "classes": [
            {"name": name, "defects": counts.get(name, (0, 0))[0], "pictures": counts.get(name, (0, 0))[1]}
            for name in dict.fromkeys([*names, *sorted(counts)])
        ],
        "chart": _chart(
            Samples(WIDTHS[0], (), None)
            if first is None or last is None
            else read_samples(store, span, first, last, _now(), points, model),
            nelson,
        ),
    }


def _chart(samples: Samples, nelson: bool) -> dict[str, Any]:
    chart = p_chart(samples.whole, nelson=nelson)
    return {
        "seconds": samples.width_ms / 1000,
        "center": chart.center,
        "spread": chart.spread,
        "left_out": chart.left_out,
        "unfinished": None if samples.unfinished is None else _counted(samples.unfinished),
        "points": [
            {
                **_counted(point.sample),
                "share": point.sample.share,
                "lower": point.lower,
                "upper": point.upper,
                "signal": point.signal,
                "rules": point.rules,
            }
            for point in chart.points
        ],
    }


def _counted(sample: Sample) -> dict[str, Any]:
    return {"time": iso_time(sample.start_ms), "inspected": sample.inspected, "rejected": sample.rejected}


def _iso(time_ms: int | None) -> str | None:
    return None if time_ms is None else iso_time(time_ms)


def _now() -> int:
    return time.time_ns() // 1_000_000
