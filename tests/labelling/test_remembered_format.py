"""A folder without labels: the format is remembered from the first change on, and labels that come in later count."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_folders import FORMATS, bare_folder, files_of, open_store, seen

from lightdet.errors import UserError
from lightdet.labelling.store import Drawn

BOX = Drawn((1.0, 2.0, 30.0, 40.0), "dent")
ROW = "0 0.5 0.5 0.1 0.25\n"
SEEN = [("dent", (90, 60, 110, 100))]


def yolo_labels(folder: Path) -> Path:
    """Labels as another tool leaves them."""
    (folder / "classes.txt").write_text("dent\n")
    (folder / "1.txt").write_text(ROW)
    return folder


def test_labels_that_come_in_after_a_look_are_read(tmp_path: Path) -> None:
    folder = bare_folder(tmp_path / "new")
    store = open_store(folder)
    assert "no labels yet" in store.folder.notes[0] and not (folder / ".lightdet/labelling.jsonl").exists()
    store = open_store(yolo_labels(folder))
    assert store.folder.title == "YOLO txt" and seen(store.view(1)) == SEEN


def test_labels_of_another_format_than_the_remembered_one_are_named(tmp_path: Path) -> None:
    folder = bare_folder(tmp_path / "new")
    store = open_store(folder, classes=["dent"])
    drawn = store.save(0, 0, [BOX], "labelled")
    store.undo(0, drawn.version)  # now no label file says so
    yolo_labels(folder)
    files = files_of(folder)
    with pytest.raises(UserError) as caught:
        open_store(folder)
    assert str(caught.value) == (
        f"{folder}: holds YOLO txt, but was begun here as LabelMe JSON; choose with --format yolo or --format labelme"
    )
    assert files_of(folder) == files
    assert open_store(folder, "labelme").view(1).content is None
    store = open_store(folder, "yolo")
    assert seen(store.view(1)) == SEEN
    store.save(0, store.view(0).version, [BOX], "labelled")
    assert seen(open_store(folder).view(1)) == SEEN  # the choice is remembered with the first change


def test_a_format_is_remembered_with_a_class(tmp_path: Path) -> None:
    folder = bare_folder(tmp_path / "new")
    open_store(folder, "voc").add_class("dent")
    assert open_store(folder).folder.title == "Pascal VOC XML"


def test_a_format_that_is_not_there_is_refused(tmp_path: Path) -> None:
    folder = yolo_labels(bare_folder(tmp_path / "new"))
    with pytest.raises(UserError, match="is not recognised as voc; it looks like yolo"):
        open_store(folder, "voc")


def test_labels_that_are_not_read_are_told(tmp_path: Path) -> None:
    folder = bare_folder(tmp_path / "new")
    open_store(folder, classes=["dent"]).save(0, 0, [BOX], "labelled")
    store = open_store(yolo_labels(folder))
    assert store.folder.title == "LabelMe JSON"
    assert "YOLO txt is there as well and not read; --format yolo reads it" in store.folder.notes


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_that_was_asked_for_holds_until_labels_come_in(tmp_path: Path, form: str) -> None:
    folder = bare_folder(tmp_path / "new")
    title = open_store(folder, form).folder.title
    assert open_store(folder).folder.title == title
    (folder / "annotations.json").unlink(missing_ok=True)
    assert open_store(yolo_labels(folder)).folder.title == "YOLO txt"
