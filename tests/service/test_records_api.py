"""History, statistics and CSV over HTTP."""

from __future__ import annotations

import csv
import io
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from colors import paint
from PIL import Image as Pil
from test_store import NOON, inspection

RED, BLUE = (0, 200, 10, 20, 50, 60), (2, 150, 60, 20, 90, 60)


def test_history_over_pages(served: Any) -> None:
    for number in range(5):
        served.detect(paint(RED) if number % 2 else paint(), name=f"part {number}")

    def get(**query: Any) -> tuple[list[str], str | None]:
        page = served.client.get("/api/inspections", params=query).json()
        return [result["name"] for result in page["results"]], page["before"]

    names, before = get(limit=3)
    assert names == ["part 4", "part 3", "part 2"] and before
    assert get(limit=3, before=before) == (["part 1", "part 0"], None)
    assert get(decision="NG")[0] == ["part 3", "part 1"]
    assert get(**{"class": "red"})[0] == get(defect="red")[0] == ["part 3", "part 1"]
    assert get(name="part 2")[0] == ["part 2"]
    assert get(until="2001-01-01")[0] == []


def test_small_pictures(served: Any, start: Any) -> None:
    large = paint(RED, size=(1000, 500))
    result = served.detect(large).json()["results"][0]
    response = served.client.get(f"/api/inspections/{result['id']}/thumbnail")
    small = Pil.open(io.BytesIO(response.content))
    assert (response.headers["content-type"], small.format, small.size) == ("image/jpeg", "JPEG", (240, 120))
    assert "immutable" in response.headers["cache-control"]
    assert Pil.open(io.BytesIO(_thumbnail(served, paint(size=(50, 20))))).size == (50, 20)
    without = start(thumbnails=False)
    identity = without.detect(large).json()["results"][0]["id"]
    assert without.client.get(f"/api/inspections/{identity}/thumbnail").status_code == 404


def _thumbnail(served: Any, data: bytes) -> bytes:
    identity = served.detect(data).json()["results"][0]["id"]
    content: bytes = served.client.get(f"/api/inspections/{identity}/thumbnail").content
    return content


def test_statistics(served: Any) -> None:
    hour = 3_600_000
    entries = [inspection(NOON + i * 60_000, *(["red"] if i % 10 == 0 else [])) for i in range(120)]
    entries += [inspection(NOON + 2 * hour + i * 60_000, "red", "=blue+") for i in range(30)]
    served.service.store.insert(entries)
    found = served.client.get(
        "/api/statistics", params={"since": "2026-01-01T12:00:00Z", "until": "2026-01-02", "points": 3}
    ).json()
    assert (found["inspected"], found["rejected"], found["share"]) == (150, 42, 0.28)
    assert found["classes"] == [
        {"name": "red", "defects": 42, "pictures": 42},
        {"name": "green", "defects": 0, "pictures": 0},
        {"name": "=blue+", "defects": 30, "pictures": 30},
    ]
    chart = found["chart"]
    assert (chart["seconds"], chart["center"]) == (3600, 0.28)
    assert [(p["time"], p["inspected"], p["rejected"], p["signal"]) for p in chart["points"]] == [
        ("2026-01-01T12:00:00.000Z", 60, 6, True),
        ("2026-01-01T13:00:00.000Z", 60, 6, True),
        ("2026-01-01T14:00:00.000Z", 30, 30, True),
    ]
    assert round(chart["points"][0]["upper"], 4) == 0.4539  # 0.28 + 3 sqrt(0.28 * 0.72 / 60)
    assert served.client.get("/api/statistics").json()["inspected"] == 150
    before = served.client.get("/api/statistics", params={"until": "2020-01-01"}).json()
    assert (before["inspected"], before["share"], before["chart"]["points"]) == (0, None, [])


def test_of_what_was_done_now(served: Any) -> None:
    for data in (paint(RED), paint(RED, BLUE), paint()):
        served.detect(data)
    since = datetime.fromtimestamp(time.time() - 60, UTC).isoformat()
    found = served.client.get("/api/statistics", params={"since": since}).json()
    assert (found["inspected"], found["rejected"]) == (3, 2)
    chart = found["chart"]
    rest = [] if chart["unfinished"] is None else [chart["unfinished"]]
    assert sum(point["inspected"] for point in [*chart["points"], *rest]) == 3


@pytest.mark.parametrize("address", ["statistics", "inspections", "inspections.csv"])
def test_the_first_and_last_times_that_there_are(shared: Any, address: str) -> None:
    """What other languages give for "from the beginning" and "without end"."""
    shared.service.store.insert([inspection(NOON)])
    lasts = ["9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999-14:00"]
    firsts = ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "0001-01-01"]
    for since, until in zip(firsts, lasts, strict=True):
        answer = shared.client.get(f"/api/{address}", params={"since": since, "until": until})
        assert answer.status_code == 200, answer.text
        if address == "statistics":
            told = answer.json()
            assert told["inspected"] and told["until"].startswith("9999-12-31T23:59:59.99")
            assert told["since"] == "0001-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=2026-01-02&until=2026-01-01", "points=0", "limit=1000", "decision=MAYBE"]
)
def test_wrong_questions(shared: Any, query: str) -> None:
    path = "/api/inspections" if "limit" in query or "decision" in query else "/api/statistics"
    response = shared.client.get(f"{path}?{query}")
    assert response.status_code == 422 and response.json()["error"]["code"] == "bad_parameter"


@pytest.mark.parametrize("moment", ["2026", "20261122", "-1", "1.5", "1.5e9", "+1E9", "1_000", "inf", "nan"])
def test_a_number_is_no_day(shared: Any, moment: str) -> None:
    # It would be taken for seconds since 1970, and everything since then be told.
    response = shared.client.get("/api/inspections", params={"since": moment})
    assert response.status_code == 422
    assert response.json()["error"]["message"].startswith("since: write a day as 2026-11-22")
    assert shared.client.get("/api/inspections?since=2026-11-22").status_code == 200


@pytest.mark.parametrize("parameter", ["name", "class", "model", "station", "order", "text"])
@pytest.mark.parametrize("text", ["\0", "a\0b"])
def test_a_null_character_is_in_no_text(shared: Any, parameter: str, text: str) -> None:
    # To PostgreSQL it is no text at all, and the database would seem away.
    response = shared.client.get("/api/inspections", params={parameter: f"{text}xyz"})
    assert response.status_code == 422
    assert response.json()["error"]["message"] == f"{parameter}: holds a null character; leave it out"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "/api/inspections?decison=NG",
            "known here: limit, before, since, until, decision, class, model, station, order, sha256, text, name",
        ),
        ("/api/statistics?point=3", "known here: since, until, points"),
        ("/api/inspections.csv?limit=3", "known here: since, until, rows"),
        (f"/api/inspections/{'0' * 32}?x=1", "none is known here"),
        ("/api/inspections?limit=3&limit=4", "limit: given more than once"),
    ],
)
def test_parameters_that_nobody_reads_are_refused(shared: Any, address: str, message: str) -> None:
    response = shared.client.get(address)
    assert response.status_code == 422 and response.json()["error"]["code"] == "bad_parameter"
    assert message in response.json()["error"]["message"]


def rows_of(served: Any, **query: Any) -> list[dict[str, str]]:
    response = served.client.get("/api/inspections.csv", params=query)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"].startswith('attachment; filename="lightdet-')
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"), newline="")))


def test_csv(served: Any) -> None:
    served.detect(paint(RED, BLUE), name="=1+1")
    served.detect(paint(), name="@good")
    parts = rows_of(served)
    assert [(row["name"], row["decision"], row["defects"]) for row in parts] == [
        ("'=1+1", "NG", "2"), ("'@good", "OK", "0"),
    ]  # fmt: skip
    assert parts[0]["defect_classes"] == "red;'=blue+"
    found = rows_of(served, rows="detections")
    assert [(row["class"], row["x1"], row["defect"]) for row in found] == [
        ("red", "10.0", "1"),
        ("'=blue+", "60.0", "1"),
    ]
    assert rows_of(served, until="2001-01-01") == []


def test_the_description_of_the_api(shared: Any) -> None:
    api = shared.client.get("/openapi.json").json()
    assert {"/api/detect", "/api/mark", "/api/model", "/api/inspections", "/api/statistics", "/metrics"} <= set(
        api["paths"]
    )
    detect = api["paths"]["/api/detect"]["post"]
    assert set(detect["requestBody"]["content"]) == {"image/*", "application/octet-stream", "multipart/form-data"}
    assert {"200", "400", "413", "415", "422", "503"} <= set(detect["responses"])
    assert "ErrorAnswer" in detect["responses"]["422"]["content"]["application/json"]["schema"]["$ref"]


def test_the_description_says_where_a_key_is_asked_for(start: Any) -> None:
    for key in ("", "s3cret"):
        served = start(api_key=key)
        for _ in range(2):
            api = served.client.get("/openapi.json").json()
        assert api["components"]["securitySchemes"]["key"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
        for path, operations in api["paths"].items():
            for method, operation in operations.items():
                address = path.replace("{identity}", "0" * 32)
                with served.client.stream(method, address) as answer:  # the live one does not end
                    asked = answer.status_code == 401
                assert asked == ("security" in operation), (path, method)


def test_the_pages_files(shared: Any) -> None:
    page = shared.client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for name in ("app.js", "page.css", "icon.svg", "viewer.js", "docs.js"):
        file = shared.client.get(f"/static/{name}")
        assert file.status_code == 200 and "http://" not in file.text.replace("http://www.w3.org", "").replace(
            "https://", "http://"
        )
        again = shared.client.get(f"/static/{name}", headers={"if-none-match": file.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
