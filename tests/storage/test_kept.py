"""Files by URL kept on this computer: fetched once, renewed when they change, within a limit of space."""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightdet.errors import UserError
from lightdet.storage import kept
from lightdet.storage.datasets import local_dataset
from lightdet.storage.kept import kept_folder, local_file, note_address, shown_path


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTDET_CACHE", str(tmp_path / "kept"))


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that were fetched."""
    fetched: list[str] = []
    fetch = kept._download

    def counted(url: str, target: Path, size: int | None) -> None:
        fetched.append(url)
        fetch(url, target, size)

    monkeypatch.setattr(kept, "_download", counted)
    return fetched


def test_a_local_path_stays_itself(tmp_path: Path) -> None:
    assert local_file("best.safetensors") == Path("best.safetensors") and not kept_folder().exists()
    assert local_file(f"file://{tmp_path}/a.onnx") == tmp_path / "a.onnx"


def test_a_file_is_fetched_once_and_again_when_it_changes(s3: Any, downloads: list[str]) -> None:
    s3.pipe_file("lake/kept/best.safetensors", b"first")
    url = "s3://lake/kept/best.safetensors"
    path = local_file(Path(url))  # as an option gives it
    assert path.name == "best.safetensors" and path.read_bytes() == b"first" and local_file(url) == path
    assert downloads == [url]
    s3.pipe_file("lake/kept/best.safetensors", b"other")  # of the same size
    newer = local_file(url)
    assert newer.read_bytes() == b"other" and path.read_bytes() == b"first" and len(downloads) == 2


@pytest.mark.parametrize(
    ("copied", "url"),
    [
        (local_file, "s3://lake/used/best.safetensors"),
        (local_dataset, "s3://lake/used"),
        (local_dataset, "s3://lake/used/parts.tar"),
    ],
)
def test_what_a_running_process_uses_stays_used(
    s3: Any, monkeypatch: pytest.MonkeyPatch, copied: Callable[[str], Path], url: str
) -> None:
    """A training of days reads its pictures to the end."""
    monkeypatch.setattr(kept, "NOTED_EVERY", 0.05)
    monkeypatch.setattr(kept, "_used", set())
    s3.pipe_file("lake/used/best.safetensors", b"first")
    s3.pipe_file("lake/used/parts.tar", a_tar())
    folder = copied(url).parent
    os.utime(folder, (0, 0))
    deadline = time.monotonic() + 10
    while time.time() - folder.stat().st_mtime > kept.UNUSED_SECONDS:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def a_tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("a.png")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"A"))
    return file.getvalue()


def test_a_copy_is_shown_by_its_address(s3: Any, tmp_path: Path) -> None:
    s3.pipe_file("lake/shown/set/dataset.yaml", b"name: x")
    s3.pipe_file("lake/shown/set/images/a.png", b"x")
    for url in ("s3://lake/shown/set", "s3://lake/shown/set/dataset.yaml"):
        assert shown_path(local_dataset(url)) == url
    copy = local_dataset("s3://lake/shown/set")
    assert shown_path(copy / "images" / "a.png") == "s3://lake/shown/set/images/a.png"
    assert shown_path(local_file("s3://lake/shown/set/dataset.yaml")) == "s3://lake/shown/set/dataset.yaml"
    assert shown_path("best.onnx") == "best.onnx" and shown_path(tmp_path / "a") == str(tmp_path / "a")


def test_no_password_is_kept(tmp_path: Path) -> None:
    copy = kept_folder() / "files" / "a.onnx-0"
    copy.mkdir(parents=True)
    note_address(copy, "https://me:gEhEiM@plant.example/a.onnx?token=gEhEiM")
    assert shown_path(copy / "a.onnx") == "https://plant.example/a.onnx"
    assert b"gEhEiM" not in b"".join(path.read_bytes() for path in copy.iterdir())


def test_weights_beside_an_xml_come_along(s3: Any) -> None:
    s3.pipe_file("lake/kept/m.xml", b"<net/>")
    s3.pipe_file("lake/kept/m.bin", b"weights")
    path = local_file("s3://lake/kept/m.xml")
    assert path.with_suffix(".bin").read_bytes() == b"weights"
    s3.pipe_file("lake/kept/m.bin", b"changed")
    assert local_file("s3://lake/kept/m.xml").with_suffix(".bin").read_bytes() == b"changed"


def test_a_missing_file_a_folder_and_an_archive_are_refused(s3: Any) -> None:
    s3.pipe_file("lake/kept/d/a.onnx", b"x")
    for url, why in (
        ("s3://lake/kept/gone.onnx", "no such"),
        ("s3://lake/kept/d", "is a folder"),
        ("zip://a.onnx::s3://lake/a.zip", "is in an archive"),
    ):
        with pytest.raises(UserError, match=f"{url}: .*{why}"):
            local_file(url)


def test_a_download_that_breaks_off_leaves_nothing(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.pipe_file("lake/kept/large.onnx", b"x" * 100)
    monkeypatch.setattr(kept, "MAX_FILE_BYTES", 50)
    with pytest.raises(UserError, match=r"s3://lake/kept/large.onnx: the file is larger"):
        local_file("s3://lake/kept/large.onnx")
    assert not [path for path in kept_folder().rglob("*") if path.is_file()]


def test_what_was_unused_for_longest_makes_room(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTDET_CACHE_GB", "0.000001")  # 1000 bytes
    for name in ("a", "b", "c"):
        s3.pipe_file(f"lake/kept/{name}.onnx", b"x" * 400)
    first, second = (local_file(f"s3://lake/kept/{name}.onnx") for name in ("a", "b"))
    with pytest.raises(UserError, match="set LIGHTDET_CACHE_GB"):
        local_file("s3://lake/kept/c.onnx")
    assert first.is_file() and second.is_file()  # both may be in use
    for age, path in ((3, second), (2, first)):
        os.utime(path.parent, times=(time.time() - age * kept.UNUSED_SECONDS,) * 2)
    assert local_file("s3://lake/kept/c.onnx").is_file()
    assert first.is_file() and not second.exists()
    monkeypatch.setenv("LIGHTDET_CACHE_GB", "many")
    with pytest.raises(UserError, match="LIGHTDET_CACHE_GB should be a number"):
        local_file("s3://lake/kept/b.onnx")
