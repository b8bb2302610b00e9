"""What holds for S3 holds for Google's and Azure's stores: the same through every kind of server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cloud_servers import KEY, azure_server, google_server
from small_detector import save_small_detector

from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.storage.bucket import Bucket
from lightdet.storage.datasets import local_dataset
from lightdet.storage.kept import local_file
from lightdet.storage.listing import Listing
from lightdet.storage.outgoing import check_free_url


class Lake:
    """An empty folder of a bucket, and a file system to it that has seen nothing of what the package's own one has."""

    def __init__(self, scheme: str, folder: str) -> None:
        self.scheme, self.path, self.url = scheme, f"lake/{folder}", f"{scheme}://lake/{folder}"
        import fsspec

        self.other = fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False)

    def put(self, name: str, data: bytes) -> None:
        self.other.pipe_file(f"{self.path}/{name}", data)

    def names(self, below: str = "", **options: Any) -> list[str]:
        listing = Listing(f"{self.url}{below}", lambda path: path.endswith(".png"), **options)
        return [file.name.removeprefix(f"{self.url}/") for file in listing]


@pytest.fixture(scope="module", params=["s3", "gs", "az"])
def scheme(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "s3":
        request.getfixturevalue("s3_here")
        yield "s3"
    else:
        with google_server() if request.param == "gs" else azure_server() as found:
            yield found


@pytest.fixture
def lake(scheme: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("LIGHTDET_CACHE", str(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path)
    return Lake(scheme, request.node.originalname)


def test_folders_and_globs(lake: Lake) -> None:
    for name in ("a.png", "b b.png", "#1?.png", "ü.png", "x/b.png", "x/y/c.png", "a.txt", ".hidden.png", "empty.png"):
        lake.put(name, b"" if name == "empty.png" else name.encode())
    here = {"a.png", "b b.png", "#1%3F.png", "ü.png", "empty.png"}
    assert set(lake.names()) == here and lake.names() == sorted(lake.names())
    assert set(lake.names(recursive=True)) == {*here, "x/b.png", "x/y/c.png"}
    assert set(lake.names("/**/*.png")) == {*here, "x/b.png", "x/y/c.png"}
    assert set(lake.names("/*/b.png")) == {"x/b.png"} and lake.names("/[ab]*.png") == ["a.png", "b b.png"]
    read = {file.place: file.read(100) for file in Listing(lake.url, lambda path: path.endswith(".png"))}
    assert read == {place: b"" if place == "empty.png" else place.encode() for place in read}


def test_what_another_program_changed_is_seen(lake: Lake, tmp_path: Path) -> None:
    lake.put("set/a.png", b"first")
    assert lake.names("/set") == ["set/a.png"]
    first = local_file(f"{lake.url}/set/a.png")
    assert (local_dataset(f"{lake.url}/set") / "a.png").read_bytes() == first.read_bytes() == b"first"
    lake.put("set/a.png", b"other")
    lake.put("set/b.png", b"new")
    assert lake.names("/set") == ["set/a.png", "set/b.png"]
    assert local_file(f"{lake.url}/set/a.png").read_bytes() == b"other" and first.read_bytes() == b"first"
    copy = local_dataset(f"{lake.url}/set")
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == {"a.png": b"other", "b.png": b"new"}
    lake.other.rm_file(f"{lake.path}/set/a.png")
    assert lake.names("/set") == ["set/b.png"]
    assert [path.name for path in local_dataset(f"{lake.url}/set").iterdir()] == ["b.png"]


def test_kept_pictures_are_written_found_and_deleted(lake: Lake) -> None:
    bucket = Bucket(lake.url)
    bucket.check()
    assert bucket.folders() == list(bucket.files()) == []
    for name in ("2026/b.png", "2026/a.png", "2027/c.png"):
        bucket.write(name, name.encode())
    assert bucket.folders() == ["2026", "2027"]
    bucket.write("2026/a.png", b"again")
    assert list(bucket.files("2026/")) == [("2026/a.png", 5), ("2026/b.png", 10)]
    assert bucket.read("2026/a.png") == b"again" and bucket.read("2026/gone.png") is None
    bucket.delete(["2026/a.png", "2026/gone.png", "2027/c.png"])
    assert list(bucket.files()) == [("2026/b.png", 10)] and bucket.folders() == ["2026"]


def test_what_is_not_there_is_told_in_one_line(lake: Lake) -> None:
    for url in (f"{lake.scheme}://nowhere/in", f"{lake.url}/gone.png"):
        with pytest.raises(UserError, match=f"{url}: cannot be read: there is no such bucket"):
            [file.read(10) for file in Listing(url, lambda path: path.endswith(".png"))]
    with pytest.raises(UserError, match=f"{lake.scheme}://nowhere/out: cannot be written: there is no such bucket"):
        check_free_url(f"{lake.scheme}://nowhere/out", overwrite=False)


def test_a_wrong_key_is_told_without_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    if lake.scheme != "az":
        pytest.skip("the servers for S3 and Google's store let everybody in")
    given = os.environ["AZURE_STORAGE_CONNECTION_STRING"].replace(KEY, "ZkFsU2No")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", given)
    type(lake.other).clear_instance_cache()
    with pytest.raises(
        UserError, match=r"cannot be written: access is forbidden; check the credentials and the rights$"
    ):
        Bucket(lake.url).check()
    type(lake.other).clear_instance_cache()


def test_the_commands(lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))[1].tobytes()
    save_small_detector(tmp_path / "m.safetensors", ("dent",), bias=0.0)
    lake.put("m.safetensors", (tmp_path / "m.safetensors").read_bytes())
    for name in ("a", "x/b"):
        lake.put(f"set/images/val/{name}.png", picture)
        lake.put(f"set/labels/val/{name}.txt", b"0 0.5 0.5 0.2 0.2\n")
    lake.put("set/data.yaml", b"val: images/val\nnc: 1\nnames: [dent]\n")
    model, pictures = ["--weights", f"{lake.url}/m.safetensors"], f"{lake.url}/set/images/val"
    given = ["detect", pictures, "--recursive", *model, "--save=json,csv"]
    assert main([*given, "--output", f"{lake.url}/out"]) == 0
    told = json.loads(lake.other.cat_file(f"{lake.path}/out/detections.json"))
    assert [each["source"] for each in told["results"]] == [f"{pictures}/a.png", f"{pictures}/x/b.png"]
    assert any(each["detections"] for each in told["results"])
    sent = {name.removeprefix(f"{lake.path}/out/") for name in lake.other.find(f"{lake.path}/out")}
    assert sent == {"detections.json", "detections.csv", "a.jpg", "x/b.jpg"}
    capsys.readouterr()
    assert main([*given, "--output", f"{lake.url}/out"]) == 2
    assert f"{lake.url}/out: is not empty; add --overwrite" in capsys.readouterr().err
    assert main(["val", *model, "--data", f"{lake.url}/set/data.yaml", "--output", "val"]) == 0
    assert main(["val", *model, "--data", f"{lake.url}/set/data.yaml", "--output", "again"]) == 0
