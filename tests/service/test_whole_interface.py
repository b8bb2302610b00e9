"""The whole interface against its own description: schemathesis with all its checks, in a short form and a long one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from colors import paint
from one_model import one_model
from PIL import Image as Pil
from running_service import running

from lightdet.service.model_settings import ModelSettings

schemathesis = pytest.importorskip("schemathesis", reason="the interface is tested with schemathesis")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.errors import Unsatisfiable  # noqa: E402

KEY = {"x-api-key": "s3cret"}
STATES = ["2xx", 403, 404, 409]
"""What the service may say to what its description allows: it depends on how it was started, and on the records."""
NEGATIVE_BODIES = ["/api/detect", "/api/mark"]
"""A form's fields are text, and files are bytes: what JSON Schema calls wrong there may be a picture."""
MEANINGS = ["/api/zones/check", "/api/zones/change", "/api/inspections/{identity}/corrections"]
"""Which polygons cross themselves, and which boxes lie in a picture, JSON Schema cannot say."""


def saved(kind: str) -> bytes:
    file = io.BytesIO()
    Pil.new("RGB", (20, 10), "red").save(file, kind)
    return file.getvalue()


PICTURES = st.sampled_from([paint(), paint((0, 200, 10, 20, 50, 60)), *map(saved, ("JPEG", "BMP", "TIFF", "WEBP"))])


def in_order(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """What JSON Schema cannot say: that one time lies before another, and that a parameter has a new name."""
    if not query:
        return query
    left_out = {"defect"} if "class" in query else set()
    times = ("since", "until")
    if all(isinstance(query.get(name), str) for name in times) and query["since"] >= query["until"]:
        left_out.add("until")
    return {name: value for name, value in query.items() if name not in left_out}


def said_once(context: Any, case: Any) -> Any:
    """Nor that a form does not contradict the headers, and names its pictures itself."""
    if isinstance(case.body, dict):
        (case.query or {}).pop("name", None)
        for field, header in (("station", "X-Station"), ("order", "X-Order")):
            if field in case.body:
                case.headers.pop(header, None)
    return case


@pytest.fixture(
    scope="module", params=[pytest.param(1, id="one model"), pytest.param(2, id="two models", marks=pytest.mark.slow)]
)
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_file: Any) -> Iterator[Any]:
    database = str(tmp_path_factory.mktemp("interface") / "i.sqlite3")
    for kind in ("image/*", "application/octet-stream"):
        schemathesis.openapi.media_type(kind, PICTURES)
    schemathesis.openapi.format("binary", PICTURES)  # what bytes are a picture, JSON Schema cannot say either
    given = one_model(model_file, port=0, database=database, api_key=KEY["x-api-key"])
    if request.param == 2:
        named = (ModelSettings(model_file, name, threshold=value) for name, value in (("surface", 0.3), ("shape", 0.6)))
        given = replace(given, models=tuple(named))
    with running(given) as served:
        params = {"model": "surface"} if request.param == 2 else {}
        answer = served.client.post("/api/detect", content=paint(), params=params, headers=KEY)
        assert answer.status_code == 200
        key = KEY["x-api-key"]
        given = {"openapi": {"key": {"api_key": key}, "bearer": {"bearer": key}}}
        checks = {"positive_data_acceptance": {"expected-statuses": STATES}}
        loose = {"negative_data_rejection": {"expected-statuses": ["2xx", "4xx"]}}
        any_meaning = {"positive_data_acceptance": {"expected-statuses": [*STATES, 422]}}
        config = schemathesis.Config.from_dict(
            {
                "checks": checks,
                "operations": [
                    *({"include-path": path, "checks": loose} for path in NEGATIVE_BODIES),
                    *({"include-path": path, "checks": any_meaning} for path in MEANINGS),
                ],
                "auth": given,
                "seed": 1,
                "request-timeout": 60,
            }
        )
        schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json", config=config, timeout=60)
        schema.hooks.hook("map_query")(in_order)
        schema.hooks.hook("map_case")(said_once)
        yield schema.exclude(path="/api/live")  # which has no end; see test_live_events


SLOW = [pytest.mark.slow, pytest.mark.timeout(3600)]
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("cases", [5, pytest.param(500, marks=SLOW)])
def test_every_answer_is_as_described(api: Any, mode: Any, cases: int) -> None:
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) >= 10
    for operation in operations:

        @settings(
            max_examples=cases,
            phases=[Phase.generate],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def validate(case: Any) -> None:
            case.call_and_validate()

        try:
            validate()
        except Unsatisfiable:  # nothing about this address could be wrong
            assert mode is MODES[1] and not operation.query and not operation.body


def test_a_body_that_cannot_be_taken_may_be_answered_everywhere(api: Any) -> None:
    """400 is the answer to bytes that are no JSON, and others to what is too large, so whoever takes it names them."""
    takers = [
        (path, found["responses"])
        for path, methods in api.raw_schema["paths"].items()
        for found in methods.values()
        if "application/json" in found.get("requestBody", {}).get("content", {})
    ]
    assert len(takers) >= 3
    assert [path for path, responses in takers if not {"400", "408", "413", "503"} <= set(responses)] == []
