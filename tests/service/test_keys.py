"""API keys with names and roles: how a file of them is read, and what each role may do."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from colors import paint

from lightdet.errors import UserError
from lightdet.service.keys import RIGHTS, Key, read_keys

BAD = paint((0, 200, 10, 20, 50, 60))
KEYS = {role: f"{role}-0123456789abcdef" for role in RIGHTS}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Key, ...]:
    file = tmp_path_factory.mktemp("keys") / "keys"
    lines = [f"{role}.1 {role} {key}" for role, key in KEYS.items()]
    file.write_text("# name role key\n\n" + "\n".join(lines), encoding="utf-8")
    return read_keys(file)


def test_a_file_of_keys(keys: tuple[Key, ...], tmp_path: Path) -> None:
    assert [(key.name, key.role) for key in keys] == [(f"{role}.1", role) for role in RIGHTS]
    assert not any(key in repr(keys) for key in KEYS.values())
    hashed = tmp_path / "hashed"
    digests = {role: hashlib.sha256(key.encode()).hexdigest() for role, key in KEYS.items()}
    hashed.write_text("".join(f"{role}.1  {role}\tsha256:{digest}\r\n" for role, digest in digests.items()))
    assert read_keys(hashed) == keys


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no key"),
        ("# a remark\n", "holds no key"),
        ("a operator", ":1: write NAME ROLE KEY"),
        ("a operator 0123456789abcdef more", ":1: write NAME ROLE KEY"),
        ("\na boss 0123456789abcdef", ":2: the role of 'a' must be operator, integrator, engineer"),
        ("a operator secret", "must have 16 characters or more"),
        ("a operator sécret-sécret-sécret", "plain ASCII"),
        ("a operator sha256:abc", "must have 64 digits"),
        ("-a operator 0123456789abcdef", "a name has up to 64 letters"),
        ("a operator 0123456789abcdef\na engineer 0123456789abcdeg", ":2: the name 'a' appears twice"),
        ("a operator 0123456789abcdef\nb engineer 0123456789abcdef", ":2: the key of 'b' appears twice"),
    ],
)
def test_a_line_that_is_no_key(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_keys(file)
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert "0123456789" not in str(caught.value)


ZONES = {"units": "share", "zones": [{"name": "a", "look": [[0, 0], [1, 0], [1, 1]]}]}


def asked(served: Any, role: str) -> dict[str, int]:
    """The status of what each right stands for."""
    headers = {"x-api-key": KEYS[role]}
    client = served.client
    return {
        "inspect": client.post("/api/detect", content=BAD, headers=headers).status_code,
        "read": client.get("/api/inspections", headers=headers).status_code,
        "override": client.post("/api/detect?threshold=0.9", content=BAD, headers=headers).status_code,
        "change_model": client.post("/api/model/change", headers=headers).status_code,
        "change_zones": client.post("/api/zones/change", headers=headers, json=ZONES).status_code,
    }


def test_what_each_role_may_do(start: Any, keys: tuple[Key, ...]) -> None:
    served = start(keys=keys, allow_override=True)
    for role, rights in RIGHTS.items():
        told = asked(served, role)
        assert {right for right, status in told.items() if status != 403} == rights & set(told), role
    refused = served.client.post("/api/model/change", headers={"x-api-key": KEYS["operator"]}).json()["error"]
    assert refused["code"] == "wrong_role"
    assert "needs the role engineer; 'operator.1' has the role operator" in refused["message"]


def test_every_address_of_the_api_asks_for_a_right(start: Any, keys: tuple[Key, ...]) -> None:
    """Each says so in the description of the API: none was forgotten."""
    served = start(keys=keys)
    paths = served.client.get("/openapi.json").json()["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert ("security" not in operation) or "403" in operation["responses"], (method, path)


def test_a_key_that_is_wrong_is_told_from_one_that_is_missing(start: Any, keys: tuple[Key, ...]) -> None:
    served = start(keys=keys)
    wrong = served.client.get("/api/model", headers={"x-api-key": "operator-0123456789abcdeX"})
    missing = served.client.get("/api/model")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "wrong_key")
    assert (missing.status_code, missing.json()["error"]["code"]) == (401, "no_key")
    assert "unknown" in wrong.json()["error"]["message"] and "is needed" in missing.json()["error"]["message"]


def test_who_sent_it_from_where_is_on_record(start: Any, keys: tuple[Key, ...]) -> None:
    served = start(keys=keys, station="Line 1")
    client, key = served.client, {"x-api-key": KEYS["integrator"], "content-type": "image/png"}

    def sent(headers: dict[str, Any]) -> dict[str, Any]:
        answer = client.post("/api/detect", content=BAD, headers=key | headers).json()["results"][0]
        record: dict[str, Any] = client.get(f"/api/inspections/{answer['id']}", headers=key).json()
        assert {name: answer[name] for name in record} == record
        return record

    plain = sent({})
    assert (plain["key"], plain["role"], plain["station"], plain["order"]) == (
        "integrator.1",
        "integrator",
        "Line 1",
        "",
    )
    named = sent({"x-station": "Prüfplatz 2".encode(), "x-order": "4711/a"})
    assert (named["station"], named["order"]) == ("Prüfplatz 2", "4711/a")
    form = client.post(
        "/api/detect", files={"a": ("a.png", BAD)}, data={"station": "S3", "order": "Ä1"},
        headers={"x-api-key": KEYS["operator"]},
    ).json()["results"][0]  # fmt: skip
    assert (form["key"], form["station"], form["order"]) == ("operator.1", "S3", "Ä1")


@pytest.mark.parametrize(
    ("headers", "fields", "told"),
    [
        ({"x-station": "a"}, {"station": "b"}, "station: given more than once, and differently"),
        ({"x-order": "x" * 101}, {}, "order: must have up to 100 characters"),
        ({}, {"station": "a\nb"}, "station: must have up to 100 characters that can be shown"),
    ],
)
def test_what_cannot_be_recorded_is_refused(
    shared: Any, headers: dict[str, str], fields: dict[str, str], told: str
) -> None:
    response = shared.client.post("/api/detect", files={"a": ("a.png", BAD)}, data=fields, headers=headers)
    assert response.status_code == 422 and told in response.json()["error"]["message"]
    same = {"x-station": "a"}, {"station": "a"}
    assert (
        shared.client.post("/api/detect", files={"a": ("a.png", BAD)}, headers=same[0], data=same[1]).status_code == 200
    )
