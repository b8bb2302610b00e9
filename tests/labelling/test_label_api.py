"""What the labelling server answers: its contract, and who may ask."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_folders import FORMATS, SIZE, bare_folder, files_of, labelled_folder
from PIL import Image as Pil

Start = Callable[..., Any]
NEW = {"box": [5.0, 6.0, 50.0, 60.0], "name": "dent", "origin": None}
SAVED = {"version": 0, "marks": [NEW], "state": "labelled"}


def test_the_folder_and_its_pictures(start: Start, tmp_path: Path) -> None:
    served = start(labelled_folder(tmp_path / "set", "yolo"))
    told = served.get("/api/folder")
    assert (told["folder"], told["format"], told["model"], told["can_add"]) == ("set", "YOLO txt", None, True)
    assert told["states"] == {"unlabelled": 0, "labelled": 3, "doubtful": 0}
    assert told["classes"] == [{"name": "scratch", "boxes": 2}, {"name": "dent", "boxes": 1}]
    assert [(Path(each["name"]).stem, each["boxes"]) for each in told["pictures"]] == [
        ("a", 1), ("b", 2), ("c", 0),
    ]  # fmt: skip
    one = served.get(served.of(1))
    assert (one["size"], one["version"], one["can_undo"], one["can_redo"], one["fault"]) == (
        list(SIZE), 0, False, False, "",
    )  # fmt: skip
    assert [mark["name"] for mark in one["marks"]] == ["dent", "scratch"]
    assert np.allclose(one["marks"][0]["box"], [100, 20, 180, 60], atol=1e-3)


def test_saving_undoing_and_redoing(start: Start, tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path / "set", "yolo")
    served = start(folder)
    before = served.get(served.of(0))
    kept = {"box": before["marks"][0]["box"], "name": "scratch", "origin": 0}
    saved = served.client.put(served.of(0), json={"version": 0, "marks": [kept, NEW], "state": "labelled"}).json()
    assert saved["version"] == 2 and saved["can_undo"]  # the labels as they were found are a step as well
    assert saved["classes"] == [{"name": "scratch", "boxes": 2}, {"name": "dent", "boxes": 2}]
    assert len((folder / "labels/train/a.txt").read_text().splitlines()) == 2
    undone = served.client.post(served.of(0, "/undo"), json={"version": 2}).json()
    assert undone["marks"] == before["marks"] and (undone["can_undo"], undone["can_redo"]) == (False, True)
    assert served.client.post(served.of(0, "/redo"), json={"version": 3}).json()["marks"] == saved["marks"]
    refused = served.client.post(served.of(0, "/redo"), json={"version": 4})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "nothing")


def test_an_old_version_is_refused_in_a_clear_word(start: Start, tmp_path: Path) -> None:
    folder = bare_folder(tmp_path / "new")
    served = start(folder, form="yolo", classes=("dent",))
    first = {"version": 0, "marks": [NEW], "state": "labelled"}
    assert served.client.put(served.of(0), json=first).status_code == 200
    for answer in (
        served.client.put(served.of(0), json={**first, "marks": []}),
        served.client.post(served.of(0, "/undo"), json={"version": 1}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "changed_elsewhere")
        assert "another window" in answer.json()["error"]["message"]
    assert len(served.get(served.of(0))["marks"]) == 1


WRONG: list[tuple[Any, int]] = [
    (b"", 422),
    (b"{", 422),
    (b"[]", 422),
    ({"version": 0, "marks": []}, 422),
    ({"version": -1, "marks": [], "state": "labelled"}, 422),
    ({"version": "0", "marks": [], "state": "labelled"}, 422),
    ({"version": 0, "marks": [], "state": "perfect"}, 422),
    ({"version": 0, "marks": [], "state": "labelled", "more": 1}, 422),
    ({"version": 0, "marks": [{**NEW, "box": [1, 2, 3]}], "state": "labelled"}, 422),
    ({"version": 0, "marks": [{**NEW, "box": [1, 2, "3", 4]}], "state": "labelled"}, 422),
    ({"version": 0, "marks": [{**NEW, "box": [9, 9, 1, 1]}], "state": "labelled"}, 422),
    ({"version": 0, "marks": [{**NEW, "name": "unknown"}], "state": "labelled"}, 422),
    ({"version": 0, "marks": [{**NEW, "origin": 5}], "state": "labelled"}, 422),
    (b'{"version": 0, "state": "labelled", "marks": [{"box": [NaN, 1, 2, 3], "name": "dent"}]}', 422),
    (b" " * (5 << 20), 413),
]


@pytest.mark.parametrize(("body", "status"), WRONG, ids=range(len(WRONG)))
def test_wrong_requests_change_nothing(start: Start, tmp_path: Path, body: Any, status: int) -> None:
    folder = bare_folder(tmp_path / "new")
    served = start(folder, form="yolo", classes=("dent",))
    before = files_of(folder)
    answer = served.client.put(served.of(0), content=body if isinstance(body, bytes) else json.dumps(body))
    assert answer.status_code == status and answer.json()["error"]["message"]
    assert files_of(folder) == before


@pytest.mark.parametrize(
    "path", ["/api/pictures/3", "/api/pictures/0", f"/api/pictures/{'0' * 16}/image", "/static/../app.py"]
)
def test_what_is_not_there(start: Start, tmp_path: Path, path: str) -> None:
    assert start(bare_folder(tmp_path / "new")).client.get(path).status_code == 404


def test_classes_are_added(start: Start, tmp_path: Path) -> None:
    folder = bare_folder(tmp_path / "new")
    served = start(folder, form="yolo")
    here = served.get("/api/folder")["id"]
    told = served.client.post("/api/classes", json={"name": " crack ", "folder": here}).json()
    assert told["classes"] == [{"name": "crack", "boxes": 0}]
    assert (folder / "classes.txt").read_text() == "crack\n"
    for name in ("crack", " ", "a\nb"):
        assert served.client.post("/api/classes", json={"name": name, "folder": here}).status_code == 422


def test_a_model_proposes_boxes_of_known_classes(start: Start, tmp_path: Path) -> None:
    served = start(labelled_folder(tmp_path / "set", "yolo"), model=True)
    assert served.get("/api/folder")["model"] == "patches"
    found = served.get(served.of(1, "/proposals"))["proposals"]
    assert [(each["name"], each["score"]) for each in found] == [("scratch", 0.9), ("dent", 0.8), ("scratch", 0.2)]
    assert found[1]["box"] == [100, 20, 180, 60]
    other = start(bare_folder(tmp_path / "new"), form="yolo", classes=("dent",), model=True)
    assert other.get(other.of(0, "/proposals"))["proposals"] == []


def test_every_picture_is_sent_as_browsers_show_it(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "kinds"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    turned = Pil.Exif()
    turned[274] = 6
    Pil.fromarray(pixels).save(folder / "turned.jpg", exif=turned)
    Pil.fromarray(pixels).save(folder / "turned.webp", exif=turned, lossless=True)
    Pil.fromarray(pixels).save(folder / "plain.png")
    Pil.fromarray(pixels).save(folder / "scan.tif")
    Pil.fromarray(pixels[..., 0].astype(np.uint16) << 8).save(folder / "deep.png")
    served = start(folder, form="yolo", classes=("dent",))
    for number, (name, size) in enumerate(
        [
            ("deep.png", [30, 20]),
            ("plain.png", [30, 20]),
            ("scan.tif", [30, 20]),
            ("turned.jpg", [20, 30]),
            ("turned.webp", [20, 30]),
        ]
    ):
        told, sent = served.get(served.of(number)), served.client.get(served.of(number, "/image"))
        assert (told["name"], told["size"]) == (name, size)
        assert sent.headers["content-type"] in ("image/png", "image/jpeg")
        shown = Pil.open(io.BytesIO(sent.content))
        if name == "turned.jpg":  # as it is: the browser turns it
            assert sent.content == (folder / name).read_bytes()
        else:
            assert shown.mode in ("RGB", "L") and list(shown.size) == size
    assert (np.array(Pil.open(io.BytesIO(served.client.get(served.of(2, "/image")).content))) == pixels).all()


@pytest.mark.parametrize("form", FORMATS)
def test_names_that_are_no_text(start: Start, tmp_path: Path, form: str) -> None:
    """A name whose bytes are not UTF-8 is shown with escapes, and its picture is labelled like any other."""
    folder = bare_folder(tmp_path / "new", 2)
    (folder / "0.png").rename(folder / os.fsdecode(b"M\xfcller.png"))
    (folder / os.fsdecode(b"wrong\xfc.png")).write_bytes(b"no picture")
    served = start(folder, form=form, classes=("dent",))
    told = served.get("/api/folder")
    assert [each["name"] for each in told["pictures"]] == ["1.png", "M\\udcfcller.png", "wrong\\udcfc.png"]
    assert "wrong\\udcfc.png" in served.get(served.of(2))["fault"]
    broken = served.client.get(served.of(2, "/image"))
    assert broken.status_code == 422 and "wrong\\udcfc.png" in broken.json()["error"]["message"]
    assert served.client.put(served.of(2), json=SAVED).status_code == 422
    for number in (0, 1):
        saved = served.client.put(served.of(number), json=SAVED)
        assert saved.status_code == 200, saved.text
    assert served.client.get(served.of(1, "/image")).status_code == 200
    served.stop()
    again = start(folder)
    assert [mark["name"] for mark in again.get(again.of(1))["marks"]] == ["dent"]
    version = again.get(again.of(1))["version"]
    undone = again.client.post(again.of(1, "/undo"), json={"version": version})
    assert undone.status_code == 200 and undone.json()["state"] == "unlabelled"


# --- who may ask ---------------------------------------------------------------------------------------------


def test_other_sites_and_other_names_are_refused(start: Start, tmp_path: Path) -> None:
    served = start(bare_folder(tmp_path / "new"), form="yolo", classes=("dent",))
    body = {"version": 0, "marks": [NEW], "state": "labelled"}
    for headers, status in (
        ({"origin": "http://elsewhere.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"host": "elsewhere.example"}, 421),
    ):
        assert served.client.put(served.of(0), json=body, headers=headers).status_code == status
    assert served.client.get("/api/folder", headers={"host": "elsewhere.example"}).status_code == 421
    assert served.get(served.of(0))["version"] == 0
    assert served.client.put(served.of(0), json=body, headers={"origin": served.url}).status_code == 200


def test_the_page_may_load_nothing_from_elsewhere(start: Start, tmp_path: Path) -> None:
    page = start(bare_folder(tmp_path / "new")).client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "style-src 'self';" in policy
    assert page.headers["x-frame-options"] == "DENY" and "access-control-allow-origin" not in page.headers
