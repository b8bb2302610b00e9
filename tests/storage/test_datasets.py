"""Data sets by URL and in archives become folders here, the same as what is stored."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lightdet.errors import UserError
from lightdet.storage import bucket_copy, datasets
from lightdet.storage.datasets import local_dataset
from lightdet.storage.kept import kept_folder


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTDET_CACHE", str(tmp_path / "kept"))


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The places of the files that were fetched from a bucket."""
    places: list[str] = []
    fetch = bucket_copy._fetch

    def counted(file: Any, target: Path) -> None:
        places.append(file.place)
        fetch(file, target)

    monkeypatch.setattr(bucket_copy, "_fetch", counted)
    return places


def stored(s3: Any, folder: str, files: dict[str, bytes]) -> dict[str, bytes]:
    for name, data in files.items():
        s3.pipe_file(f"{folder}/{name}", data)
    return files


def test_a_bucket_is_copied_and_then_only_what_changed(s3: Any, fetched: list[str]) -> None:
    files = {"set.yaml": b"format: yolo", "images/a.png": b"A", "images/b.png": b"B", "labels/a.txt": b"0"}
    stored(s3, "lake/sets", files)
    described = local_dataset(Path("s3://lake/sets/set.yaml"))
    assert described.name == "set.yaml" and content(described.parent) == files
    assert sorted(fetched) == sorted(files)
    fetched.clear()
    assert local_dataset("s3://lake/sets") == described.parent and fetched == []
    s3.pipe_file("lake/sets/images/a.png", b"C")
    s3.rm_file("lake/sets/images/b.png")
    described.with_name("labels").joinpath("a.txt").unlink()
    changed = local_dataset("s3://lake/sets/")
    assert sorted(fetched) == ["images/a.png", "labels/a.txt"]
    assert content(changed) == {"set.yaml": b"format: yolo", "images/a.png": b"C", "labels/a.txt": b"0"}


def test_what_a_training_was_given_stays_as_it_is(s3: Any, fetched: list[str]) -> None:
    before = stored(s3, "lake/busy", {"a.png": b"A", "b.png": b"B", "c.png": b"C"})
    first = local_dataset("s3://lake/busy")
    after = stored(s3, "lake/busy", {"a.png": b"AA"}) | {"c.png": b"C"}
    s3.rm_file("lake/busy/b.png")
    second = local_dataset("s3://lake/busy")
    assert content(first) == before and content(second) == after
    stored(s3, "lake/busy", before)
    fetched.clear()
    assert content(local_dataset("s3://lake/busy")) == before and content(second) == after


def test_what_somebody_deleted_in_a_copy_is_fetched_again(s3: Any, fetched: list[str]) -> None:
    files = stored(s3, "lake/torn", {"a.png": b"A", "b.png": b"B"})
    copy = local_dataset("s3://lake/torn")
    (copy / "b.png").unlink()
    fetched.clear()
    assert local_dataset("s3://lake/torn") == copy and content(copy) == files and fetched == ["b.png"]


def test_a_copy_that_was_broken_off_is_continued(s3: Any, fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    files = stored(s3, "lake/off", {f"{number:03}.png": b"%d" % number for number in range(70)})
    fetch = bucket_copy._fetch

    def failing(file: Any, target: Path) -> None:
        if file.place == "069.png":
            raise UserError("cannot be read", path=file.name)
        fetch(file, target)

    with monkeypatch.context() as patch:
        patch.setattr(bucket_copy, "_fetch", failing)
        with pytest.raises(UserError, match="cannot be read"):
            local_dataset("s3://lake/off")
    fetched.clear()
    assert content(local_dataset("s3://lake/off")) == files and set(fetched) <= {*sorted(files)[64:]}


@pytest.mark.parametrize("linked", [True, False])
def test_a_copy_takes_only_the_space_of_what_changed(
    s3: Any, monkeypatch: pytest.MonkeyPatch, fetched: list[str], linked: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    if not linked:
        monkeypatch.setattr(bucket_copy.os, "link", refuse)
    files = stored(s3, "lake/large", {"a.png": bytes(10_000), "b.png": b"B"})
    first = local_dataset("s3://lake/large")
    fetched.clear()
    files |= stored(s3, "lake/large", {"b.png": b"BB"})
    second = local_dataset("s3://lake/large")
    assert second != first and content(second) == files and fetched == ["b.png"]
    assert (second / "a.png").samefile(first / "a.png") == linked


def test_a_bucket_that_changes_during_the_copy_is_refused(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(s3, "lake/moving", {"a.png": b"A"})
    room = bucket_copy._with_room

    def changing(*given: Any) -> Any:
        stored(s3, "lake/moving", {"b.png": b"B"})
        return room(*given)

    with monkeypatch.context() as patch:
        patch.setattr(bucket_copy, "_with_room", changing)
        with pytest.raises(UserError, match="was changed while it was copied"):
            local_dataset("s3://lake/moving")
    assert content(local_dataset("s3://lake/moving")) == {"a.png": b"A", "b.png": b"B"}


@pytest.mark.parametrize("remote", [False, True])
def test_an_archive_is_unpacked_once(tmp_path: Path, s3: Any, remote: bool) -> None:
    path = tmp_path / "parts.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("set/images/a.png", b"A")
        archive.writestr("set/labels/a.txt", b"0")
    s3.put_file(path, "lake/archived/parts.zip")
    text = "s3://lake/archived/parts.zip" if remote else str(path)
    folder = local_dataset(text)
    assert content(folder) == {"images/a.png": b"A", "labels/a.txt": b"0"}
    (folder / "left").write_bytes(b"here")
    assert local_dataset(text) == folder and (folder / "left").exists()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("set/images/b.png", b"BB")
    s3.put_file(path, "lake/archived/parts.zip")
    assert content(local_dataset(text)) == {"images/b.png": b"BB"}


def test_two_archives_of_one_name_size_and_time_stay_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reproducible builds give all their files one time."""
    copies = {}
    for name in ("d1", "d2"):
        (tmp_path / name).mkdir()
        path = tarred(tmp_path / name / "parts.tar", {"a.txt": name.encode()})
        os.utime(path, (0, 0))
        monkeypatch.chdir(path.parent)
        copies[name] = local_dataset("parts.tar")
        assert local_dataset(path) == copies[name]
        assert content(copies[name]) == {"a.txt": name.encode()}
    (tmp_path / "d2" / "parts.tar").replace(tmp_path / "d1" / "parts.tar")
    assert content(local_dataset(tmp_path / "d1" / "parts.tar")) == {"a.txt": b"d2"}


def test_what_of_an_archive_is_given_makes_a_copy(tmp_path: Path) -> None:
    path = tarred(tmp_path / "parts.tar", {"one/a.png": b"A", "two/b.png": b"B"})
    assert set(content(local_dataset(f"tar://one::{path}"))) == {"a.png"}
    assert set(content(local_dataset(f"tar://two::{path}"))) == {"b.png"}
    assert set(content(local_dataset(path))) == {"one/a.png", "two/b.png"}


def test_an_archive_that_shows_no_change_is_unpacked_beside_the_last(
    tmp_path: Path, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that says neither when nor what: the next command cannot know whether the copy is still right."""
    s3.put_file(tarred(tmp_path / "parts.tar", {"a.png": b"A"}), "lake/silent/parts.tar")
    monkeypatch.setattr(datasets, "mark", lambda _facts: None)
    first = local_dataset("s3://lake/silent/parts.tar")
    s3.put_file(tarred(tmp_path / "parts.tar", {"b.png": b"B"}), "lake/silent/parts.tar")
    assert content(local_dataset("s3://lake/silent/parts.tar")) == {"b.png": b"B"}
    assert content(first) == {"a.png": b"A"}


def test_shards_with_classes_become_a_folder_for_each(tmp_path: Path) -> None:
    for number in range(2):
        files = {
            f"{number}.jpg": b"J",
            f"{number}.cls": b"good\n",
            f"x/{number}.side.jpg": b"K",
            f"x/{number}.cls": b"7",
        }
        tarred(tmp_path / f"s-{number}.tar", files)
    folder = local_dataset(f"{tmp_path}/s-{{0..1}}.tar")
    assert set(content(folder)) == {"good/0.jpg", "good/1.jpg", "7/x/0.side.jpg", "7/x/1.side.jpg"}


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"../a.png": b"x"}, "leads out of the data set"),
        ({"/etc/a.png": b"x"}, "leads out of the data set"),
        ({"a.jpg": b"x", "a.cls": b"../b"}, "should hold a class"),
        ({"a.png": b"x" * 2000}, "larger than the 1e-06 GB"),
        ({}, "holds no files"),
    ],
)
def test_what_is_refused_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], why: str
) -> None:
    monkeypatch.setenv("LIGHTDET_CACHE_GB", "0.000001")
    path = tarred(tmp_path / "parts.tar", files)
    with pytest.raises(UserError, match=why):
        local_dataset(path)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p != path]


def test_all_data_sets_together_keep_the_limit(tmp_path: Path, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of 1.5 MB, of many files, with 2 MB allowed; then another one, by either way."""
    monkeypatch.setenv("LIGHTDET_CACHE_GB", "0.002")
    many = {f"{number}.png": bytes(15_000) for number in range(100)}
    first = local_dataset(tarred(tmp_path / "a.tar", many))
    stored(s3, "lake/many", many)
    second = tarred(tmp_path / "b.tar", many)
    for other in (second, "s3://lake/many"):
        with pytest.raises(UserError, match=r"kept copies would take 0\.00(2|3)\d* GB, and 0\.002 GB are allowed"):
            local_dataset(other)
        assert content(first) == many  # it may be in use
    assert content(local_dataset(tarred(tmp_path / "c.tar", {"a.png": bytes(10)}))) == {"a.png": bytes(10)}
    os.utime(first.parent, times=(0, 0))
    assert content(local_dataset(second)) == many and not first.exists()


def test_a_name_twice_and_a_set_over_http_are_refused(tmp_path: Path, s3: Any) -> None:
    for number in range(2):
        tarred(tmp_path / f"s-{number}.tar", {"a.jpg": b"J"})
    with pytest.raises(UserError, match="is there twice"):
        local_dataset(f"{tmp_path}/s-{{0..1}}.tar")
    with pytest.raises(UserError, match=r"over HTTP is read from an archive"):
        local_dataset("https://h/set/data.yaml")
    with pytest.raises(UserError, match=r"s3://lake/no/set: holds no files"):
        local_dataset("s3://lake/no/set/data.yaml")
    assert not list(kept_folder().rglob("*.jpg"))
