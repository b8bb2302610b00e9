"""Another program gives the classes other numbers: what is written again still has the class that it had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from label_folders import at, files_of, kept, labelled_folder, open_store, read_by_training, seen

from lightdet.errors import UserError
from lightdet.labelling.store import Drawn

NEW = Drawn((0.0, 0.0, 9.0, 9.0), "dent")


def renumber(folder: Path, form: str) -> None:
    """The same labels, as a tool writes them that orders the classes anew."""
    if form == "coco":
        path = next(folder.rglob("*.json"))
        values = json.loads(path.read_text())
        for each in values["categories"]:
            each["id"] = 3 - each["id"]
        for each in values["annotations"]:
            each["category_id"] = 3 - each["category_id"]
        path.write_text(json.dumps(values))
        return
    (folder / "classes.txt").write_text("dent\nscratch\n")
    for path in folder.glob("labels/**/*.txt"):
        rows = [row.split() for row in path.read_text().splitlines()]
        path.write_text("".join(f"{1 - int(number)} {' '.join(rest)}\n" for number, *rest in rows))


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_undo_and_redo_write_the_class_that_it_was(tmp_path: Path, form: str) -> None:
    folder = labelled_folder(tmp_path / "set", form)
    store = open_store(folder)
    index = at(store, "b")
    before = seen(store.view(index))
    after = seen(store.save(index, 0, [*kept(store.view(index)), NEW], "labelled"))
    renumber(folder, form)
    store = open_store(folder)
    assert seen(store.view(index)) == after
    for way, wanted in ((store.undo, after), (store.undo, before), (store.redo, after)):
        assert seen(way(index, store.view(index).version)) == wanted
        assert read_by_training(folder)["b"] == wanted


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_undo_of_a_class_that_is_gone(tmp_path: Path, form: str) -> None:
    folder = labelled_folder(tmp_path / "set", form)
    store = open_store(folder)
    index = at(store, "b")
    after = seen(store.save(index, 0, kept(store.view(index))[1:], "labelled"))
    if form == "yolo":
        (folder / "classes.txt").write_text("scratch\n")
    else:
        path = next(folder.rglob("*.json"))
        values = json.loads(path.read_text())
        values["categories"] = [each for each in values["categories"] if each["name"] != "dent"]
        path.write_text(json.dumps(values))
    store, files = open_store(folder), files_of(folder)
    with pytest.raises(UserError, match="there is no class 'dent'; add it first"):
        store.undo(index, store.view(index).version)
    assert files_of(folder) == files and seen(store.view(index)) == after


def test_a_list_of_classes_that_changes_meanwhile_stops_the_labelling(tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path / "set", "yolo")
    store = open_store(folder)
    index = at(store, "b")
    before = seen(store.view(index))
    store.add_class("crack")  # its own change
    assert not store.view(index).fault
    renumber(folder, "yolo")
    files = files_of(folder)
    fault = (
        f"{folder / 'classes.txt'}: another program has changed the classes; end 'lightdet label' and start it again"
    )
    assert store.view(index).fault == fault
    with pytest.raises(UserError, match="another program has changed the classes"):
        store.save(index, 0, [NEW], "labelled")
    with pytest.raises(UserError, match="another program has changed the classes"):
        store.add_class("dirt")
    assert files_of(folder) == files
    assert seen(open_store(folder).view(index)) == before
