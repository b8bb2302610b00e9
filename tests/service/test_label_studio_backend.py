"""Label Studio asks the service: what it gets, what is refused, and what leaves no trace in the records."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from colors import paint
from running_service import Running

from lightdet.data.formats.label_studio import read_label_studio

INTERFACE = (
    '<View><Header value="x"/><Image name="photo" value="$img"/><RectangleLabels name="boxes" toName="photo">'
    '<Label value="red" alias="r"/><Label value="green"/><Label value="other"/></RectangleLabels></View>'
)
PICTURE = paint((0, 200, 10, 20, 50, 60), (1, 200, 60, 20, 90, 60), (0, 15, 5, 5, 8, 8), (2, 200, 60, 70, 90, 90))


def inline(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def predict(served: Running, *values: object, interface: str = INTERFACE, **more: Any) -> Any:
    tasks = [{"id": number, "data": {"img": value}} for number, value in enumerate(values, start=7)]
    sent = {"tasks": tasks, "project": "1.2", "label_config": interface, "params": {"context": None}}
    return served.client.post("/api/label-studio/predict", json=sent, **more)


def test_boxes_come_as_regions_of_the_interface(shared: Running, tmp_path: Path) -> None:
    answer = predict(shared, inline(PICTURE), inline(paint())).json()
    assert len(answer["results"]) == 2
    found, empty = answer["results"]
    assert empty["result"] == []
    assert answer["model_version"] == found["model_version"]
    assert {(r["from_name"], r["to_name"], r["type"]) for r in found["result"]} == {
        ("boxes", "photo", "rectanglelabels")
    }
    labels = sorted(r["value"]["rectanglelabels"][0] for r in found["result"])
    assert labels == ["green", "r"]  # the interface has no label for the third
    assert found["score"] == pytest.approx(sum(r["score"] for r in found["result"]) / 2)
    task = {"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": found["result"]}]}
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    size = (found["result"][0]["original_width"], found["result"][0]["original_height"])
    [read] = read_label_studio(tmp_path / "tasks.json", tmp_path, [size], ["r", "green"])
    detected = shared.detect(PICTURE).json()["results"][0]["detections"]
    boxes = [each["box"] for each in detected if each["defect"] and each["name"] != "=blue+"]
    for box, other in zip(read.boxes.tolist(), boxes, strict=True):
        assert box == pytest.approx(other, abs=0.01)


def test_nothing_is_recorded_or_counted(start: Callable[..., Running]) -> None:
    served = start()
    looks: list[object] = []
    served.engine.reference, served.engine.on_look = object(), looks.append  # type: ignore[assignment]
    assert len(predict(served, inline(PICTURE)).json()["results"][0]["result"]) == 2
    assert looks == []  # the watch over the promise does not hear of it either
    assert served.client.get("/api/inspections").json()["results"] == []
    assert served.client.get("/api/statistics").json()["inspected"] == 0
    counts = [line for line in served.client.get("/metrics").text.splitlines() if line.startswith("lightdet_inspec")]
    assert all(line.endswith(" 0.0") for line in counts if "_created" not in line)


def test_health_setup_and_webhook(shared: Running) -> None:
    health = shared.client.get("/api/label-studio/health")
    assert (health.status_code, health.json()["status"]) == (200, "UP")
    sent = {"project": "1.2", "schema": INTERFACE, "hostname": "http://label.studio", "access_token": "t0ken"}
    version = shared.client.post("/api/label-studio/setup", json=sent).json()["model_version"]
    assert version == predict(shared, inline(PICTURE)).json()["model_version"]
    told = shared.client.post("/api/label-studio/webhook", json={"action": "ANNOTATION_CREATED", "annotation": {}})
    assert (told.status_code, told.json()["status"]) == (200, "ignored")


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        (None, "cannot be read"),
        ("<View>", "cannot be read"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>', "DOCTYPE"),
        ('<View><Image name="i" value="$i"/></View>', "RectangleLabels"),
        (INTERFACE.replace("red", "x").replace("green", "y"), "red, green"),
    ],
)
def test_an_interface_that_does_not_fit_is_refused_at_setup(shared: Running, schema: str | None, word: str) -> None:
    answer = shared.client.post("/api/label-studio/setup", json={"schema": schema})
    assert answer.status_code == 422
    assert word in answer.json()["error"]["message"]


def test_pictures_below_the_folder_are_read_and_no_others(start: Callable[..., Running], tmp_path: Path) -> None:
    folder = tmp_path / "media"
    for place in ("a b.png", "upload/1/abc.png", "deep/c.png"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(PICTURE)
    (tmp_path / "secret.png").write_bytes(PICTURE)
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    served = start(label_studio_folder=folder)
    for value in (
        "/data/local-files/?d=a%20b.png",
        "http://label.studio:8080/data/local-files/?d=deep/c.png",
        "/data/upload/1/abc.png",
        "deep/c.png",
        str(folder / "deep" / "c.png"),
    ):
        assert len(predict(served, value).json()["results"][0]["result"]) == 2, value
    for value, status, code in (
        ("/data/local-files/?d=../secret.png", 403, "outside_folder"),
        ("/data/local-files/?d=link.png", 403, "outside_folder"),
        (str(tmp_path / "secret.png"), 403, "outside_folder"),
        ("http://127.0.0.1:1/x.png", 403, "no_fetching"),
        ("//127.0.0.1/x.png", 403, "no_fetching"),
        ("s3://bucket/x.png", 403, "no_fetching"),
        ("file:///etc/hostname", 403, "no_fetching"),
        ("missing.png", 404, "not_found"),
        ("deep", 404, "not_found"),
        ("a\0b.png", 404, "not_found"),
        ("", 422, "bad_request"),
        (7, 422, "bad_request"),
        ("data:image/png;base64,???", 422, "bad_picture"),
        (inline(b"no picture"), 415, "not_a_picture"),
    ):
        answer = predict(served, value)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), value
        assert "secret.png" not in answer.text


def test_one_bad_task_costs_no_other_its_boxes(shared: Running, caplog: pytest.LogCaptureFixture) -> None:
    good, bad = inline(PICTURE), inline(b"no picture")
    with caplog.at_level("WARNING", logger="lightdet.service"):
        first, second, third = predict(shared, good, bad, good).json()["results"]
    assert len(first["result"]) == len(third["result"]) == 2
    assert "result" not in second  # an empty one would say that the picture is free of defects
    assert (second["error"]["code"], second["error"]["part"]) == ("not_a_picture", 1)
    assert "no boxes for 1 of 3 tasks" in caplog.text
    answer = predict(shared, bad, bad)
    assert (answer.status_code, answer.json()["error"]["part"]) == (415, 0)


def test_without_a_folder_files_are_refused(shared: Running) -> None:
    answer = predict(shared, "/etc/hostname")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_folder")


def test_the_bounds_of_the_service_hold(start: Callable[..., Running], tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(PICTURE + b"\0" * 40_000)
    served = start(limits={"max_bytes": 40_000, "max_pixels": 5_000}, label_studio_folder=tmp_path)
    assert predict(served, "x" * 50_000).json()["error"]["code"] == "request_too_large"
    assert predict(served, "large.png").json()["error"]["code"] == "picture_too_large"
    assert predict(served, inline(PICTURE)).json()["error"]["code"] == "picture_too_large"
    assert predict(served, *[""] * 1001).json()["error"]["code"] == "bad_request"
    for body in (b"no json", b"[" * 20_000):
        answer = served.client.post("/api/label-studio/predict", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert served.client.post("/api/label-studio/webhook", content=b"[]").status_code == 422


def test_the_key_may_come_as_a_password(start: Callable[..., Running]) -> None:
    served = start(api_key="s3cret-and-long")
    assert served.client.get("/api/label-studio/health").status_code == 401
    assert served.client.get("/api/label-studio/health", auth=("anyone", "wrong")).status_code == 401
    assert served.client.get("/api/label-studio/health", auth=("anyone", "s3cret-and-long")).status_code == 200
    assert served.client.get("/api/label-studio/health", headers={"authorization": "Basic ???"}).status_code == 401
    assert len(predict(served, inline(PICTURE), auth=("", "s3cret-and-long")).json()["results"]) == 1
