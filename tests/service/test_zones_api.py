"""Zones in the service: answers, records and the model's facts name them."""

from __future__ import annotations

import csv
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from colors import paint
from running_service import Running
from test_serve_process import Process

from lightdet.assembly.zones import read_zones, zones_text
from lightdet.decisions.promise import Promise
from lightdet.decisions.zones import Zone, Zones
from lightdet.service.keys import Key

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
CORNER = ((0.0, 0.0), (0.2, 0.0), (0.2, 0.2), (0.0, 0.2))
ZONES = Zones((Zone("left", LEFT, thresholds={"red": 0.6}), Zone("label", CORNER, ignore=True)))
ON_LABEL, IN_LEFT, BEYOND = (0, 200, 4, 4, 20, 20), (0, 120, 60, 60, 90, 90), (0, 250, 200, 10, 230, 60)


@pytest.fixture
def zoned(start: Callable[..., Running]) -> Running:
    return start(zones=ZONES)


def test_only_what_lies_in_its_zones_is_a_defect(zoned: Running) -> None:
    def decision(*patches: tuple[int, ...]) -> str:
        return str(zoned.detect(paint(*patches)).json()["decision"])

    assert decision(ON_LABEL) == decision(BEYOND) == decision(ON_LABEL, BEYOND) == "OK"
    assert decision(IN_LEFT) == "OK"  # 0.47, and there red needs 0.6
    assert decision((1, 120, 60, 60, 90, 90)) == decision((0, 200, 60, 60, 90, 90)) == "NG"


def test_answers_and_records_name_the_zones(zoned: Running) -> None:
    (sent,) = zoned.detect(paint((0, 200, 60, 60, 90, 90), BEYOND)).json()["results"]
    assert [(each["name"], each["zones"], each["defect"]) for each in sent["detections"]] == [("red", ["left"], True)]
    assert sent["zones"] == ZONES.digest and sent["rule"]["zones"] == {"left": {"red": 0.6}}
    recorded = zoned.client.get(f"/api/inspections/{sent['id']}").json()
    assert {key: recorded[key] for key in ("zones", "rule", "promise", "detections")} == {
        key: sent[key] for key in ("zones", "rule", "promise", "detections")
    }
    for rows, column in (("detections", "zones"), ("inspections", "defect_zones")):
        text = zoned.client.get("/api/inspections.csv", params={"rows": rows}).content.decode("utf-8-sig")
        assert [row[column] for row in csv.DictReader(text.splitlines()) if row["id"] == sent["id"]] == ["left"]
    model = zoned.client.get("/api/model").json()
    assert model["zones"] == {"digest": ZONES.digest, **ZONES.as_dict()}


def test_without_zones_nothing_is_said(shared: Running) -> None:
    (sent,) = shared.detect(paint(IN_LEFT)).json()["results"]
    assert sent["zones"] is None and "zones" not in sent["detections"][0] and "zones" not in sent["rule"]
    assert shared.client.get("/api/model").json()["zones"] is None


def test_a_picture_that_zones_in_pixels_do_not_fit_is_refused(start: Callable[..., Running]) -> None:
    corners = ((0, 0), (100, 0), (100, 100))
    service = start(zones=Zones((Zone("a", corners),), size=(256, 192)))
    assert service.detect(paint(BEYOND)).json()["decision"] == "OK"
    refused = service.detect(paint(BEYOND, size=(256, 200)))
    assert refused.status_code == 422 and "256 x 192, and this one has 256 x 200" in refused.json()["error"]["message"]


def test_drawn_zones_become_a_file_or_are_refused_in_words(zoned: Running) -> None:
    def check(values: object) -> httpx.Response:
        return zoned.client.post("/api/zones/check", json=values)

    answer = check(ZONES.as_dict())
    assert answer.status_code == 200 and answer.json()["digest"] == ZONES.digest
    assert "without --zones FILE" in answer.json()["why_not_saved"]
    assert answer.json()["yaml"].startswith('units: share\nzones:\n  - name: "left"\n    look: [[0.0, 0.0]')
    bow_tie = {"name": "a", "look": [[0, 0], [1, 1], [1, 0], [0, 1]]}
    for zones, words in (
        ([bow_tie], "zone 'a' meets itself"),
        ([{"name": "a"}], "needs a polygon"),
        ([{"name": "a", "look": [[0, 0], [1, 1], [1, 0]], "classes": ["dent"]}], "names the class 'dent'"),
    ):
        refused = check({"units": "share", "zones": zones})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "bad_zones")
        assert words in refused.json()["error"]["message"]


def test_only_some_roles_may_change_zones_and_no_promise_is_dropped(
    start: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tuple(Key(role, role, hashlib.sha256(role.encode()).hexdigest()) for role in ("operator", "engineer"))
    service = start(zones=ZONES, zones_file=tmp_path / "zones.yaml", keys=keys)

    def change(role: str) -> tuple[int, str]:
        answer = service.client.post("/api/zones/change", json=ZONES.as_dict(), headers={"x-api-key": role})
        return answer.status_code, answer.json()["error"]["message"]

    assert change("operator") == (
        403,
        "to change the zones, the key needs the role integrator or engineer; 'operator' has the role operator",
    )
    status, why = change("engineer")
    assert status == 409 and "start it again" in why  # in the tests there is no parent process
    monkeypatch.setattr(service.engine, "_promise", Promise("escape_rate", 0.02, 0.95))
    status, why = change("engineer")
    assert status == 409 and "would end the promise" in why and not (tmp_path / "zones.yaml").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals as in POSIX")
def test_saved_zones_take_over_and_those_of_a_file_are_read_again(tmp_path: Path) -> None:
    model, file = tmp_path / "part.onnx", tmp_path / "zones.yaml"
    model.write_bytes(b"one lightdet_sha256")
    file.write_text(zones_text(ZONES), encoding="utf-8")
    service = Process(tmp_path, model, {}, zones_file=str(file))

    def decided_by(zones: Zones) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = service.detect(paint(BEYOND)).json()
            if answer["results"][0]["zones"] == zones.digest:
                return str(answer["decision"])
        return "never"

    try:
        service.wait()
        assert decided_by(ZONES) == "OK"
        right = Zones((Zone("right", tuple((x + 0.5, y) for x, y in LEFT)),))
        answer = httpx.post(f"{service.url}api/zones/change", json=right.as_dict(), timeout=120)
        assert answer.json() == {"digest": right.digest} and decided_by(right) == "NG"
        assert read_zones(file) == right
        file.write_text("units: shares\n", encoding="utf-8")
        answer = httpx.post(f"{service.url}api/model/change", timeout=120)
        assert answer.status_code == 409 and "zones.yaml" in answer.text and decided_by(right) == "NG"
        file.write_text(f"# by hand\n{zones_text(ZONES)}", encoding="utf-8")
        assert httpx.post(f"{service.url}api/model/change", timeout=120).status_code == 200
        assert decided_by(ZONES) == "OK" and file.read_text(encoding="utf-8").startswith("# by hand")
    finally:
        service.process.kill()
        service.process.wait()
