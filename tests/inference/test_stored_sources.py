"""Pictures in archives and by URL through ``lightdet detect``."""

from __future__ import annotations

import http.server
import io
import json
import subprocess
import sys
import tempfile
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pil

from lightdet.errors import UserError
from lightdet.inference import stored_sources
from lightdet.inference.sources import Sources, expand_sources
from lightdet.inference.stored_sources import TakenPlaces, plain_place
from lightdet.options.val import ValOptions
from lightdet.storage.filesystem import filesystem
from lightdet.storage.listing import Listing
from lightdet.storage.stored_file import StoredFile

Detect = Callable[..., tuple[int, str, str]]


@pytest.fixture
def png(painted: Callable[..., np.ndarray]) -> bytes:
    data = io.BytesIO()
    Pil.fromarray(painted(120, 90, ("red", 10, 10, 30, 40), ("green", 50, 20, 100, 60))).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a server on loopback that gives the files of ``tmp_path / "web"``."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    (tmp_path / "web").mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "web")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def result(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(folder, "detections.json").read_text())
    return found


def test_a_bucket_gives_what_the_same_files_give_here(detect: Detect, s3: Any, png: bytes) -> None:
    Path("in/x").mkdir(parents=True)
    for name in ("a.png", "x/b.png", "c.jpg"):
        Path("in", name).write_bytes(png)
        s3.pipe_file(f"lake/found/{name}", png)
    formats = "--save=json,csv,yolo,coco"
    assert detect("in", "--recursive", formats, "-o", "here")[0] == 0
    code, out, _ = detect("s3://lake/found", "--recursive", formats, "-o", "there")
    assert code == 0 and "3 pictures" in out
    here, there = result("here"), result("there")
    boxes = [{Path(each["source"]).name: each["detections"] for each in found["results"]} for found in (here, there)]
    assert boxes[0] == boxes[1] and there["per_class"] == here["per_class"]
    assert {each["source"] for each in there["results"]} == {
        f"s3://lake/found/{n}" for n in ("a.png", "x/b.png", "c.jpg")
    }
    files = [{str(p.relative_to(folder)) for p in Path(folder).rglob("*.*")} for folder in ("here", "there")]
    assert files[0] == files[1]
    code, _, told = detect("s3://lake/found", "--recursive", "-o", "there")
    assert code == 2 and "there: is not empty; add --overwrite" in told
    assert detect("s3://lake/found", "--recursive", "-o", "there", "--overwrite")[0] == 0


def test_an_archive_here_by_http_and_in_a_bucket(detect: Detect, web: str, s3: Any, png: bytes) -> None:
    path = zipped(Path("web/parts.zip"), {"in/a.png": png, "in/a.jpg": png, "bad.png": png[:200], "notes.txt": b"-"})
    s3.put_file(path, "lake/zipped/parts.zip")
    (Path("web") / "one.png").write_bytes(png)
    for url in ("web/parts.zip", f"{web}/parts.zip", "s3://lake/zipped/parts.zip"):
        code, out, told = detect(url, "--save", "json", "--on-error", "skip", "-o", "found", "--overwrite")
        assert code == 0, told
        assert "2 pictures" in out and "passed over 1 file" in out
        assert f"zip://bad.png::{url}: the picture is truncated" in out
        assert {each["source"] for each in result("found")["results"]} == {
            f"zip://in/a.{suffix}::{url}" for suffix in ("png", "jpg")
        }
    assert Path("found/in/a.jpg").is_file() and Path("found/in/a-2.jpg").is_file()
    assert detect("zip://in/*.png::web/parts.zip", f"{web}/one.png", "--save", "json", "-o", "two")[0] == 0
    assert [each["source"] for each in result("two")["results"]] == ["zip://in/a.png::web/parts.zip", f"{web}/one.png"]


def test_what_is_wrong_is_told_before_the_network_is_loaded(detect: Detect, web: str, s3: Any) -> None:
    for url, why in (
        ("s3://nowhere/in", "there is no such bucket"),
        ("s3://lake/nothing/", "holds no pictures or videos"),
        (f"{web}/gone.zip", "there is no such bucket, container or file"),
        ("gone.zip", "no such file or folder"),
        ("zip://a.png", "name the archive as well"),
    ):
        code, out, told = detect(url)
        assert (code, out) == (2, "") and why in told and url in told and told.count("\n") == 1
    code, _, told = detect(f"{web.replace('//', '//me:gEhEiM@')}/gone.png")
    assert code == 2 and f"{web}/gone.png: cannot be read" in told and "gEhEiM" not in told


def stored(s3: Any, prefix: str) -> dict[str, bytes]:
    return {key.removeprefix(f"{prefix}/"): s3.cat_file(key) for key in s3.find(prefix)}


def test_two_addresses_of_one_name_are_refused(web: str, tmp_path: Path) -> None:
    """Their results could not be told apart."""
    zipped(tmp_path / "web" / "day.zip", {"a.png": b"x"})
    with pytest.raises(UserError, match=r"day\.zip: is given twice, with other words") as raised:
        expand_sources([f"{web}/day.zip?day=1", f"{web}/day.zip?day=2"], stored=True)
    assert "day=" not in str(raised.value)
    expand_sources([f"{web}/day.zip?day=1", str(tmp_path / "web" / "day.zip")], stored=True)


def test_results_go_to_a_bucket_whole(detect: Detect, s3: Any, png: bytes) -> None:
    Path("in/x").mkdir(parents=True)
    for name in ("a.png", "x/b.png"):
        Path("in", name).write_bytes(png)
    formats = "--save=json,csv,yolo,coco"
    assert detect("in", "-r", formats, "-o", "here")[0] == 0
    code, out, _ = detect("in", "-r", formats, "-o", "s3://lake/results/day 1/")
    assert code == 0 and "results in s3://lake/results/day 1" in out
    found = stored(s3, "lake/results/day 1")
    here = {p.relative_to("here").as_posix(): p.read_bytes() for p in Path("here").rglob("*") if p.is_file()}
    assert found.keys() == here.keys()
    assert all(found[name] == data for name, data in here.items() if not name.endswith(".json"))
    assert not Path("s3:").exists()
    code, _, told = detect("in", "-r", "-o", "s3://lake/results/day 1")
    assert code == 2 and "s3://lake/results/day 1: is not empty; add --overwrite" in told
    assert detect("in", "-r", "-o", "s3://lake/results/day 1", "--overwrite")[0] == 0


def test_a_run_that_breaks_off_keeps_what_was_done(detect: Detect, s3: Any, png: bytes) -> None:
    zipped(Path("parts.zip"), {"a.png": png, "b.png": png[:100], "c.png": png})
    code, _, told = detect("parts.zip", "--save", "json", "-b", "1", "-o", "s3://lake/results/broken")
    assert code == 2 and "b.png" in told
    found = stored(s3, "lake/results/broken")
    assert set(found) == {"a.jpg", "detections.json"} and not json.loads(found["detections.json"])["complete"]


@pytest.mark.parametrize("broken", [False, True])
def test_results_that_cannot_be_sent_stay_here(
    detect: Detect, s3: Any, png: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: bool
) -> None:
    """Hours of work, and credentials that end after one."""
    Path("a.png").write_bytes(png)
    Path("b.png").write_bytes(png[:100] if broken else png)

    def away(*_: Any) -> None:
        raise PermissionError("the token has expired")

    monkeypatch.setattr(filesystem("s3://lake/late")[0], "put_file", away)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code, _, told = detect("a.png", "b.png", "--save", "json", "-b", "1", "-o", "s3://lake/late")
    assert code == 2 and told.count("\n") == 1 and ("b.png: " in told) == broken
    (kept,) = tmp_path.glob("lightdet-*")
    assert f"all results are in {kept}: send them from there" in told
    assert (kept / "a.jpg").is_file() and json.loads((kept / "detections.json").read_text())["complete"] is not broken


def test_where_nothing_can_be_written(detect: Detect, s3: Any, png: bytes) -> None:
    Path("a.png").write_bytes(png)
    for url, why in (
        ("s3://nowhere/out", "cannot be written: there is no such bucket"),
        ("https://h/out", "cannot be written; results go to a folder"),
    ):
        code, _, told = detect("a.png", "-o", url)
        assert code == 2 and why in told and told.count("\n") == 1
    assert detect("a.png", "-o", f"file://{Path('made').absolute()}")[0] == 0 and Path("made/a.jpg").is_file()
    with pytest.raises(UserError, match="s3://lake/out: only 'lightdet detect' writes to a URL"):
        ValOptions("w.safetensors", data=".", output="s3://lake/out")


def test_a_video_of_an_archive(detect: Detect, png: bytes) -> None:
    frame = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (120, 90))
    for _ in range(5):
        writer.write(frame)
    writer.release()
    zipped(Path("parts.zip"), {"a/clip.avi": Path("clip.avi").read_bytes(), "a/b.png": png})
    assert detect("parts.zip", "--save", "json", "-o", "found")[0] == 0
    assert [each["frame"] for each in result("found")["results"]] == [0, 1, 2, 3, 4, None]
    assert Path("found/a/clip.mp4").is_file()
    code, _, told = detect("parts.zip", "--explain")
    assert code == 2 and "--explain" in told


@pytest.mark.parametrize(
    ("place", "stem"),
    [
        ("../../a.png", "a"),
        ("/etc/a.png", "etc/a"),
        ("in\\b.c.png", "in/b.c"),
        ("a#2.tif", "a_2"),
        ("..", "picture"),
        (".png", ".png"),
    ],
)
def test_results_stay_in_their_folder(place: str, stem: str) -> None:
    assert plain_place(place).as_posix() == stem


@pytest.mark.parametrize(
    ("form", "file"), [("json", "detections.json"), ("csv", "detections.csv"), ("coco", "coco.json")]
)
def test_what_all_sources_share_is_not_written_over(detect: Detect, png: bytes, form: str, file: str) -> None:
    archive = str(zipped(Path("a.zip"), {"a.png": png}))
    Path("out").mkdir()
    Path("out", file).write_bytes(b"mine")
    words = [archive, "--save", form, "--no-images", "-o", "out"]
    code, _, told = detect(*words)
    assert code == 2 and f"{file}: exists already; add --overwrite" in told
    assert Path("out", file).read_bytes() == b"mine"
    assert detect(*words, "--overwrite")[0] == 0 and Path("out", file).read_bytes() != b"mine"


def test_no_two_places_are_the_same() -> None:
    taken = TakenPlaces([(Path("a"), False)])
    assert [taken.free(Path(name), moves=False).as_posix() for name in ("a", "A", "a-2", "b/a", "\udcfc")] == [
        "a-2", "A-3", "a-2-2", "b/a", "\udcfc",
    ]  # fmt: skip


@pytest.mark.slow
def test_200_000_names_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """They go through one at a time: what the run holds does not grow with them."""

    def files(_self: Listing) -> Iterator[StoredFile]:
        for number in range(200_000):
            place = f"{number:0100d}.png"
            yield StoredFile(f"s3://lake/{place}", place, lambda _limit: b"")

    monkeypatch.setattr(Listing, "__iter__", files)
    sources = Sources(listings=[Listing("s3://lake/in", lambda _path: True)])
    assert sources.total is None
    tracemalloc.start()
    try:
        seen = sum(1 for _ in sources)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == 200_000
    assert peak < 25_000_000  # the names alone would be 32 MB, the sources more


def test_other_commands_do_not_read_them() -> None:
    with pytest.raises(UserError, match="s3://lake/in: is in an archive or by URL; this command reads files of this"):
        expand_sources(["s3://lake/in"])


def test_nothing_of_the_stores_is_imported_without_a_url(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {"a.png": b"x"})
    code = (
        "import sys; from lightdet.inference.sources import expand_sources; "
        f"list(expand_sources([{str(tmp_path / 'a.zip')!r}], stored=True)); "
        "sys.exit(bool({'fsspec', 's3fs', 'aiohttp', 'botocore'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert stored_sources.is_stored("https://h/a.png?x=1") and not stored_sources.is_stored("https://h/live.m3u8")
