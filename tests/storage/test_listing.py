"""Listing and reading stores and archives: page by page, within the limits, errors in one line."""

from __future__ import annotations

import io
import socket
import tarfile
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from lightdet.errors import UserError
from lightdet.storage import filesystem, listing
from lightdet.storage.listing import Listing


def any_file(_path: str) -> bool:
    return True


def is_png(path: str) -> bool:
    return path.endswith(".png")


def names(text: str, **options: Any) -> list[str]:
    return [file.place for file in Listing(text, is_png, **options)]


def fill(system: Any, prefix: str, *keys: str) -> None:
    for key in keys:
        system.pipe_file(f"lake/{prefix}/{key}", key.encode())


def test_a_bucket_is_listed_page_by_page(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(s3, "pages", *(f"{number:02d}.png" for number in range(25)))
    monkeypatch.setattr(listing, "PAGE", 10)
    asked = []
    ask = type(s3).call_s3

    def counted(self: Any, method: str, **given: Any) -> Any:
        asked.append(given["MaxKeys"])
        return ask(self, method, **given)

    monkeypatch.setattr(type(s3), "call_s3", counted)
    found = iter(Listing("s3://lake/pages", is_png))
    assert [file.place for file in islice(found, 10)] == [f"{number:02d}.png" for number in range(10)]
    assert asked == [10]  # the second page is asked for when the first is used up
    assert len(list(found)) == 15 and asked == [10, 10, 10]


def test_folders_globs_and_what_is_passed_over(s3: Any) -> None:
    fill(s3, "tree", "a.png", "b.txt", ".c.png", "d/e.png", "d/f/g.png", "x?y.png", "a@b.png")
    assert names("s3://lake/tree") == ["a.png", "a@b.png", "x?y.png"]
    assert names("s3://lake/tree/", recursive=True) == ["a.png", "a@b.png", "d/e.png", "d/f/g.png", "x?y.png"]
    assert names("s3://lake/tree/*/e.png") == ["d/e.png"]
    assert names("s3://lake/tree/d/**/*.png") == ["e.png", "f/g.png"]
    assert names("s3://lake/tree/[!x]*.png") == ["a.png", "a@b.png"]
    whole = Listing("s3://lake/tree", is_png)
    read = {file.name: file.read(100) for file in whole}
    assert read["s3://lake/tree/a@b.png"] == b"a@b.png" and read["s3://lake/tree/x%3Fy.png"] == b"x?y.png"
    assert (whole.passed_over, whole.deeper) == (2, 1)
    with pytest.raises(UserError, match=r"s3://lake/tree/d/f: .*holds no"):
        Listing("s3://lake/tree/d/f", lambda path: path.endswith(".jpg")).first()


def test_a_file_above_the_limit_is_not_read(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.pipe_file("lake/large/a.png", b"x" * 5000)
    s3.pipe_file("lake/large/empty/b.png", b"")
    for url in ("s3://lake/large/empty", "s3://lake/large/empty/b.png"):
        assert [file.read(10) for file in Listing(url, is_png)] == [b""]
    (file,) = Listing("s3://lake/large", is_png)
    with pytest.raises(UserError, match=r"s3://lake/large/a.png: the file is larger than"):
        file.read(4999)
    assert len(file.read(5000)) == 5000
    (alone,) = Listing("s3://lake/large/a.png", is_png)  # its size is not known before
    with pytest.raises(UserError, match="larger than"):
        alone.read(4999)


def test_errors_name_the_url_in_one_line(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^s3://nowhere/in: cannot be read: there is no such bucket"):
        Listing("s3://nowhere/in", is_png).first()
    (gone,) = Listing("s3://lake/gone.png", is_png)
    with pytest.raises(UserError, match=r"^s3://lake/gone.png: cannot be read: there is no such"):
        gone.read(10)

    def forbid(*_: Any, **__: Any) -> None:
        raise PermissionError("key gEhEiM is not allowed")

    monkeypatch.setattr(type(s3), "call_s3", forbid)
    with pytest.raises(UserError, match=r"^s3://lake/in: cannot be read: access is forbidden") as raised:
        Listing("s3://lake/in", is_png).first()
    assert "gEhEiM" not in str(raised.value)


def test_a_server_that_is_away_and_one_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "READ_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (file,) = Listing(f"http://127.0.0.1:{silent.getsockname()[1]}/a.png", is_png)
        with pytest.raises(UserError, match=r"/a.png: cannot be read: no answer within 1 s"):
            file.read(10)
    with pytest.raises(UserError, match=r"/a.png: cannot be read: the server cannot be reached"):
        file.read(10)


def test_a_missing_library_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    from fsspec.registry import _registry

    for scheme in ("s3", "s3a"):
        monkeypatch.delitem(_registry, scheme, raising=False)
    with pytest.raises(UserError, match=r"s3fs, which is not installed: pip install 'lightdet\[cloud\]'"):
        filesystem.filesystem("s3://lake")


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


FILES = {"./a.png": b"A", "a.json": b"{}", "in/b.png": b"B" * 100, "__MACOSX/a.png": b"-", "in/.c.png": b"-"}


@pytest.mark.parametrize("name", ["parts.zip", "parts.tar", "parts.tar.gz"])
def test_members_here_and_in_a_bucket(tmp_path: Path, s3: Any, name: str) -> None:
    path = tmp_path / name
    zipped(path, **FILES) if name.endswith("zip") else tarred(path, FILES)
    s3.put_file(path, f"lake/archives/{name}")
    kind = "zip" if name.endswith("zip") else "tar"
    for start in (f"{tmp_path}/", "s3://lake/archives/"):
        whole = Listing(f"{start}{name}", is_png)
        assert {file.name: file.read(1000) for file in whole} == {
            f"{kind}://a.png::{start}{name}": b"A",
            f"{kind}://in/b.png::{start}{name}": b"B" * 100,
        }
        assert whole.passed_over == 3
        assert names(f"{kind}://in::{start}{name}") == names(f"{kind}://*/*::{start}{name}") == ["in/b.png"]
        (small, large) = Listing(f"{start}{name}", is_png, limit=50)
        assert small.read(50) == b"A"
        with pytest.raises(UserError, match=f"{kind}://in/b.png::.*larger than"):
            large.read(50)


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_a_picture_that_is_a_link_in_a_tar_is_told(tmp_path: Path, kind: bytes) -> None:
    """GNU tar makes links of files with two names; passed over, the second would never be judged."""
    with tarfile.open(tmp_path / "parts.tar", "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"A"))
        link = tarfile.TarInfo("b.png")
        link.type, link.linkname = kind, "a.png"
        archive.addfile(link)
    first, second = Listing(str(tmp_path / "parts.tar"), is_png)
    assert first.read(10) == b"A" and second.place == "b.png"
    with pytest.raises(UserError, match=r"b\.png::.*is a link to a\.png"):
        second.read(10)


def test_shards_by_number(tmp_path: Path) -> None:
    for number in range(3):
        tarred(tmp_path / f"s-{number:03d}.tar", {f"{number}.png": b"x", f"{number}.cls": b"1"})
    assert names(f"{tmp_path}/s-{{000..002}}.tar") == ["0.png", "1.png", "2.png"]
    with pytest.raises(UserError, match=r"s-003.tar: no such file"):
        names(f"{tmp_path}/s-{{001..003}}.tar")
    with pytest.raises(UserError, match=r"\{3..1\} should go up"):
        names(f"{tmp_path}/s-{{3..1}}.tar")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_damaged_archive_is_told_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"parts.{kind}"
    noise = bytes(range(256)) * 20
    zipped(path, **{"a.png": noise}) if kind == "zip" else tarred(path, {"a.png": noise})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=f"parts.{kind}: is not a {kind} archive, or a damaged one"):
        list(Listing(str(path), any_file))
    path.write_bytes(b"no archive at all" * 100)
    with pytest.raises(UserError, match=f"parts.{kind}: is not a {kind} archive, or a damaged one"):
        list(Listing(str(path), any_file))


def test_a_damaged_member_of_a_zip_spoils_no_other(tmp_path: Path) -> None:
    path = zipped(tmp_path / "parts.zip", **{"a.png": b"A" * 99, "b.png": b"B" * 99})
    data = bytearray(path.read_bytes())
    place = data.index(b"a.png") + len("a.png")
    data[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    bad, good = Listing(str(path), is_png)
    with pytest.raises(UserError, match=r"zip://a.png::.*is damaged in the archive"):
        bad.read(1000)
    assert good.read(1000) == b"B" * 99
