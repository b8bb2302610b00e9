"""The whole interface against its own description: schemathesis with all its checks, in a short form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from colors import paint
from conftest import running

from lightdet.service.settings import Settings

schemathesis = pytest.importorskip("schemathesis", reason="the interface is tested with schemathesis")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis.errors import Unsatisfiable  # noqa: E402

KEY = {"x-api-key": "s3cret"}
# What JSON Schema cannot say: that bytes are a picture, and that one time lies before another; nor that a form's fields
# are text, whatever they look like, nor that each character of a note can be printed.
PICTURES = ["/api/detect", "/api/mark"]
USUAL = ["2xx", 401, 403, 404, 409]
ALLOWED = {
    400: PICTURES,
    413: PICTURES,
    415: PICTURES,
    422: [
        *PICTURES,
        "/api/inspections",
        "/api/inspections.csv",
        "/api/inspections/{identity}/corrections",
        "/api/statistics",
    ],
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, model_file: Any) -> Iterator[Any]:
    database = str(tmp_path_factory.mktemp("interface") / "i.sqlite3")
    with running(Settings(model_file, port=0, database=database, api_key=KEY["x-api-key"])) as served:
        served.client.post("/api/detect", content=paint(), headers=KEY)
        operations = [
            {
                "include-path": path,
                "checks": {
                    "positive_data_acceptance": {
                        "expected-statuses": USUAL + [status for status, paths in ALLOWED.items() if path in paths]
                    },
                    **({"negative_data_rejection": {"expected-statuses": ["2xx", "4xx"]}} if path in PICTURES else {}),
                },
            }
            for path in sorted({path for paths in ALLOWED.values() for path in paths})
        ]
        key = KEY["x-api-key"]
        given = {"openapi": {"key": {"api_key": key}, "bearer": {"bearer": key}}}
        config = schemathesis.Config.from_dict(
            {"operations": operations, "auth": given, "seed": 1, "request-timeout": 60}
        )
        schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json", config=config, timeout=60)
        yield schema.exclude(path="/api/live")  # which has no end; see test_live_events


SHORT = settings(
    max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
)
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_every_answer_is_as_described(api: Any, mode: Any) -> None:
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) >= 10
    for operation in operations:

        @SHORT
        @given(case=operation.as_strategy(generation_mode=mode))
        def validate(case: Any) -> None:
            case.call_and_validate()

        try:
            validate()
        except Unsatisfiable:  # nothing about this address could be wrong
            assert mode is MODES[1] and not operation.query and not operation.body
