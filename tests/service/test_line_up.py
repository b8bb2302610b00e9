"""Several models in one service: each with its rule, chosen by name, recorded under it."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from colors import paint
from one_model import one_model
from PIL import Image as Pil
from running_service import Running, running
from test_classifier import RULE, Darkness
from test_model_change import ONE, TWO, digest
from test_serve_process import BAD, GOOD, Process
from test_store import NOON, inspection

from lightdet.card import ModelCard
from lightdet.errors import UserError
from lightdet.inference.classifier import ClassifierPredictor
from lightdet.models.weights import save_model
from lightdet.service.alarms import AlarmRules, Alarms
from lightdet.service.app import assemble
from lightdet.service.engine import Upload
from lightdet.service.inspection import ModelIdentity
from lightdet.service.label_studio import version_of
from lightdet.service.model_settings import ModelSettings
from lightdet.service.records.store import Span, Store
from lightdet.service.settings import Settings
from lightdet.structures import Preprocessing

WEAK = paint((0, 120, 10, 20, 50, 60))  # a score of 0.47
NAMES = "surface, shape"


def pair(settings: Settings, model: Path) -> Settings:
    """The same network twice: one takes the weak patch for a defect, the other does not."""
    models = (ModelSettings(model, "surface", threshold=0.3), ModelSettings(model, "shape", threshold=0.6))
    return replace(settings, models=models)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    database = str(tmp_path_factory.mktemp("two") / "i.sqlite3")
    with running(pair(one_model(model_file, port=0, database=database), model_file)) as served:
        yield served


def test_each_judges_by_its_rule_and_is_recorded(two: Running) -> None:
    said = {name: two.detect(WEAK, model=name, name=f"for {name}").json() for name in ("surface", "shape")}
    assert {name: each["decision"] for name, each in said.items()} == {"surface": "NG", "shape": "OK"}
    for name, each in said.items():
        [result] = each["results"]
        assert result["model"]["name"] == name
        found = two.client.get("/api/inspections", params={"model": name}).json()["results"]
        assert [record["name"] for record in found] == [f"for {name}"]
        assert found[0]["rule"]["threshold"] == result["rule"]["threshold"] == {"surface": 0.3, "shape": 0.6}[name]
    marked = two.client.post(
        "/api/mark", content=WEAK, params={"model": "shape"}, headers={"content-type": "image/png"}
    )
    assert marked.headers["x-decision"] == "OK"
    counts = {name: two.client.get("/api/statistics", params={"model": name}).json() for name in said}
    assert counts["surface"]["rejected"] >= 1 and counts["shape"]["rejected"] == 0 < counts["shape"]["inspected"]
    together = two.client.get("/api/statistics").json()["inspected"]
    assert together == sum(each["inspected"] for each in counts.values())
    rows = two.client.get("/api/inspections.csv", params={"model": "shape"}).text.splitlines()
    assert len(rows) == 1 + counts["shape"]["inspected"]
    for name, decision in (("surface", "NG"), ("shape", "OK")):
        assert two.metric(f'lightdet_inspections_total{{decision="{decision}",model="{name}"}}') >= 1


def test_which_one_is_never_guessed(two: Running) -> None:
    for ask in (
        lambda **q: two.detect(WEAK, **q),
        lambda **q: two.client.get("/api/model", params=q),
        lambda **q: two.client.post("/api/model/change", params=q),
        lambda **q: two.client.post("/api/watch/anew", params=q),
        lambda **q: two.client.post(
            "/api/zones/check",
            params=q,
            json={"units": "share", "zones": [{"name": "a", "look": [[0, 0], [1, 0], [1, 1]]}]},
        ),
    ):
        missing, unknown = ask(), ask(model="colour")
        assert (missing.status_code, missing.json()["error"]["code"]) == (422, "no_model")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_model")
        assert NAMES in missing.json()["error"]["message"] and NAMES in unknown.json()["error"]["message"]
    version = two.client.get("/api/model", params={"model": "shape"}).json()["version"]
    assert two.detect(WEAK, model=version).status_code == 422  # both are this file


def test_what_there_is_can_be_asked(two: Running) -> None:
    found = two.client.get("/api/models").json()["models"]
    assert [each["name"] for each in found] == ["surface", "shape"]
    assert two.client.get("/ready").json()["models"] == 2
    rules = [two.client.get("/api/model", params={"model": name}).json()["rule"] for name in ("surface", "shape")]
    assert [rule["threshold"] for rule in rules] == [0.3, 0.6]
    parameters = two.client.get("/openapi.json").json()["paths"]["/api/detect"]["post"]["parameters"]
    [model] = [each for each in parameters if each["name"] == "model"]
    assert model["required"] and model["schema"]["enum"] == ["surface", "shape"]


def test_the_only_model_need_not_be_named(shared: Running) -> None:
    facts = shared.client.get("/api/model").json()
    for asked in (facts["name"], facts["version"], facts["sha256"]):
        assert shared.client.get("/api/model", params={"model": asked}).json() == facts
        assert shared.detect(GOOD, model=asked).status_code == 200
    other = shared.detect(GOOD, model="0" * 12)
    assert (other.status_code, other.json()["error"]["code"]) == (404, "unknown_model")


def test_label_studio_names_one_in_the_address(two: Running) -> None:
    config = (
        '<View><Image name="i" value="$image"/><RectangleLabels name="l" toName="i">'
        '<Label value="red"/></RectangleLabels></View>'
    )
    version = two.client.get("/api/model", params={"model": "shape"}).json()["version"]
    for name, found in (("surface", 1), ("shape", 0)):
        task = {"data": {"image": f"data:image/png;base64,{_base64(WEAK)}"}}
        base = f"/api/label-studio/{name}"
        assert two.client.get(f"{base}/health").json()["model_class"] == f"lightdet {version_of(name, version)}"
        answer = two.client.post(f"{base}/predict", json={"tasks": [task], "label_config": config}).json()
        assert len(answer["results"][0]["result"]) == found
        assert answer["model_version"] == version_of(name, version)
    assert two.client.get("/api/label-studio/health").status_code == 422
    assert two.client.get("/api/label-studio/none/health").status_code == 404


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def test_boxes_of_a_correction_are_of_the_model_that_decided(two: Running) -> None:
    [result] = two.detect(WEAK, model="surface").json()["results"]
    for name, status in (("red", 201), ("dent", 422)):
        said = {"decision": "NG", "note": "so", "boxes": [{"name": name, "box": [10, 20, 50, 60]}]}
        answer = two.client.post(f"/api/inspections/{result['id']}/corrections", json=said)
        assert answer.status_code == status


def test_statistics_of_one_model(database: str) -> None:
    """Whatever others are on record beside it."""
    hour = 3_600_000

    def entries(model: str, defects: tuple[str, ...], times: range, **more: Any) -> list[Any]:
        identity = ModelIdentity(model, "ab" * 6, "ab" * 32)
        return [inspection(NOON + at, *defects, model=identity, **more) for at in times]

    mine = [
        *entries("a", ("dent", "dent"), range(0, 5 * hour, hour // 2)),
        *entries("a", (), range(1, 5 * hour, hour // 3)),
        *entries("a", ("dent",), range(2, hour, hour // 4), overridden=True),
    ]
    others = entries("b", ("dent", "stain"), range(3, 5 * hour, hour // 5))
    both = Store(database)
    try:
        both.insert(sorted([*mine, *others], key=lambda each: each.id))
        for span in (Span(), Span(NOON + 100), Span(NOON, NOON + 3 * hour), Span(NOON + 5, NOON + hour - 5)):
            within = [each for each in mine if (span.since_ms or 0) <= each.time_ms < (span.until_ms or 1 << 60)]
            counted = [each for each in within if not each.overridden]
            bad = [each for each in counted if each.decision == "NG"]
            assert both.totals(span, "a")[:2] == (len(counted), len(bad))
            assert both.overridden(span, "a") == len(within) - len(counted)
            assert both.by_class(span, "a") == ({"dent": (2 * len(bad), len(bad))} if bad else {})
            assert sum(each[1] for each in both.series(span, NOON, hour, "a")) == len(counted)
            assert both.totals(span, "none") == (0, 0, None, None)
            assert len(list(both.export(span, "a"))) == len(within)
    finally:
        both.close()


def test_two_of_one_name_are_refused(model_file: Path) -> None:
    with pytest.raises(UserError, match="two models are called 'a'"):
        Settings((ModelSettings(model_file, "a"), ModelSettings(model_file, "a")))


def test_a_detector_beside_a_classifier(tmp_path: Path) -> None:
    """Each answers in its own terms, under its own rule."""
    from colors import ColorRuntime, color_predictor

    card = ModelCard({"task": "classify", "name": "cnn"}, ("bad", "good"), Preprocessing(32))
    save_model(tmp_path / "classes.safetensors", {}, card)
    (tmp_path / "boxes.safetensors").write_bytes(b"the network of the tests is no file")

    def load(model: ModelSettings) -> Any:
        if model.called == "boxes":
            return color_predictor(ColorRuntime(), model)
        return ClassifierPredictor(Darkness(), decision={"rule": RULE}, path=model.model)

    models = tuple(ModelSettings(tmp_path / f"{name}.safetensors", name) for name in ("boxes", "classes"))
    service = assemble(Settings(models, database=str(tmp_path / "i.sqlite3")), load)
    file = io.BytesIO()
    Pil.fromarray(np.full((64, 64, 3), 51, np.uint8)).save(file, "png")
    try:
        said = {}
        for name in ("boxes", "classes"):
            [said[name]] = asyncio.run(service.models.choose(name).engine.inspect([Upload(file.getvalue(), "dark")]))
    finally:
        service.models.close()
        service.readers.shutdown()
        service.store.close()
    assert (said["boxes"].decision, said["classes"].decision) == ("OK", "NG")
    assert "bad" in said["classes"].rule and "min_size" in said["boxes"].rule
    assert said["classes"].model.name == "classes"


def test_bad_parts_in_a_row_are_counted_for_each_model() -> None:
    alarms = Alarms(AlarmRules(row=3), several=True)

    def part(model: str, decision: str) -> dict[str, Any]:
        return {"overridden": False, "decision": decision, "time_ms": 1, "model": {"name": model}}

    mixed = [part("a", "NG"), part("b", "OK"), part("a", "NG"), part("b", "NG")]
    assert alarms.inspected(mixed) == []
    [alarm] = alarms.inspected([part("a", "NG")])
    assert (alarm.model, alarm.text) == ("a", "a: 3 bad parts in a row")
    assert [each.model for each in alarms.inspected([part("b", "NG"), part("b", "NG")])] == ["b"]


# --- processes ------------------------------------------------------------------------------------------------------


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(**settings: Any) -> Process:
        started.append(Process(tmp_path, tmp_path / "none", {}, **settings))
        started[-1].wait()
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


@pytest.mark.skipif(os.name != "posix", reason="signals as in POSIX")
def test_a_damaged_file_leaves_all_models_as_they_are(begin: Callable[..., Process], tmp_path: Path) -> None:
    files = {name: tmp_path / name / "part.onnx" for name in ("surface", "shape")}
    for file in files.values():
        file.parent.mkdir()
        file.write_bytes(ONE)
    service = begin(models={"surface": [str(files["surface"]), 0.3], "shape": [str(files["shape"]), 0.6]})

    def version(name: str) -> str:
        found: str = httpx.get(f"{service.url}api/model", params={"model": name}, timeout=60).json()["sha256"]
        return found

    def change(name: str) -> httpx.Response:
        return httpx.post(f"{service.url}api/model/change", params={"model": name}, timeout=240)

    files["surface"].write_bytes(b"broken lightdet_sha256")
    refused = change("surface").json()["error"]
    assert refused["code"] == "model_refused" and refused["message"].startswith("surface: the new model is not taken")
    assert (version("surface"), version("shape")) == (digest(ONE), digest(ONE))
    files["shape"].write_bytes(TWO)
    service.process.send_signal(signal.SIGHUP)  # all files are looked at: one is damaged, the other is taken
    deadline = time.monotonic() + 240
    while version("shape") != digest(TWO):
        assert time.monotonic() < deadline, service.text()
        time.sleep(0.2)
    assert version("surface") == digest(ONE)
    judged = {
        name: httpx.post(f"{service.url}api/detect", content=BAD, params={"model": name}, timeout=60).json()
        for name in files
    }
    assert [judged[name]["results"][0]["model"]["version"] for name in files] == [digest(ONE)[:12], digest(TWO)[:12]]
    assert service.end() == 0
    assert "Traceback" not in service.text()
