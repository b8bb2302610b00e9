"""Pictures over HTTP: what is answered, and what is refused with which words."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from colors import encode, paint
from PIL import Image as Pil

from lightdet.decisions import DecisionRule
from lightdet.service.settings import MIB

RED = (0, 200, 10, 20, 50, 60)
WEAK_GREEN = (1, 40, 70, 10, 90, 50)  # a score of 0.157
GOOD, BAD, WEAK = paint(), paint(RED, WEAK_GREEN), paint(WEAK_GREEN)

Start = Callable[..., Any]


def error(response: httpx.Response) -> tuple[int, str]:
    body = response.json()["error"]
    assert body["status"] == response.status_code
    assert "\n" not in body["message"] and "Traceback" not in response.text and "/lightdet" not in response.text
    return response.status_code, body["code"]


def stack(*pictures: bytes, form: str = "TIFF") -> bytes:
    first, *others = [Pil.open(io.BytesIO(data)) for data in pictures]
    stream = io.BytesIO()
    first.save(stream, form, save_all=True, append_images=others)
    return stream.getvalue()


# --- answers ----------------------------------------------------------------------------------------------


def test_one_picture(shared: Any) -> None:
    response = shared.detect(BAD, name="part 4711")
    assert response.status_code == 200
    answer = response.json()
    assert (answer["decision"], answer["recorded"]) == ("NG", True)
    (result,) = answer["results"]
    assert result["detections"] == [
        {"box": [10, 20, 50, 60], "score": 0.7843, "label": 0, "name": "red", "defect": True},
        {"box": [70, 10, 90, 50], "score": 0.1569, "label": 1, "name": "green", "defect": False},
    ]
    assert (result["decision"], result["defects"], result["name"]) == ("NG", 1, "part 4711")
    assert result["sha256"] == hashlib.sha256(BAD).hexdigest() and result["bytes"] == len(BAD)
    assert result["size"] == [256, 192] and "picture" not in result
    assert result["model"] == {
        "name": "colors",
        "version": hashlib.sha256(b"the network of the tests is no file").hexdigest()[:12],
        "sha256": hashlib.sha256(b"the network of the tests is no file").hexdigest(),
    }
    assert {"wait", "read", "preprocess", "network", "postprocess", "total"} == set(result["milliseconds"])
    assert shared.client.get(f"/api/inspections/{result['id']}").json() == result


def test_a_good_part_is_ok(shared: Any) -> None:
    assert shared.detect(GOOD).json()["decision"] == "OK"
    answer = shared.detect(WEAK).json()
    assert answer["decision"] == "OK" and len(answer["results"][0]["detections"]) == 1


@pytest.mark.parametrize("name", ["L12/0042", "L13/0042", "L13\\0042", "PW:0042", "BYPASS=1", "a@b", "Los 7: 3/5"])
def test_a_part_is_called_as_its_caller_says(shared: Any, name: str) -> None:
    """Parts whose names were cut would become one on record."""
    result = shared.detect(GOOD, name=name).json()["results"][0]
    assert result["name"] == name
    assert shared.client.get(f"/api/inspections/{result['id']}").json()["name"] == name


@pytest.mark.parametrize(
    "name", ["rtsp://me:hush@cam/ch1?pwd=hush", "me:hush@cam/ch1", "snapshot.cgi?user=me&pwd=hush"]
)
def test_a_name_that_is_an_address_shows_no_password(shared: Any, name: str) -> None:
    assert "hush" not in shared.detect(GOOD, name=name).text
    assert "hush" not in shared.client.post("/api/detect", files={"a": (name, GOOD)}).text


@pytest.mark.parametrize("form", ["TIFF", "GIF", "PNG"])
def test_every_picture_of_a_file(shared: Any, form: str) -> None:
    data = stack(GOOD, WEAK, BAD, form=form)
    answer = shared.detect(data, name="part 7", picture="plain").json()
    assert answer["decision"] == "NG"
    assert [(r["name"], r["decision"]) for r in answer["results"]] == [
        ("part 7#1", "OK"), ("part 7#2", "OK"), ("part 7#3", "NG"),
    ]  # fmt: skip
    assert len({r["id"] for r in answer["results"]}) == 3 and len({r["picture"] for r in answer["results"]}) == 3
    assert {r["sha256"] for r in answer["results"]} == {hashlib.sha256(data).hexdigest()}
    many = [("a", ("a.tif", stack(*[GOOD] * 14))), ("b", ("b.png", GOOD)), ("c", ("c.tif", stack(GOOD, BAD)))]
    response = shared.client.post("/api/detect", files=many)
    assert error(response) == (413, "picture_too_large") and response.json()["error"]["part"] == 2
    assert error(shared.detect(stack(*[GOOD] * 17))) == (413, "picture_too_large")
    cut = stack(GOOD, BAD)[:-500]
    assert error(shared.detect(cut)) == (422, "bad_picture")


def test_several_pictures(shared: Any) -> None:
    files = [("a", ("good.png", GOOD)), ("b", ("dir/bad.png", BAD)), ("c", ("Prüfling.png", WEAK))]
    answer = shared.client.post("/api/detect", files=files, data={"station": "S3"}).json()
    assert answer["decision"] == "NG"
    assert [(r["name"], r["decision"]) for r in answer["results"]] == [
        ("good.png", "OK"), ("bad.png", "NG"), ("Prüfling.png", "OK"),
    ]  # fmt: skip
    assert len({r["id"] for r in answer["results"]}) == 3


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "", "application/x-www-form-urlencoded"])
def test_raw_bytes_of_any_plain_kind(shared: Any, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    assert shared.client.post("/api/detect", content=BAD, headers=headers).json()["decision"] == "NG"


def test_in_pieces_of_unknown_number(shared: Any) -> None:
    response = shared.client.post("/api/detect", content=(BAD[i : i + 100] for i in range(0, len(BAD), 100)))
    assert response.json()["decision"] == "NG"


@pytest.mark.parametrize("path", ["/api/detect", "/api/mark"])
@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.25, 0.9, 1.0])
def test_nobody_decides_by_another_rule(served: Any, path: str, threshold: float) -> None:
    response = served.client.post(path, content=BAD, params={"threshold": threshold})
    assert error(response) == (403, "no_override") and "--allow-override" in response.text
    assert served.runtime.calls == 0
    assert served.client.get("/api/inspections").json()["results"] == []


def test_a_threshold_for_one_request_is_recorded_and_in_no_statistics(start: Start) -> None:
    served = start(allow_override=True)
    assert served.detect(BAD).json()["results"][0]["overridden"] is False
    answer = served.detect(WEAK, threshold=0.15).json()["results"][0]
    assert (answer["decision"], answer["rule"]["threshold"], answer["overridden"]) == ("NG", 0.15, True)
    assert served.detect(BAD, threshold=0.9).json()["decision"] == "OK"
    assert served.client.post("/api/mark?threshold=0.9", content=BAD).headers["x-decision"] == "OK"
    response = served.detect(BAD, threshold=0.05)
    assert error(response) == (422, "bad_parameter") and "must be 0.1 or more" in response.text

    past = served.client.get("/api/inspections").json()["results"]
    assert [each["overridden"] for each in past] == [True, True, True, False]
    counted = served.client.get("/api/statistics").json()
    assert (counted["inspected"], counted["rejected"], counted["overridden"]) == (1, 1, 3)
    chart = counted["chart"]
    assert [point["inspected"] for point in [*chart["points"], chart["unfinished"]] if point] == [1]
    table = list(csv.DictReader(io.StringIO(served.client.get("/api/inspections.csv").text.removeprefix("\ufeff"))))
    assert [row["overridden"] for row in table] == ["0", "1", "1", "1"]
    assert served.metric('lightdet_inspections_total{decision="OK",model="colors"}') == 0
    assert served.metric("lightdet_overridden_total") == 3


def test_a_misspelt_threshold_decides_nothing(shared: Any) -> None:
    before = shared.client.get("/api/statistics").json()["inspected"]
    for path in ("/api/detect", "/api/mark"):
        response = shared.client.post(f"{path}?treshold=0.9", content=BAD)
        assert error(response) == (422, "bad_parameter") and "known here: model, threshold, name" in response.text
    twice = shared.client.post("/api/detect?threshold=0.2&threshold=0.9", content=BAD)
    assert error(twice) == (422, "bad_parameter") and "threshold: given more than once" in twice.text
    assert shared.client.get("/api/statistics").json()["inspected"] == before


@pytest.mark.parametrize("path", ["/api/mark", "/api/detect"])
def test_nothing_that_a_form_says_is_passed_over(served: Any, path: str) -> None:
    """A misspelt order would be missing on record, and a picture without a file name would not be inspected."""
    picture = {"left": ("left.png", GOOD, "image/png")}
    for name in ("oder", "threshold", "model", "name", "Station", "order number"):
        response = served.client.post(path, files=picture, data={name: "0.1"})
        assert error(response) == (422, "bad_parameter") and "known here: station, order" in response.text
    for kind in ("image/png", "Image/JPEG", "application/octet-stream"):
        response = served.client.post(path, files=[*picture.items(), ("right", (None, BAD, kind))])
        assert error(response) == (400, "bad_form") and "no file name" in response.text
    response = served.client.post(path, files=picture, params={"name": "4711"})
    assert error(response) == (422, "bad_parameter") and "name: is for a picture as the raw body" in response.text
    assert served.runtime.calls == 0 and served.client.get("/api/inspections").json()["results"] == []


def test_the_services_own_rule(start: Start) -> None:
    rule = DecisionRule(0.9, {"green": 0.12}, 0, {"green": 30})
    served = start(threshold=0.9, thresholds={"green": 0.12}, min_sizes={"green": 30})
    assert served.detect(paint(RED)).json()["decision"] == "OK"
    assert served.detect(WEAK).json()["decision"] == "NG"
    assert served.detect(paint((1, 40, 70, 10, 90, 35))).json()["decision"] == "OK"
    assert served.client.get("/api/model").json()["rule"] == rule.as_dict()
    # One threshold for all of them takes the place of the class's own; sizes stay.
    served = start(threshold=0.9, thresholds={"green": 0.12}, min_sizes={"green": 30}, allow_override=True)
    assert served.detect(WEAK, threshold=0.5).json()["decision"] == "OK"


def test_marked_pictures(shared: Any) -> None:
    marked = shared.client.post("/api/mark", content=BAD)
    assert marked.headers["content-type"] == "image/jpeg"
    assert (marked.headers["x-decision"], marked.headers["x-defects"], marked.headers["x-recorded"]) == (
        "NG",
        "1",
        "true",
    )
    pixels = np.asarray(Pil.open(io.BytesIO(marked.content))).astype(int)
    original = np.asarray(Pil.open(io.BytesIO(BAD))).astype(int)
    changed = np.abs(pixels - original).max(axis=2) > 60
    assert changed[20:60, 9:13].any(axis=1).all()  # the left edge of the red box
    assert not changed[65:, 65:].any() and not changed[20:48, 72:88].any()  # what does not count is not marked
    answer = shared.detect(BAD, picture="marked").json()["results"][0]
    head, _, data = answer["picture"].partition(",")
    assert head == "data:image/jpeg;base64" and base64.b64decode(data) == marked.content
    plain = shared.detect(BAD, picture="plain").json()["results"][0]["picture"].partition(",")[2]
    assert np.abs(np.asarray(Pil.open(io.BytesIO(base64.b64decode(plain)))).astype(int) - original).mean() < 5
    form = {"files": [("a", ("a.png", BAD))], "data": {"station": "S3"}}
    assert shared.client.post("/api/mark", **form).content == marked.content


@pytest.mark.parametrize("path", ["/api/mark", "/api/detect"])
def test_what_is_refused_leaves_no_record(served: Any, path: str) -> None:
    pages, several = stack(GOOD, BAD), [("a", ("a.png", GOOD)), ("b", ("b.png", BAD))]
    cut = stack(GOOD, BAD)[:-500]  # the first picture can be read
    refused = [served.client.post(path, content=data) for data in (b"", cut, stack(*[GOOD] * 17))]
    refused.append(served.client.post(path, files=[("a", ("a.png", GOOD)), ("b", ("b.png", b"no picture"))]))
    refused.append(served.client.post(path, content=BAD, params={"threshold": 2}))
    refused.append(served.client.post(path, content=BAD, params={"colour": "red"}))
    if path == "/api/mark":
        refused += [served.client.post(path, content=pages), served.client.post(path, files=several)]
        assert [error(response) for response in refused[-2:]] == [(413, "picture_too_large"), (413, "too_many_parts")]
    assert all(400 <= response.status_code < 500 for response in refused)
    assert served.client.get("/api/inspections").json()["results"] == []
    assert served.client.get("/api/statistics").json()["inspected"] == 0
    assert served.metric('lightdet_inspections_total{decision="NG",model="colors"}') == 0
    assert served.client.post(path, content=BAD).status_code == 200
    assert len(served.client.get("/api/inspections").json()["results"]) == 1


def test_a_tiff_of_16_bits(shared: Any) -> None:
    stream = io.BytesIO()
    Pil.fromarray(np.full((20, 30), 40000, np.uint16)).save(stream, "TIFF")
    answer = shared.detect(stream.getvalue(), picture="plain").json()["results"][0]
    assert answer["size"] == [30, 20] and answer["picture"].startswith("data:image/jpeg")


# --- bounds -----------------------------------------------------------------------------------------------


def bomb(width: int, height: int) -> bytes:
    """A small PNG whose header promises many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


REFUSED = [
    (b"", 400, "no_picture"),
    (b"this is no picture", 415, "not_a_picture"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "not_a_picture"),
    (b"%PDF-1.7", 415, "not_a_picture"),
    (BAD[: len(BAD) // 2], 422, "bad_picture"),
    (BAD[:60] + b"\xff" * 40 + BAD[100:], 422, "bad_picture"),
    (bomb(60_000, 60_000), 413, "picture_too_large"),
    (bomb(8_000, 8_000), 413, "picture_too_large"),
    (bomb(2_000, 2_000), 422, "bad_picture"),
]


@pytest.mark.parametrize(("data", "status", "code"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_picture_is_refused(shared: Any, data: bytes, status: int, code: str) -> None:
    counter = f'lightdet_refused_total{{code="{code}"}}'
    refused, calls = shared.metric(counter), shared.runtime.calls
    inspected = shared.client.get("/api/statistics").json()["inspected"]
    assert error(shared.detect(data)) == (status, code)
    assert shared.runtime.calls == calls and shared.metric(counter) == refused + 1
    assert shared.client.get("/api/statistics").json()["inspected"] == inspected
    assert shared.detect(BAD).json()["decision"] == "NG"


def test_a_bad_one_among_several_is_named_and_none_is_recorded(served: Any) -> None:
    files = [("a", ("good.png", GOOD)), ("b", ("bad.png", BAD[:100]))]
    response = served.client.post("/api/detect", files=files)
    assert error(response) == (422, "bad_picture") and response.json()["error"]["part"] == 1
    assert served.client.get("/api/inspections").json()["results"] == []


def test_a_type_that_is_no_picture(shared: Any) -> None:
    response = shared.client.post("/api/detect", json={"picture": "base64"})
    assert error(response) == (415, "wrong_type")
    response = shared.client.post("/api/detect", content=b"x", headers={"content-type": "multipart/form-data"})
    assert error(response) == (400, "bad_form")


def test_bytes_are_bounded_told_or_not(start: Start) -> None:
    served = start(limits={"max_bytes": 2 * MIB})
    large = bytes(8 * MIB)
    assert error(served.detect(large)) == (413, "request_too_large")
    pieces = (large[i : i + 65536] for i in range(0, len(large), 65536))
    assert error(served.client.post("/api/detect", content=pieces)) == (413, "request_too_large")
    assert error(served.client.post("/api/detect", files={"a": ("a.png", large)})) == (413, "request_too_large")
    assert served.detect(encode(np.zeros((10, 10, 3), np.uint8)) + bytes(MIB)).status_code == 200
    assert served.service.memory.used == 0


def json_addresses(served: Any) -> list[str]:
    """Every address whose body the interface describes as JSON."""
    paths = served.client.get("/openapi.json").json()["paths"]
    takers = [
        path for path, methods in paths.items()
        if "application/json" in methods.get("post", {}).get("requestBody", {}).get("content", {})
    ]  # fmt: skip
    assert len(takers) >= 3
    return [path.replace("{identity}", "0" * 32) for path in takers]


def test_what_is_no_picture_is_bounded_as_well(start: Start) -> None:
    """In bytes told or not, and in memory, whatever type it says that it is of."""
    served = start(limits={"max_bytes": MIB})
    large = b"[" + b"0," * MIB
    for path in [*json_addresses(served), "/api/watch/anew", "/api/label-studio/predict"]:
        for kind in ("application/json", "image/png"):
            told = served.client.post(path, content=large, headers={"content-type": kind})
            assert error(told) == (413, "request_too_large"), path
        pieces = (large[i : i + 65536] for i in range(0, len(large), 65536))
        assert error(served.client.post(path, content=pieces)) == (413, "request_too_large"), path
        with served.service.memory.account() as account:
            account.take(served.service.memory.limit - 10)
            assert error(served.client.post(path, json={"units": "share"})) == (503, "memory"), path
    assert served.service.memory.used == 0


def test_json_has_a_bound_of_its_own(start: Start) -> None:
    """It takes many times its bytes when it is read."""
    served = start()
    for path in json_addresses(served):
        answer = served.client.post(path, content=bytes(5 * MIB), headers={"content-type": "application/json"})
        assert error(answer) == (413, "request_too_large") and "4 MiB" in answer.text


def test_pixels_are_bounded(start: Start) -> None:
    served = start(limits={"max_pixels": 10_000})
    response = served.detect(paint(size=(101, 100)))
    assert error(response) == (413, "picture_too_large") and "101 x 100 pixels" in response.text
    assert served.detect(paint(size=(100, 100))).status_code == 200


def test_parts_are_bounded(start: Start) -> None:
    served = start(limits={"max_parts": 2})
    files = [("a", (f"{i}.png", GOOD)) for i in range(3)]
    assert error(served.client.post("/api/detect", files=files)) == (413, "too_many_parts")
    assert len(served.client.post("/api/detect", files=files[:2]).json()["results"]) == 2


@pytest.mark.parametrize(("path", "most"), [("detect", 3), ("mark", 1)])
def test_as_many_pictures_as_described_come_with_every_field(start: Start, path: str, most: int) -> None:
    served = start(limits={"max_parts": most})
    described = served.client.get("/openapi.json").json()["paths"][f"/api/{path}"]["post"]["requestBody"]
    fields = described["content"]["multipart/form-data"]["schema"]["properties"]
    assert fields.pop("pictures")["maxItems"] == most and set(fields) == {"station", "order"}
    files = [("pictures", (f"{i}.png", GOOD)) for i in range(most + 1)]
    address, texts = f"/api/{path}", dict.fromkeys(fields, "7")
    assert served.client.post(address, files=files[:-1], data=texts).status_code == 200
    assert error(served.client.post(address, files=files, data=texts)) == (413, "too_many_parts")


def test_the_queue_is_bounded(start: Start) -> None:
    served = start(delay=0.2, limits={"concurrency": 1, "queue": 2})
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: served.detect(GOOD), range(8)))
    statuses = sorted(response.status_code for response in responses)
    assert statuses[:3] == [200, 200, 200] and statuses[-3:] == [503, 503, 503]
    refused = next(response for response in responses if response.status_code == 503)
    assert error(refused) == (503, "busy") and 1 <= int(refused.headers["retry-after"]) <= 60
    assert served.detect(GOOD).status_code == 200
    assert served.metric("lightdet_working") == 0 == served.metric("lightdet_waiting")


def test_time_is_bounded(start: Start) -> None:
    served = start(delay=3.0, limits={"concurrency": 1, "timeout": 0.3})
    began = time.monotonic()
    response = served.detect(GOOD)
    assert error(response) == (503, "timeout") and time.monotonic() - began < 2.5
    assert int(response.headers["retry-after"]) >= 1
    served.runtime.delay = 0.0
    # The work that nobody waits for any more comes to its end.
    wait_for(lambda: served.metric("lightdet_working") == 0)
    assert served.detect(GOOD).status_code == 200


def test_memory_for_requests_is_bounded(start: Start) -> None:
    served = start(limits={"max_bytes": MIB, "memory": MIB})
    with slow_request(served.port, b"x" * (MIB - 100), MIB) as sender:
        wait_for(lambda: served.service.memory.used == MIB - 100)
        assert error(served.detect(paint(size=(64, 64)) + bytes(200))) == (503, "memory")
        sender.close()
    wait_for(lambda: served.service.memory.used == 0)
    assert served.detect(GOOD).status_code == 200


# --- bad manners ------------------------------------------------------------------------------------------


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def slow_request(port: int, sent: bytes, promised: int, path: str = "/api/detect") -> socket.socket:
    """A connection that has sent a head and a part of a body."""
    sender = socket.create_connection(("127.0.0.1", port))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {promised}\r\n\r\n"
    sender.sendall(head.encode() + sent)
    sender.settimeout(20)
    return sender


def read_all(connection: socket.socket) -> tuple[int, bytes]:
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    return int(data.split()[1]), data.partition(b"\r\n\r\n")[2]


def test_a_body_that_does_not_come(start: Start) -> None:
    served = start(limits={"body_timeout": 0.4})
    for path in ["/api/detect", "/api/label-studio/setup", *json_addresses(served)]:
        with slow_request(served.port, BAD[:50], len(BAD), path) as sender:
            status, body = read_all(sender)
        assert status == 408 and json.loads(body)["error"]["code"] == "too_slow"


def test_a_head_that_does_not_come(start: Start) -> None:
    served = start(limits={"header_timeout": 0.4})
    for sent in (b"", b"GET / HT", b"POST /api/detect HTTP/1.1\r\nHost: x\r\n"):
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as sender:
            sender.sendall(sent)
            status, body = read_all(sender)
            assert status == 408 and json.loads(body)["error"]["code"] == "too_slow"


def test_a_second_head_that_does_not_come(start: Start) -> None:
    served = start(limits={"header_timeout": 0.4})
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as sender:
        sender.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while b"alive" not in answer or not answer.endswith(b"}"):
            answer += sender.recv(65536)
        sender.sendall(b"GET /hea")
        assert b"408" in sender.recv(65536) and sender.recv(10) == b""


def test_a_head_that_comes_drop_by_drop(start: Start) -> None:
    served = start(limits={"header_timeout": 0.5})
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as sender:
        began = time.monotonic()
        with pytest.raises(OSError):
            for _ in range(100):
                sender.sendall(b"G")
                time.sleep(0.05)
        assert time.monotonic() - began < 3


def test_a_long_answer_is_no_slow_head(start: Start) -> None:
    served = start(delay=0.8, limits={"header_timeout": 0.3})
    assert served.detect(GOOD).status_code == 200


def test_connections_are_bounded(start: Start) -> None:
    served = start(limits={"connections": 3})
    held = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(3)]
    time.sleep(0.1)
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as one_more:
        status, body = read_all(one_more)
    assert status == 503 and json.loads(body)["error"]["code"] == "connections"
    for each in held:
        each.close()
    wait_for(lambda: served.client.get("/health").status_code == 200)


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\0" * 100, b"A" * 100_000])
def test_what_is_no_http(shared: Any, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as sender:
        sender.sendall(garbage + b"\r\n\r\n")
        status, body = read_all(sender)
    assert status == 400 and json.loads(body)["error"]["code"] == "bad_request"
    assert shared.client.get("/health").status_code == 200


def test_an_upload_that_is_broken_off(served: Any) -> None:
    for sent in (b"", BAD[:100]):
        slow_request(served.port, sent, len(BAD)).close()
    wait_for(lambda: served.metric("lightdet_hung_up_total") == 2)
    assert served.service.memory.used == 0
    assert served.detect(BAD).json()["decision"] == "NG"
    assert served.metric('lightdet_inspections_total{decision="NG",model="colors"}') == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/detect", 405),
        ("DELETE", "/api/inspections", 405),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/%2e%2e%2fapp.py", 404),
        ("GET", "/static/nothing.js", 404),
        ("GET", f"/api/inspections/{'0' * 32}", 404),
        ("GET", f"/api/inspections/{'0' * 32}/thumbnail", 404),
        ("GET", "/api/inspections/..%2f..%2fetc", 404),
        ("GET", "/api/inspections/nothing", 422),
        ("POST", "/api/detect?threshold=2", 422),
        ("POST", "/api/detect?threshold=nan", 422),
        ("POST", "/api/detect?picture=large", 422),
        ("POST", "/api/detect?name=" + "x" * 201, 422),
    ],
)
def test_wrong_addresses_and_parameters(shared: Any, method: str, path: str, status: int) -> None:
    assert error(shared.client.request(method, path))[0] == status


# --- who may ask ------------------------------------------------------------------------------------------


def test_an_api_key(start: Start) -> None:
    served = start(api_key="s3cret-key")
    missing: list[dict[str, str]] = [{}, {"authorization": "Basic s3cret-key"}]
    for headers in (*missing, {"x-api-key": "s3cret"}, {"x-api-key": "S3CRET-KEY"}):
        code = "no_key" if headers in missing else "wrong_key"
        response = served.client.post("/api/detect", content=BAD, headers=headers)
        assert error(response) == (401, code) and response.headers["www-authenticate"] == "Bearer"
        assert error(served.client.get("/metrics", headers=headers)) == (401, code)
        assert error(served.client.get("/api/inspections.csv", headers=headers)) == (401, code)
    response = served.client.post("/api/detect", content=BAD, headers=[(b"x-api-key", "schlüssel".encode())])
    assert error(response) == (401, "wrong_key")
    assert served.runtime.calls == 0
    for headers in ({"x-api-key": "s3cret-key"}, {"authorization": "bearer s3cret-key"}):
        assert served.client.post("/api/detect", content=BAD, headers=headers).status_code == 200
    for path in ("/", "/static/app.js", "/health", "/ready", "/docs", "/openapi.json"):
        assert served.client.get(path).status_code == 200


def test_other_web_pages_may_not_write(shared: Any) -> None:
    own = f"http://127.0.0.1:{shared.port}"
    for headers in (
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "https://127.0.0.1"},
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "http://["}, {"origin": "http://[::1"},
    ):  # fmt: skip
        assert error(shared.client.post("/api/detect", content=BAD, headers=headers)) == (403, "cross_site")
    for headers in ({"origin": own}, {"origin": own, "sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}):
        assert shared.client.post("/api/detect", content=BAD, headers=headers).status_code == 200
    assert "access-control-allow-origin" not in shared.client.get("/api/model", headers={"origin": "http://e"}).headers


def test_names_under_which_it_is_known(start: Start) -> None:
    local, named, wide = start(), start(allowed_hosts=("line7.factory",)), start(host="0.0.0.0")
    for served in (local, wide):  # listening to others alone is no word that any name will do
        for host in ("localhost:80", "127.0.0.1", "[::1]:8000", "192.168.1.7:8000", "LOCALHOST"):
            assert served.client.get("/api/model", headers={"host": host}).status_code == 200
        for host in ("evil.example", "line7.factory", "127.0.0.1.evil.example", "", "a b", "[::1", "localhost@evil"):
            response = served.client.get("/api/model", headers={"host": host})
            assert response.status_code in (400, 421), host
    assert "--allow-host" in local.client.get("/api/model", headers={"host": "line7.factory"}).text
    assert named.client.get("/api/model", headers={"host": "Line7.Factory:8000"}).status_code == 200
    assert named.client.get("/api/model", headers={"host": "evil.example"}).status_code == 421
    keyed = start(host="0.0.0.0", api_key="k3y")  # a foreign page has no key
    assert keyed.client.get("/api/model", headers={"host": "anything", "x-api-key": "k3y"}).status_code == 200
    assert error(keyed.client.get("/api/model", headers={"host": "anything"})) == (401, "no_key")
    open_to_all = start(host="0.0.0.0", allowed_hosts=("*",))
    assert open_to_all.client.get("/api/model", headers={"host": "anything"}).status_code == 200
    assert local.client.get("/health", headers={"host": "container"}).status_code == 200


def test_headers_that_every_answer_has(shared: Any) -> None:
    for path in ("/", "/docs", "/api/model", "/nowhere", "/static/app.js", "/metrics"):
        headers = shared.client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        drawn = "; style-src-attr 'unsafe-inline'"  # the colours of boxes that are drawn
        policy = headers["content-security-policy"].removesuffix(drawn if path == "/" else "")
        assert "unsafe" not in policy and policy.count("style-src") == 1
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert headers["cache-control"] in ("no-store", "no-cache")
        assert "server" not in headers


# --- when something breaks --------------------------------------------------------------------------------


def test_a_fault_of_ours_tells_nothing(served: Any, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("/secret/path")

    served.engine._one = fail
    response = served.detect(BAD)
    assert error(response) == (500, "internal") and "secret" not in response.text
    assert "/secret/path" in caplog.text  # for whoever reads the log


def test_a_model_whose_output_is_no_number(served: Any) -> None:
    nothing = np.full((1, 4), np.nan, np.float32), np.ones(1, np.float32), np.zeros(1, np.int64)
    served.engine.predictor.runtime._runtime = type(
        "Broken", (), {"names": served.runtime.names, "preprocessing": served.runtime.preprocessing,
                       "milliseconds": {}, "__call__": lambda *_: [nothing]},
    )()  # fmt: skip
    response = served.detect(BAD)
    assert error(response) == (500, "no_verdict") and "not a number" in response.text
    assert served.client.get("/api/inspections").json()["results"] == []


def test_an_answer_does_not_need_the_database(start: Start, postgres_cluster: Any, postgres: str) -> None:
    served = start(database=postgres)
    assert served.detect(BAD, name="before").json()["recorded"] is True
    postgres_cluster.stop()
    try:
        answers = [served.detect(BAD, name=f"away {i}").json() for i in range(3)]
        assert [(a["decision"], a["recorded"]) for a in answers] == [("NG", False)] * 3
        response = served.client.get("/api/inspections")
        assert error(response) == (503, "database") and int(response.headers["retry-after"]) >= 1
        assert error(served.client.get("/api/inspections.csv")) == (503, "database")
        ready = served.client.get("/ready").json()
        assert (ready["ready"], ready["database"], ready["backlog"]) == (True, "down", 3)
        assert served.metric("lightdet_database_up") == 0
    finally:
        postgres_cluster.start()
    wait_for(lambda: served.client.get("/ready").json()["database"] == "up", 40)
    assert served.detect(GOOD, name="after").json()["recorded"] is True
    names = [each["name"] for each in served.client.get("/api/inspections").json()["results"]]
    assert sorted(names) == ["after", "away 0", "away 1", "away 2", "before"]
    assert served.metric('lightdet_records_total{outcome="late"}') == 3
    assert served.metric("lightdet_database_up") == 1


def test_a_slow_database_does_not_hold_up_an_answer(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    served = start(record_wait=0.2)
    insert = served.service.store.insert

    def slow(entries: Any) -> None:
        time.sleep(3.0)
        insert(entries)

    monkeypatch.setattr(served.service.store, "insert", slow)
    began = time.monotonic()
    assert served.detect(BAD).json()["recorded"] is False
    assert time.monotonic() - began < 2.5
    wait_for(lambda: len(served.client.get("/api/inspections").json()["results"]) == 1)


# --- many at once -----------------------------------------------------------------------------------------


def test_many_callers_get_each_their_own_answer(start: Start) -> None:
    served = start(limits={"queue": 100, "concurrency": 4})
    pictures = {label: paint((label, 120 + 40 * label, 10 + label, 20, 50, 60)) for label in range(3)}

    def ask(number: int) -> bool:
        result = served.detect(pictures[number % 3], name=str(number)).json()["results"][0]
        found = result["detections"][0]
        return result["name"] == str(number) and (found["label"], found["box"][0]) == (number % 3, 10 + number % 3)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(120)))
    assert served.client.get("/api/statistics").json()["inspected"] == 120
    assert served.metric('lightdet_requests_total{method="POST",route="/api/detect",status="200"}') == 120


def test_status_pages_answer_while_the_network_works(start: Start) -> None:
    served = start(delay=3.0, limits={"concurrency": 1})
    thread = threading.Thread(target=served.detect, args=(GOOD,))
    thread.start()
    wait_for(lambda: served.metric("lightdet_working") == 1)
    began = time.monotonic()
    assert served.client.get("/health").json() == {"status": "alive"}
    assert served.client.get("/api/statistics").status_code == 200
    assert time.monotonic() - began < 2.5
    thread.join()


def lines(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if not line.startswith("#"))


def test_metrics_can_be_read(served: Any) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    served.detect(BAD)
    served.client.get("/nowhere/" + "x" * 50)
    response = served.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    assert {"lightdet_requests", "lightdet_request_seconds", "lightdet_inspections", "lightdet_defects"} <= set(
        families
    )
    routes = {sample.labels["route"] for sample in families["lightdet_requests"].samples}
    assert routes == {"/api/detect", "other"}  # nobody makes new series by asking for new addresses
    assert {s.labels["name"]: s.value for s in families["lightdet_defects"].samples} == {
        "red": 1, "green": 0, "=blue+": 0,
    }  # fmt: skip
