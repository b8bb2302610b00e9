"""Drives that are no plain disk: network shares that go away, file systems without locks, syncing or permissions.

From public reports: gcsfuse and s3fs without rename or fsync, CIFS that refuses chmod and the syncing of folders, NFS
with stale handles and no locks, sshfs that times out, Windows where a scanner holds a file that is to be replaced.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightdet import files
from lightdet.assembly.dataset import load_dataset
from lightdet.data.dataset import read_split
from lightdet.data.formats.label_file import read_bounded
from lightdet.data.images import picture_facts, read_file, read_image
from lightdet.display.outcome import exit_code
from lightdet.errors import UserError
from lightdet.files import write_text
from lightdet.training.folder_lock import folder_lock

GONE = [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN]


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
@pytest.mark.parametrize("what", ["fsync", "flock", "chmod"])
def test_what_a_file_system_cannot_do_is_done_without(
    what: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: dict[str, tuple[object, str]] = {
        "fsync": (os, "fsync"), "flock": (files.fcntl, "flock"), "chmod": (Path, "chmod")
    }  # fmt: skip
    if places[what][0] is None:
        pytest.skip("Windows has no flock")
    monkeypatch.setattr(*places[what], failing(number))
    for text in ("old", "new"):
        write_text(tmp_path / "a.json", text)
    with folder_lock(tmp_path):
        pass
    assert (tmp_path / "a.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("number", [*GONE, errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize(
    "place", [(os, "fsync"), (Path, "replace"), (Path, "write_bytes")], ids=["sync", "rename", "write"]
)
def test_a_write_that_fails_is_told_and_leaves_the_old_file(
    place: tuple[Any, str], number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "results.csv"
    write_text(target, "old")
    monkeypatch.setattr(*place, failing(number))
    with pytest.raises(UserError) as caught:
        write_text(target, "new")
    assert str(caught.value) == f"{target}: cannot be written: {os.strerror(number)}"
    assert target.read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["results.csv"]


@pytest.mark.parametrize("held", [1, 2, 9])
def test_a_file_that_is_held_for_a_moment(held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts, replace = [], Path.replace

    def refuse_first(path: Path, target: Path) -> Path:
        attempts.append(path)
        if len(attempts) <= held:
            raise PermissionError(13, "Access is denied")
        return replace(path, target)

    monkeypatch.setattr(files, "_WAITS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(Path, "replace", refuse_first)
    if held > 3:
        with pytest.raises(UserError, match="Access is denied"):
            write_text(tmp_path / "a", "new")
        assert not list(tmp_path.iterdir())
    else:
        write_text(tmp_path / "a", "new")
        assert (tmp_path / "a").read_text() == "new"


@pytest.mark.parametrize("number", GONE)
def test_reading_from_a_share_that_has_gone(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "images" / "train" / "a.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text("0 .5 .5 .2 .2")
    (tmp_path / "d.yaml").write_text("format: yolo\nclasses: [x]\nsplits: {train: images/train}\n")
    spec = load_dataset(tmp_path / "d.yaml")
    read: list[Callable[[Any], object]] = [read_image, read_file, picture_facts, lambda p: read_bounded(p, 99)]
    monkeypatch.setattr(Path, "open", failing(number))
    monkeypatch.setattr(Path, "read_bytes", failing(number))
    for each in read:
        with pytest.raises(UserError) as caught:
            each(path)
        assert os.strerror(number) in str(caught.value) and "damaged" not in str(caught.value)
    with pytest.raises(UserError, match=os.strerror(number)):
        read_split(spec, "train")


@pytest.mark.parametrize("number", GONE)
def test_whatever_else_meets_it_ends_in_one_line(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lost() -> None:
        raise OSError(number, os.strerror(number), "/mnt/share/set")

    assert exit_code(lost) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: /mnt/share/set: {os.strerror(number)}; check that") and err.count("\n") == 1
