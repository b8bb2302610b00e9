"""A promise that is suspended as the pictures have changed: told everywhere, kept over a restart, ended by an act."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from colors import ColorRuntime, encode
from page_browser import Open
from running_service import Running
from test_serve_process import Process, begin  # noqa: F401 - a fixture

from lightdet.decisions.promise import Promise
from lightdet.drift import kept
from lightdet.drift.kept import Watched
from lightdet.drift.monitor import Look, Suspension
from lightdet.drift.reference import Reference
from lightdet.drift.statistics import VERSION
from lightdet.inference.predictor import Predictor
from lightdet.inference.watching import look_at
from lightdet.service.alarms import Alarm
from lightdet.service.control import Loaded, LoadedModel, Standing
from lightdet.service.records.store import Store
from lightdet.service.served_promise import ServedPromises
from lightdet.service.watch import PromiseWatch

MOVED = Suspension("focus", 12.0, 9.0, 210, 216)
PROMISE = Promise("escape_rate", 0.02, 0.95)


def picture(random: np.random.Generator, light: float = 60.0) -> np.ndarray:
    levels = random.normal(light + random.normal(0, 4), 6, (96, 128, 1))
    return np.repeat(levels.clip(0, 255).astype(np.uint8), 3, axis=2)


def calibrated() -> dict[str, Any]:
    """The decision in the card of the tests' network, as if it had been calibrated on good pictures."""
    random, predictor = np.random.default_rng(1), Predictor(ColorRuntime(), confidence=0.1)
    rule = predictor.usual_rule()
    values = [look_at(image, predictor(image), rule, ok=True).values for image in (picture(random) for _ in range(60))]
    reference = Reference.of(values, "passed")
    assert reference is not None
    promise = {"rate": "escape_rate", "target": 0.02, "confidence": 0.95}
    conditions, kept = predictor.conditions.as_dict(), {"version": VERSION, **reference.as_dict()}
    return {"rule": rule.as_dict(), "promise": promise, "conditions": conditions, "reference": kept}


def standing(*values: Any) -> Standing:
    return Standing("colors", Watched(*values))


@pytest.fixture
def reference() -> Reference:
    values = np.random.default_rng(1).normal(size=(60, 2))
    found = Reference.of([{"focus": float(a), "light": float(b)} for a, b in values], "passed")
    assert found is not None
    return found


def made(folder: Path) -> str:
    """A database with its tables: the service makes it before anything else opens it."""
    database = str(folder / "i.sqlite3")
    Store(database).close()
    return database


FAR = Look(True, {"focus": 9.0, "light": 0.0})


def test_what_it_knows_survives_a_restart(tmp_path: Path, reference: Reference) -> None:
    database = made(tmp_path)
    one = PromiseWatch(database, "ab" * 32, reference)
    one.look(Look(True, {"focus": 0.0, "light": 0.0}))
    one.close()
    two = PromiseWatch(database, "ab" * 32, reference)
    assert two.status().compared == 1 and two.status().suspension is None
    found = [each for each in (two.look(FAR) for _ in range(60)) if each]
    assert [each.moved for each in found] == ["focus"]  # saved at once: nobody closes it
    three = PromiseWatch(database, "ab" * 32, reference)
    assert three.status().suspension == found[0]
    assert PromiseWatch(database, "cd" * 32, reference).status().suspension is None  # another model
    assert three.begin_anew() and PromiseWatch(database, "ab" * 32, reference).status() == Watched(
        None, 0, three.status().evidence
    )


@pytest.mark.parametrize("damage", [{"ratio": []}, {"joined": [[1]]}, {"seen": "many"}])
def test_a_suspension_survives_a_state_that_cannot_be_read(
    tmp_path: Path, reference: Reference, damage: dict[str, Any]
) -> None:
    database = made(tmp_path)
    watch = PromiseWatch(database, "ab" * 32, reference)
    assert any(watch.look(FAR) for _ in range(60))
    store = Store(database)
    store.keep_watch_state("ab" * 32, 1, {**store.watch_state("ab" * 32), **damage})
    store.close()
    assert PromiseWatch(database, "ab" * 32, reference).status().suspension == watch.status().suspension


def kept_suspension(database: str, reference: Reference) -> Suspension | None:
    """What a service that starts now says of it."""
    watch = PromiseWatch(database, "ab" * 32, reference)
    watch.close()
    return watch.status().suspension


def test_what_another_service_saves_ends_no_suspension(
    database: str, reference: Reference, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Store(database).close()
    monkeypatch.setattr(kept, "_SAVE_EVERY", 0.0)
    one, two = (PromiseWatch(database, "ab" * 32, reference) for _ in range(2))
    near = Look(True, {"focus": 0.0, "light": 0.0})
    two.look(near)
    two.due()
    found = [each for each in (one.look(FAR) for _ in range(60)) if each]
    for _ in range(3):
        two.look(near)
        two.due()
    assert two.status().suspension is None  # its own pictures have not changed
    assert caplog.text.count("a service that records into the same database has suspended it") == 1
    two.close()
    assert kept_suspension(database, reference) == found[0]
    # Begun anew at one of them: the other is suspended still, and a restart of it does not end that.
    again = PromiseWatch(database, "ab" * 32, reference)
    assert again.begin_anew()
    again.close()
    assert kept_suspension(database, reference) is None
    one.look(near)
    one.close()
    assert kept_suspension(database, reference) == found[0]


def test_a_watch_begun_anew_while_the_database_is_away_is_saved_when_it_is_back(
    tmp_path: Path, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = made(tmp_path)
    monkeypatch.setattr(kept, "_SAVE_EVERY", 0.0)
    watch = PromiseWatch(database, "ab" * 32, reference)
    assert any(watch.look(FAR) for _ in range(60))
    aside = Path(database).rename(tmp_path / "aside")
    assert not watch.begin_anew()
    aside.rename(database)
    watch.due()
    watch.close()
    assert kept_suspension(database, reference) is None


def test_a_state_that_could_not_be_read_at_the_start_is_not_forgotten(tmp_path: Path, reference: Reference) -> None:
    database = made(tmp_path)
    watch = PromiseWatch(database, "ab" * 32, reference)
    assert any(watch.look(FAR) for _ in range(60))
    watch.close()
    aside = Path(database).rename(tmp_path / "aside")
    blind = PromiseWatch(database, "ab" * 32, reference)
    aside.rename(database)
    blind.look(Look(True, {"focus": 0.0, "light": 0.0}))
    blind.close()
    assert kept_suspension(database, reference) == watch.status().suspension


def test_it_continues_without_a_database(tmp_path: Path, reference: Reference) -> None:
    database = made(tmp_path)
    watch = PromiseWatch(database, "ab" * 32, reference)
    Path(database).unlink()
    assert any(watch.look(FAR) for _ in range(60))
    assert watch.status().suspension is not None


def test_an_alarm_ends_with_the_model_that_was_suspended(tmp_path: Path, reference: Reference) -> None:
    """A receiver that was told of a suspension hears of its end, however it ends, and of one that is served again."""

    def loaded(digit: str, reference: Reference | None) -> Loaded:
        return Loaded((LoadedModel("part", digit, digit * 64, "detect", ("dent",), "0.5", reference),))

    rung: list[Alarm] = []
    promises = ServedPromises(made(tmp_path), lambda _: None, rung.append)
    one = loaded("1", reference)
    promises.serve(one)
    for _ in range(60):
        promises.look(one, "part", FAR)
    assert [(each.state, each.model) for each in rung] == [("on", "part")]
    for number, after in enumerate((loaded("2", reference), loaded("3", None))):
        promises.serve(after)
        assert [each.state for each in rung[1 + 2 * number :]] == ["off"]
        assert (rung[-1].kind, rung[-1].model) == ("promise_suspended", "part") and "another model" in rung[-1].text
        promises.serve(after)  # another worker has loaded it
        promises.serve(one)
        assert [each.state for each in rung[2 + 2 * number :]] == ["on"] and "focus" in rung[-1].text
    promises.close()
    again = ServedPromises(str(tmp_path / "i.sqlite3"), lambda _: None, rung.append)
    again.serve(one)  # as it was before the restart
    again.close()
    assert len(rung) == 5


@pytest.fixture
def suspended(start: Callable[..., Running], reference: Reference) -> Running:
    served = start()
    engine = served.engine
    engine._promise, engine.reference = PROMISE, reference
    served.service.watch(standing(None, 3, {"focus": 0.2}))
    return served


def test_answers_records_and_metrics_say_it(suspended: Running) -> None:
    data = encode(picture(np.random.default_rng(2)))
    label = suspended.client.get("/api/model").json()
    gauge = f'lightdet_promise_suspended{{model="{label["name"]}",version="{label["version"]}"}}'
    assert label["promise"]["holds"] and label["watch"]["compared"] == 3 and suspended.metric(gauge) == 0
    assert suspended.detect(data).json()["results"][0]["promise"]["holds"]
    suspended.service.watch(standing(MOVED, 216, {"focus": 1.0}))
    result = suspended.detect(data).json()["results"][0]
    told = {"holds": False, "suspended": True, "moved": "focus", "text": f"suspended: {MOVED.describe()}"}
    assert result["promise"] == told
    recorded = suspended.client.get(f"/api/inspections/{result['id']}").json()
    assert recorded["promise"] == told
    assert suspended.client.get("/api/model").json()["promise"] == told
    assert (
        suspended.metric(gauge) == 1
        and suspended.metric('lightdet_watch_evidence{model="colors",statistic="focus"}') == 1
    )
    assert suspended.client.post("/api/watch/anew").status_code == 409  # no parent process here


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("promise", [PROMISE, replace(PROMISE, estimated=True)], ids=["promise", "estimate"])
def test_the_page_says_it_in_large(suspended: Running, open_page: Open, scheme: str, promise: Promise) -> None:
    page = open_page(suspended.url, color_scheme=scheme)
    page.locator("#promise", has_text="at most 2 %").wait_for(
        timeout=30_000
    )  # not by a string: the page's policy forbids eval
    assert not page.is_visible("#suspended")
    suspended.service.watch(standing(MOVED, 216, {}))
    data = encode(picture(np.random.default_rng(2)))
    page.set_input_files("#files", {"name": "part.png", "mimeType": "image/png", "buffer": data})
    page.wait_for_selector("#suspended:visible", timeout=30_000)
    text = page.inner_text("#suspended")
    assert "The pictures have changed" in text and "focus fell from 12 to 9" in text
    suspended.engine._promise = promise
    suspended.service.watch(standing(None, 0, {}))
    page.set_input_files("#files", {"name": "part.png", "mimeType": "image/png", "buffer": data})
    page.wait_for_selector("#suspended", state="hidden", timeout=30_000)


@pytest.mark.skipif(os.name != "posix", reason="signals as in POSIX")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_service_suspends_its_promise(
    begin: Callable[..., Process],  # noqa: F811
    tmp_path: Path,
    workers: int,
) -> None:
    record = tmp_path / "record.json"
    record.write_text(json.dumps(calibrated()), encoding="utf-8")
    random = np.random.default_rng(3)

    def served() -> Process:
        (tmp_path / "ready.json").unlink(missing_ok=True)
        service = begin({"COLORS_RECORD": str(record)}, workers=workers, confidence=0.1)
        service.wait()
        return service

    def promise(service: Process, light: float) -> dict[str, Any]:
        answer = service.detect(encode(picture(random, light)))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["results"][0]["promise"]
        return found

    service = served()
    assert all(promise(service, 60.0)["holds"] for _ in range(30))
    deadline = time.monotonic() + 100
    while promise(service, 48.0)["holds"]:
        assert time.monotonic() < deadline
    wait_for(lambda: all("suspended" in promise(service, 48.0) for _ in range(6)))  # every worker knows
    assert "alarm on: the promise is suspended: " in service.text()
    assert service.end() == 0
    service = served()
    assert all("suspended" in promise(service, 60.0) for _ in range(6))  # from the first answer on
    assert "the promise is still suspended: " in service.text()
    answer = httpx.post(f"{service.url}api/watch/anew", timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"recorded": True})
    wait_for(lambda: all(promise(service, 60.0)["holds"] for _ in range(6)))
    assert service.end() == 0
    connection = sqlite3.connect(tmp_path / "i.sqlite3")
    rows = connection.execute("SELECT sha256, before FROM model_changes ORDER BY id").fetchall()
    connection.close()
    assert [before for _, before in rows] == [None, None, rows[0][0]]  # two starts, and a watch begun anew


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
