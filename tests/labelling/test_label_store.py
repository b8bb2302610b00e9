"""Labels changed in place: what is written is what other readers read, nothing else changes, nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from label_folders import (
    BOXES,
    FORMATS,
    SIZE,
    at,
    bare_folder,
    files_of,
    history_of,
    kept,
    labelled_folder,
    open_store,
    read_by_training,
    seen,
)

from lightdet.errors import UserError
from lightdet.labelling.open_folder import open_folder
from lightdet.labelling.pictures import Prepared
from lightdet.labelling.store import Drawn, NothingError, StaleError, Store

EVERY_FORMAT = pytest.mark.parametrize("form", FORMATS)


@EVERY_FORMAT
def test_opening_changes_nothing_and_shows_everything(tmp_path: Path, form: str) -> None:
    folder = labelled_folder(tmp_path / "set", form)
    before = files_of(folder)
    store = open_store(folder)
    names = ("scratch", "dent")
    for name, boxes in BOXES.items():
        assert seen(store.view(at(store, name))) == [(names[box[0]], box[1:]) for box in boxes]
    states, counted = store.counts()
    # A COCO file lists pictures without boxes whether somebody looked at them or not.
    assert states == ({"labelled": 2, "unlabelled": 1} if form == "coco" else {"labelled": 3})
    assert counted == {"scratch": 2, "dent": 1}
    assert files_of(folder) == before and not (folder / ".lightdet").exists()


@EVERY_FORMAT
def test_a_change_is_on_the_disk_as_training_reads_it(tmp_path: Path, form: str) -> None:
    folder = labelled_folder(tmp_path / "set", form)
    before = files_of(folder)
    store = open_store(folder)
    index = at(store, "b")
    view = store.view(index)
    first, second = kept(view)
    drawn = [
        Drawn((110.0, 30.0, 190.0, 70.0), "scratch", first.origin),
        second,
        Drawn((5.0, 100.0, 25.0, 150.0), "dent"),
    ]
    saved = store.save(index, view.version, drawn, "labelled")
    wanted = [("scratch", (110, 30, 190, 70)), ("scratch", (10, 10, 40, 50)), ("dent", (5, 100, 25, 150))]
    assert seen(saved) == wanted
    assert read_by_training(folder)["b"] == wanted
    assert read_by_training(folder)["a"] == [("scratch", BOXES["a"][0][1:])]
    changed = {name for name, data in files_of(folder).items() if before.get(name) != data}
    assert len(changed) == 1 and not next(iter(changed)).endswith(".png")
    assert seen(open_store(folder).view(index)) == wanted


@EVERY_FORMAT
def test_undo_and_redo_go_through_all_steps_also_after_a_restart(tmp_path: Path, form: str) -> None:
    folder = labelled_folder(tmp_path / "set", form)
    original = files_of(folder)
    store = open_store(folder)
    index = at(store, "a")
    shots, states = [files_of(folder)], [seen(store.view(index))]
    for step in range(4):
        view = store.view(index)
        drawn = [*kept(view), Drawn((10.0 * step, 100.0, 10.0 * step + 9, 140.0), "dent")]
        states.append(seen(store.save(index, view.version, drawn, "labelled")))
        shots.append(files_of(folder))
    for back in (3, 2, 1, 0):
        store = open_store(folder)
        assert seen(store.undo(index, store.view(index).version)) == states[back]
        assert read_by_training(folder)["a"] == states[back]
    if form in ("yolo", "voc"):  # the JSON of the others is laid out anew
        assert files_of(folder) == original
    with pytest.raises(NothingError):
        store.undo(index, store.view(index).version)
    for forth in (1, 2, 3, 4):
        store = open_store(folder)
        assert seen(store.redo(index, store.view(index).version)) == states[forth]
        assert files_of(folder) == shots[forth]
    with pytest.raises(NothingError):
        store.redo(index, store.view(index).version)


@EVERY_FORMAT
def test_the_second_window_is_refused_and_loses_nothing(tmp_path: Path, form: str) -> None:
    store = open_store(labelled_folder(tmp_path / "set", form))
    index = at(store, "a")
    view = store.view(index)
    saved = store.save(index, view.version, [*kept(view), Drawn((0.0, 0.0, 9.0, 9.0), "dent")], "labelled")
    for attempt in (
        lambda: store.save(index, view.version, [], "labelled"),
        lambda: store.undo(index, view.version),
    ):
        with pytest.raises(StaleError):
            attempt()
    assert store.view(index) == saved


@EVERY_FORMAT
def test_what_another_program_writes_is_a_step_of_its_own(tmp_path: Path, form: str) -> None:
    folder = labelled_folder(tmp_path / "set", form)
    other = labelled_folder(tmp_path / "other", form)
    store, foreign = open_store(folder), open_store(other)
    index = at(store, "a")
    view = store.view(index)
    mine = store.save(index, view.version, [*kept(view), Drawn((0.0, 0.0, 9.0, 9.0), "dent")], "labelled")
    theirs = foreign.save(index, 0, [Drawn((50.0, 50.0, 70.0, 80.0), "scratch")], "labelled")
    for name, data in files_of(other).items():
        if not name.endswith(".png"):
            (folder / name).write_bytes(data)
    with pytest.raises(StaleError):
        store.save(index, mine.version, [], "labelled")
    assert seen(store.view(index)) == seen(theirs)
    assert seen(store.undo(index, store.view(index).version)) == seen(mine)


def killed_while_saving(store: Store, index: int, drawn: list[Drawn], monkeypatch: pytest.MonkeyPatch) -> None:
    """The change is in the history, and the label file is as it was."""
    kind = type(store.folder.pictures[0].labels)
    prepare = kind.prepare

    def killed() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(kind, "prepare", lambda *given: Prepared(prepare(*given).content, killed))
        with pytest.raises(KeyboardInterrupt):
            store.save(index, store.view(index).version, drawn, "labelled")


@EVERY_FORMAT
def test_a_process_killed_before_the_label_file_was_written_loses_nothing(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = labelled_folder(tmp_path / "set", form)
    store = open_store(folder)
    index = at(store, "b")
    view = store.view(index)
    before = files_of(folder)
    killed_while_saving(store, index, kept(view)[:1], monkeypatch)
    assert files_of(folder) == before
    again = open_store(folder)
    assert seen(again.view(index)) == seen(view)[:1]
    assert read_by_training(folder)["b"] == seen(view)[:1]
    assert seen(again.undo(index, again.view(index).version)) == seen(view)


@EVERY_FORMAT
def test_a_change_is_completed_where_an_order_leaves_its_picture_out(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = labelled_folder(tmp_path / "set", form)
    store = open_store(folder)
    index = at(store, "b")
    wanted = seen(store.view(index))[:1]
    killed_while_saving(store, index, kept(store.view(index))[:1], monkeypatch)
    (tmp_path / "order.txt").write_text("a.png\n")
    store = Store(*open_folder(folder, order=tmp_path / "order.txt"))
    assert [picture.path.stem for picture in store.folder.pictures] == ["a"]
    assert read_by_training(folder)["b"] == wanted


def test_a_change_waits_while_its_picture_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = labelled_folder(tmp_path / "set", "yolo")
    store = open_store(folder)
    index = at(store, "b")
    wanted = seen(store.view(index))[:1]
    killed_while_saving(store, index, kept(store.view(index))[:1], monkeypatch)
    away = folder.parent / "b.png"
    picture = store.folder.pictures[index].path
    picture.rename(away)
    for _ in range(2):
        store = open_store(folder)
        other = at(store, "a")
        store.save(other, store.view(other).version, [], "labelled")
    away.rename(picture)
    store = open_store(folder)
    assert read_by_training(folder)["b"] == seen(store.view(index)) == wanted
    label = folder / "labels/train/b.txt"
    label.write_text("0 0.5 0.5 0.1 0.1\n")  # it is complete: what comes now is another program's
    assert len(open_store(folder).view(index).content or ()) == 1 and label.read_text() == "0 0.5 0.5 0.1 0.1\n"


def test_a_line_cut_by_a_power_failure_is_left_out(tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path / "set", "yolo")
    store = open_store(folder)
    index = at(store, "a")
    for step in range(3):
        view = store.view(index)
        store.save(
            index, view.version, [*kept(view), Drawn((0.0, 9.0 * step, 9.0, 9.0 * step + 8), "dent")], "labelled"
        )
    file = folder / ".lightdet" / "labelling.jsonl"
    whole = file.read_bytes()
    cut = whole[:-20]
    file.write_bytes(cut)
    label = folder / "labels/train/a.txt"
    label.write_text("".join(f"{row}\n" for row in label.read_text().splitlines()[:-1]))  # nor was this written
    store = open_store(folder)
    assert len(store.view(index).content or ()) == 3
    store.save(index, store.view(index).version, [], "labelled")
    assert file.read_bytes().startswith(cut)  # it only grows
    assert history_of(folder).unread == 1 and history_of(folder).version(store.folder.pictures[index].name) == 4


@EVERY_FORMAT
def test_a_folder_without_labels_from_the_first_box_on(tmp_path: Path, form: str) -> None:
    folder = bare_folder(tmp_path / "new")
    pictures = files_of(folder)
    store = open_store(folder, form)
    assert store.counts()[0] == {"unlabelled": 3} and store.folder.classes == []
    with pytest.raises(UserError, match="no class 'crack'"):
        store.save(0, 0, [Drawn((1.0, 2.0, 30.0, 40.0), "crack")], "labelled")
    for name in ("dent", "crack"):
        store.add_class(name)
    store.save(1, 0, [], "labelled")
    store = open_store(folder)  # the format is remembered, also while all labels are empty
    assert store.folder.classes == ["dent", "crack"]
    assert [store.view(number).state for number in range(3)] == ["unlabelled", "labelled", "unlabelled"]
    saved = store.save(0, 0, [Drawn((1.0, 2.0, 30.0, 40.0), "crack")], "unlabelled")
    assert (saved.state, seen(saved)) == ("labelled", [("crack", (1, 2, 30, 40))])
    again = open_store(folder)
    assert again.folder.classes == ["dent", "crack"] and again.view(0).content == saved.content
    assert read_by_training(folder)["0"] == [("crack", (1, 2, 30, 40))]
    back = again.undo(0, again.view(0).version)
    assert (back.state, back.content) == ("unlabelled", None)
    assert {name: data for name, data in files_of(folder).items() if name.endswith(".png")} == pictures


def test_a_doubtful_picture_stays_doubtful(tmp_path: Path) -> None:
    folder = bare_folder(tmp_path / "new")
    store = open_store(folder, "yolo", ["dent"])
    store.save(2, 0, [Drawn((1.0, 2.0, 30.0, 40.0), "dent")], "doubtful")
    store = open_store(folder)
    assert store.view(2).state == "doubtful"
    assert store.save(2, store.view(2).version, kept(store.view(2)), "labelled").state == "labelled"
    assert store.undo(2, store.view(2).version).state == "doubtful"


BAD = [
    ((5.0, 5.0, 5.0, 9.0), "no area"),
    ((-50.0, 5.0, -1.0, 9.0), "no area"),
    ((SIZE[0] + 1.0, 5.0, SIZE[0] + 9.0, 9.0), "no area"),
    ((float("nan"), 5.0, 7.0, 9.0), "not a number"),
]


@pytest.mark.parametrize(("box", "words"), BAD)
def test_boxes_that_cannot_be_are_refused(tmp_path: Path, box: tuple[float, ...], words: str) -> None:
    store = open_store(bare_folder(tmp_path / "new"), "yolo", ["dent"])
    with pytest.raises(UserError, match=words):
        store.save(0, 0, [Drawn(box, "dent")], "labelled")  # type: ignore[arg-type]
    assert store.view(0).version == 0


def test_a_box_over_the_border_is_cut(tmp_path: Path) -> None:
    store = open_store(bare_folder(tmp_path / "new"), "yolo", ["dent"])
    saved = store.save(0, 0, [Drawn((-9.0, -9.0, 999.0, 80.0), "dent")], "labelled")
    assert seen(saved) == [("dent", (0, 0, SIZE[0], 80))]


# --- what else stands in the files ---------------------------------------------------------------------------


def with_more(folder: Path, form: str) -> Path:
    """The label file of picture ``b``, with what tools write besides boxes."""
    if form == "labelme":
        path = next(folder.rglob("b.json"))
        values = json.loads(path.read_text())
        values["flags"], values["mine"] = {"checked": True}, [1, 2]
        first, second = values["shapes"]
        first |= {"description": "deep", "flags": {"sure": False}}
        second |= {"shape_type": "polygon", "points": [[10, 10], [40, 12], [30, 50]]}
        path.write_text(json.dumps(values))
        return path
    if form == "voc":
        path = next(folder.rglob("b.xml"))
        text = (
            path.read_text()
            .replace("<difficult>0", "<difficult>1", 1)
            .replace("<segmented>", "<owner>me</owner><segmented>")
        )
        path.write_text(text)
        return path
    path = next(folder.rglob("*.json"))
    values = json.loads(path.read_text())
    values["licenses"] = [{"id": 7}]
    entries = [entry for entry in values["annotations"] if entry["image_id"] == 2]
    entries[0] |= {"mine": "deep", "iscrowd": 1}
    entries[1] |= {"segmentation": [[10, 10, 40, 12, 30, 50]]}
    path.write_text(json.dumps(values))
    return path


def parts(path: Path, form: str) -> Any:
    values = json.loads(path.read_text()) if form != "voc" else None
    if form == "labelme":
        return values
    return values if form == "coco" else path.read_text()


@pytest.mark.parametrize("form", ["labelme", "voc", "coco"])
def test_what_else_the_files_hold_stays(tmp_path: Path, form: str) -> None:
    folder = labelled_folder(tmp_path / "set", form)
    path = with_more(folder, form)
    store = open_store(folder)
    index = at(store, "b")
    first, second = kept(store.view(index))
    moved = Drawn((111.0, 21.0, 181.0, 61.0), "scratch", first.origin)
    saved = store.save(index, 0, [moved, second, Drawn((1.0, 1.0, 9.0, 9.0), "dent")], "labelled")
    after = parts(path, form)
    if form == "labelme":
        assert (after["flags"], after["mine"]) == ({"checked": True}, [1, 2])
        one, two, _ = after["shapes"]
        assert (one["description"], one["flags"], one["label"]) == ("deep", {"sure": False}, "scratch")
        assert (two["shape_type"], two["points"]) == ("polygon", [[10, 10], [40, 12], [30, 50]])
        assert [mark.outline for mark in saved.content or ()] == [False, True, False]
    elif form == "voc":
        assert "<owner>me</owner>" in after and after.count("<difficult>1") == 1
        assert after.index("<difficult>1") < after.index("<difficult>0")
    else:
        assert after["licenses"] == [{"id": 7}]
        one, two, _ = (entry for entry in after["annotations"] if entry["image_id"] == 2)
        assert (one["mine"], one["iscrowd"], one["bbox"]) == ("deep", 1, [111, 21, 70, 40])
        assert two["segmentation"] == [[10, 10, 40, 12, 30, 50]]
        assert len({entry["id"] for entry in after["annotations"]}) == len(after["annotations"]) == 4
    # A polygon that was moved is a box; undo brings it back.
    if form != "voc":
        second = kept(saved)[1]
        store.save(index, saved.version, [Drawn((10.0, 10.0, 41.0, 51.0), "dent", second.origin)], "labelled")
        assert [mark.outline for mark in store.view(index).content or ()] == [False]
        assert store.undo(index, store.view(index).version).content == saved.content


def test_a_picture_in_its_label_file_stays_there(tmp_path: Path) -> None:
    import base64

    folder = labelled_folder(tmp_path / "set", "labelme")
    path = next(folder.rglob("a.json"))
    values = json.loads(path.read_text())
    data = base64.b64encode(path.with_suffix(".png").read_bytes()).decode()
    path.write_text(json.dumps(values | {"imageData": data}))
    path.with_suffix(".png").unlink()
    store = open_store(folder)
    index = at(store, "a")
    store.save(index, 0, [*kept(store.view(index)), Drawn((1.0, 1.0, 9.0, 9.0), "dent")], "labelled")
    after = json.loads(path.read_text())
    assert after["imageData"] == data and len(after["shapes"]) == 2


# --- what cannot be labelled is said -------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["cvat", "label-studio", "csv-boxes", "masks", "deeppcb"])
def test_other_formats_are_refused_with_the_way_out(tmp_path: Path, form: str) -> None:
    folder = labelled_folder(tmp_path / "set", form)
    if form == "masks":
        (folder / "class_names.txt").write_text("_background_\nscratch\ndent\n")
    with pytest.raises(UserError, match=r"not written in place; convert it first: lightdet data convert"):
        open_store(folder)


def test_a_broken_label_file_is_shown_and_left_alone(tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path / "set", "yolo")
    label = folder / "labels/train/a.txt"
    label.write_text("0 0.5 0.5 nonsense 0.1\n")
    store = open_store(folder)
    index = at(store, "a")
    assert "nonsense" in store.view(index).fault
    with pytest.raises(UserError, match="nonsense"):
        store.save(index, 0, [], "labelled")
    assert label.read_text() == "0 0.5 0.5 nonsense 0.1\n"


def test_classes_of_a_yaml_are_not_added_to(tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path / "set", "labelme")
    yaml = tmp_path / "set.yaml"
    yaml.write_text(f"root: {folder}\nformat: labelme\nclasses: [scratch, dent]\nsplits: {{train: images/train}}\n")
    store = open_store(yaml)
    with pytest.raises(UserError, match=r"listed in .*set\.yaml"):
        store.add_class("crack")


def test_an_order_is_followed_and_a_wrong_line_is_named(tmp_path: Path) -> None:
    folder = bare_folder(tmp_path / "new", 4)
    order = tmp_path / "order.txt"
    order.write_text("3.png\n# the worst first\n1.png\n")
    assert [each.name for each in open_folder(folder, order=order)[0].pictures] == ["3.png", "1.png"]
    order.write_text(f"{folder / '2.png'}\nnew/0.png\n")  # as 'lightdet data pick' writes them
    assert [each.name for each in open_folder(folder, order=order)[0].pictures] == ["2.png", "0.png"]
    order.write_text("3.png\n7.png\n")
    with pytest.raises(UserError) as caught:
        open_folder(folder, order=order)
    assert str(caught.value) == f"{order}:2: '7.png' is no picture of the folder; correct the line"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_all_ends_of_lines_that_training_reads(tmp_path: Path, end: str) -> None:
    folder = labelled_folder(tmp_path / "set", "yolo")
    label = folder / "labels/train/b.txt"
    label.write_bytes(label.read_text().replace("\n", end).encode())
    wanted = read_by_training(folder)["b"]
    store = open_store(folder)
    view = store.view(at(store, "b"))
    assert not view.fault and seen(view) == wanted and len(wanted) == 2
    assert seen(store.save(at(store, "b"), 0, kept(view), "labelled")) == wanted
