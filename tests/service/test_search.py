"""Finding inspections by each of their fields, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_store import NOON, inspection

from lightdet.service.inspection import ModelIdentity, Origin
from lightdet.service.records import search
from lightdet.service.records.store import Span, Store, Wanted

MODELS = [ModelIdentity(name, digit * 12, digit * 64) for name, digit in (("best", "a"), ("best", "b"), ("old", "c"))]
FIELDS: dict[str, list[Any]] = {
    "decision": ["OK", "NG"],
    "defect": ["dent", "scratch", "none of these"],
    "model": ["best", "old", "a" * 12, "b" * 64, "nobody"],
    "station": ["S1", "S2", "S3"],
    "order": ["4711", "4712", "4713"],
    "sha256": ["0" * 64, "1" * 64, "f" * 64],
    "text": ["Part", "ART 1", "47", "S1", "%", "nothing like it"],
    "name": ["part 1", "art", "x"],
}


def entries() -> list[Any]:
    return [
        inspection(
            NOON + i, *(["dent"] if i % 5 == 0 else []), *(["scratch"] if i % 7 == 0 else []), name=f"part {i}",
            weak="none of these", model=MODELS[i % 3], sha256=str(i % 2) * 64,
            origin=Origin("k", "operator", f"S{i % 2 + 1}" if i > 30 else "S1", "4711" if i < 40 else "4712"),
        )
        for i in range(60)
    ]  # fmt: skip


def meets(record: dict[str, Any], field: str, value: str) -> bool:
    """What a filter means, in plain words."""
    defects = {each["name"] for each in record["detections"] if each["defect"]}
    texts = "\n".join((record["name"], record["station"], record["order"])).lower()
    return {
        "decision": lambda: record["decision"] == value,
        "defect": lambda: value in defects,
        "model": lambda: value in record["model"].values(),
        "station": lambda: record["station"] == value,
        "order": lambda: record["order"] == value,
        "sha256": lambda: record["sha256"] == value,
        "text": lambda: value.lower() in texts,
        "name": lambda: value in record["name"],
    }[field]()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = str(tmp_path_factory.mktemp("search") / "i.sqlite3")
    if request.param == "postgresql":
        path = request.getfixturevalue("postgres_cluster").new_database("search")
    store = Store(path)
    store.insert(entries())
    yield store
    store.close()


@given(st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in FIELDS.items()}), st.data())
@settings(max_examples=150, deadline=None)
def test_what_is_found_is_what_is_meant(filled: Store, wanted: dict[str, str], data: st.DataObject) -> None:
    everything = filled.history(Span(), limit=100)
    span = data.draw(st.sampled_from([Span(), Span(NOON + 20), Span(NOON + 10, NOON + 40), Span(until_ms=NOON + 50)]))
    limit = data.draw(st.sampled_from([1, 7, 100]))
    with pytest.MonkeyPatch.context() as patched:  # as small as it takes to look at more than the latest
        patched.setattr(search, "_FIRST_STEP", data.draw(st.sampled_from([1, 5, 2000])))
        found = filled.history(span, Wanted(**wanted), limit=limit)
        again = filled.history(span, Wanted(**wanted), limit=100, before=found[-1]["id"]) if found else []
    meant = [
        record for record in everything
        if (span.since_ms or 0) <= record["time_ms"] < (span.until_ms or 2**48)
        and all(meets(record, field, value) for field, value in wanted.items())
    ]  # fmt: skip
    assert [each["id"] for each in found] == [each["id"] for each in meant][:limit]
    assert [each["id"] for each in found + again] == [each["id"] for each in meant]


def test_a_search_over_http(start: Any) -> None:
    served = start()
    served.service.store.insert(entries())

    def names(**query: Any) -> list[str]:
        answer = served.client.get("/api/inspections", params=query)
        assert answer.status_code == 200, answer.text
        return [each["name"] for each in answer.json()["results"]]

    assert names(**{"class": "dent", "station": "S2", "order": "4711"}) == ["part 35"]
    assert names(text="RT 12") == ["part 12"] and names(sha256="1" * 64, limit=1) == ["part 59"]
    assert names(model="c" * 64, until="2026-01-01T12:00:00.003Z") == ["part 2"]
    assert names(station="S9") == names(order="1") == names(model="x") == names(sha256="a" * 64) == []
    for wrong in ({"text": "ab"}, {"sha256": "ab"}, {"station": "x" * 101}, {"class": "a", "defect": "a"}):
        assert served.client.get("/api/inspections", params=wrong).status_code == 422
