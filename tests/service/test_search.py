"""Finding inspections by each of their fields, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event
from test_store import NOON, inspection

from lightdet.service.inspection import ModelIdentity, Origin
from lightdet.service.records import search
from lightdet.service.records.store import Span, Store, Wanted
from lightdet.service.records.tables import inspections

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
@settings(max_examples=75, deadline=None)
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


NAMES = ["MÜLLER-17", "Ätzung 3", "ПЛАТА 12", "ΟΔΟΣΑ", "ꭰꭱꭲ", "部品三", "100 %Ü_"]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(str(tmp_path_factory.mktemp("names") / "i.sqlite3"))
    store.insert([inspection(NOON + i, name=each) for i, each in enumerate(NAMES)])
    store.insert([inspection(NOON + 99, name="x", origin=Origin("k", "operator", "HÖHLE", "Ö-7"))])
    yield store
    store.close()


@given(st.sampled_from(NAMES), st.data())
@settings(max_examples=60, deadline=None)
def test_letters_of_any_alphabet_are_found_in_upper_and_lower_case(
    named: Store, name: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(name) - 3))
    part = name[start : data.draw(st.integers(start + 3, len(name)))]
    part = "".join(data.draw(st.sampled_from([each.upper(), each.lower()])) for each in part)
    with pytest.MonkeyPatch.context() as patched:  # by reading, and by the index
        patched.setattr(search, "_FIRST_STEP", data.draw(st.sampled_from([1, 2000])))
        for wanted in (Wanted(text=part), Wanted(name=part)):
            assert [each["name"] for each in named.history(Span(), wanted, limit=9)] == [name]
    assert [each["name"] for each in named.history(Span(), Wanted(text="höhle"), limit=9)] == ["x"]


ROWS = 20_000
"""The older half has another model and station; only the oldest tenth has bad parts, all of one class."""


@pytest.fixture(scope="module")
def drifted(postgres_cluster: Any) -> Iterator[Store]:
    store = Store(postgres_cluster.new_database("drifted"), patient=True)
    store.insert([inspection(NOON - 1, "dent")])
    columns = [column.name for column in inspections.columns]
    changed = {
        "id": "lpad(to_hex(n), 12, '0') || repeat('0', 20)",
        "time_ms": "n",
        "model": f"CASE WHEN n < {ROWS // 2} THEN 'old' ELSE 'new' END",
        "station": f"CASE WHEN n < {ROWS // 2} THEN 'S1' ELSE 'S2' END",
        "order_number": "'A' || (n / 100)",
        "decision": f"CASE WHEN n < {ROWS // 10} AND n % 2 = 0 THEN 'NG' ELSE 'OK' END",
        "seq": "n + 100",
    }
    values = ", ".join(changed.get(name, name) for name in columns)
    with store.database.engine.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO inspections ({', '.join(columns)}) SELECT {values} FROM inspections, "
            f"generate_series(1, {ROWS}) AS n"
        )
        connection.exec_driver_sql(
            "INSERT INTO detections SELECT id, 0, 'dent', 0, 0.9, 1, 2, 3, 4, true FROM inspections "
            "WHERE decision = 'NG' AND seq > 100"
        )
    engine = create_engine(store.database.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:  # as PostgreSQL does by itself after a minute
        connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()
    yield store
    store.close()


@pytest.mark.parametrize(
    "wanted",
    [
        {"model": "old"},
        {"model": "old", "station": "S1"},
        {"decision": "NG"},
        {"decision": "NG", "defect": "dent", "station": "S1"},
        {"defect": "dent"},
        {"defect": "dent", "model": "new"},
        {"station": "S1", "order": "A7"},
        {"station": "S1", "order": "A350"},
    ],
    ids=str,
)
def test_postgresql_reads_no_more_than_a_few_steps(
    drifted: Store, wanted: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its planner may think that what is common is everywhere, and read all from the latest on until it is found."""
    monkeypatch.setattr(search, "_FIRST_STEP", 50)  # to this table as the real ones are to millions of rows
    monkeypatch.setattr(search, "_LAST_STEP", 200)
    plans: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        plans.append((statement, parameters))

    with drifted.database.engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", note)
        search.history(connection, Span(), Wanted(**wanted), limit=20)
        event.remove(connection, "before_cursor_execute", note)
        looked_at = []
        for statement, parameters in plans:
            if "FROM corrections" in statement or "detections.inspection IN" in statement:
                continue  # what belongs to the inspections that were found
            [[plan]] = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            looked_at.append(scanned(plan[0]["Plan"]))
    assert max(looked_at) <= 4 * 200, looked_at


def scanned(plan: dict[str, Any]) -> float:
    """How many rows its scans of tables and indices went through."""
    mine = 0.0
    if "Scan" in plan["Node Type"] and "Subquery" not in plan["Node Type"]:
        mine = plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))
    return mine + sum(scanned(each) for each in plan.get("Plans", []))
