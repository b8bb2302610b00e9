"""What a picture counts as, here and for training: only who says so makes one without boxes free of defects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from label_folders import FORMATS, at, bare_folder, files_of, kept, labelled_folder, open_store, seen

from lightdet.labelling.store import Drawn, Store

EVERY_FORMAT = pytest.mark.parametrize("form", FORMATS)
BOX = Drawn((1.0, 2.0, 30.0, 40.0), "dent")


def new_store(folder: Path, form: str) -> Store:
    """Three pictures that nobody has labelled."""
    store = open_store(bare_folder(folder), form)
    store.add_class("dent")
    return store


def again(store: Store, index: int, drawn: list[Drawn], state: str) -> tuple[str, bool]:
    """Save what the page sends; what the picture counts as then, and whether it has labels at all."""
    view = store.save(index, store.view(index).version, drawn, state)  # type: ignore[arg-type]
    return view.state, view.content is not None


def told_of(folder: Path) -> set[str]:
    """The pictures that label files speak of."""
    coco = folder / "annotations.json"
    if coco.exists():
        return {Path(image["file_name"]).stem for image in json.loads(coco.read_text())["images"]}
    return {Path(name).stem for name in files_of(folder) if not name.endswith((".png", "classes.txt"))}


@EVERY_FORMAT
def test_a_doubt_says_nothing_of_boxes(tmp_path: Path, form: str) -> None:
    store = new_store(tmp_path / "new", form)
    assert again(store, 0, [], "doubtful") == ("doubtful", False)
    assert told_of(tmp_path / "new") == set()
    store = open_store(tmp_path / "new")
    assert store.view(0).state == "doubtful"
    assert again(store, 0, [], "unlabelled") == ("unlabelled", False)  # the doubt is taken back
    assert told_of(tmp_path / "new") == set()
    assert store.undo(0, store.view(0).version).state == "doubtful"
    assert again(store, 0, [], "labelled")[0] == "labelled"  # Enter
    assert told_of(tmp_path / "new") == {"0"}


@EVERY_FORMAT
@pytest.mark.parametrize("state", ["unlabelled", "doubtful"])
def test_a_box_drawn_by_mistake_leaves_the_picture_as_it_was(tmp_path: Path, form: str, state: str) -> None:
    store = new_store(tmp_path / "new", form)
    if state == "doubtful":
        again(store, 0, [], state)
    assert again(store, 0, [BOX], state) == ("labelled" if state == "unlabelled" else state, True)
    assert again(store, 0, [], state) == (state, False)
    assert told_of(tmp_path / "new") == set()


@EVERY_FORMAT
def test_a_picture_once_free_of_defects_stays_so(tmp_path: Path, form: str) -> None:
    store = new_store(tmp_path / "new", form)
    again(store, 0, [], "labelled")
    for drawn, sent, state in (
        ([], "doubtful", "doubtful"),
        ([], "unlabelled", "labelled"),
        ([BOX], "labelled", "labelled"),
        ([], "unlabelled", "labelled"),
    ):
        assert again(store, 0, drawn, sent)[0] == state
        assert told_of(tmp_path / "new") == {"0"}
        store = open_store(tmp_path / "new")


@EVERY_FORMAT
def test_labels_that_came_with_the_folder_were_made_by_somebody(tmp_path: Path, form: str) -> None:
    store = open_store(labelled_folder(tmp_path / "set", form))
    index = at(store, "a")
    view = store.view(index)
    assert again(store, index, [], "unlabelled")[0] == "labelled"
    assert seen(store.undo(index, store.view(index).version)) == seen(view)
    assert again(store, index, kept(view), "doubtful") == ("doubtful", True)


def saved_again(folder: Path, form: str) -> None:
    """The same boxes and classes, as another program writes them."""
    if form in ("yolo", "voc"):
        path = next(folder.rglob("b.txt" if form == "yolo" else "b.xml"))
        path.write_text(path.read_text().replace(" ", "  ").replace("<name>", "<name >"))
        return
    path = next(folder.rglob("b.json" if form == "labelme" else "*.json"))
    values = json.loads(path.read_text())
    for each in values["shapes" if form == "labelme" else "annotations"]:
        each["mine"] = 1
    path.write_text(json.dumps(values))


@EVERY_FORMAT
def test_another_program_takes_no_doubt_away(tmp_path: Path, form: str) -> None:
    store = open_store(labelled_folder(tmp_path / "set", form))
    index = at(store, "b")
    view = store.view(index)
    again(store, index, kept(view), "doubtful")
    saved_again(tmp_path / "set", form)
    after = store.view(index)
    assert (after.version, after.state, seen(after)) == (3, "doubtful", seen(view))  # a step of its own
    assert open_store(tmp_path / "set").view(index).state == "doubtful"
    assert store.undo(index, 3).state == "doubtful"


def test_a_doubt_stays_with_labels_of_another_program(tmp_path: Path) -> None:
    store = new_store(tmp_path / "new", "yolo")
    again(store, 0, [], "doubtful")
    (tmp_path / "new/0.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    assert store.view(0).state == "doubtful"
    assert again(store, 0, kept(store.view(0)), "labelled") == ("labelled", True)
    assert again(store, 0, [], "unlabelled") == ("labelled", True)  # its labels were made by somebody
