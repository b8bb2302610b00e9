"""One class per picture, from folders, lists and CSV files: what is read, and how each mistake is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lightdet.assembly.dataset import load_dataset
from lightdet.data.audit import AuditReport, audit_dataset
from lightdet.data.convert import convert_dataset
from lightdet.data.dataset import DatasetSpec, read_split
from lightdet.data.draw_splits import draw_splits
from lightdet.errors import UserError
from lightdet.tasks import CLASSIFICATION, DETECTION

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
Save = Callable[..., Path]
Write = Callable[[Path, str], Path]


@pytest.fixture
def folder_set(tmp_path: Path, save_picture: Save) -> Path:
    """``train`` and ``val`` with the classes ``good part`` and ``bad``; returns the root."""
    root = tmp_path / "parts"
    for place in ("train/good part/1", "train/good part/deep/2", "train/bad/1", "val/good part/3", "val/bad/4"):
        save_picture(root / f"{place}.png")
    return root


def spec_of(root: Path, text: str, name: str = "set.yaml") -> DatasetSpec:
    (root / name).write_text(text, encoding="utf-8")
    return load_dataset(root / name)


def found(spec: DatasetSpec, split: str = "train") -> list[tuple[str, str]]:
    labels, skipped = read_split(spec, split)
    assert not skipped
    return [(each.image.relative_to(spec.root).as_posix(), spec.classes[each.label]) for each in labels]


FOLDERS = "format: folders\nsplits: {train: train, val: val}\n"


def test_folders_name_the_classes(folder_set: Path) -> None:
    spec = spec_of(folder_set, FOLDERS)
    assert spec.classes == ("bad", "good part")
    assert found(spec) == [
        ("train/bad/1.png", "bad"),
        ("train/good part/1.png", "good part"),
        ("train/good part/deep/2.png", "good part"),
    ]
    assert read_split(spec, "val")[0][0].size == (80, 60)


def test_the_order_of_given_classes_holds(folder_set: Path) -> None:
    spec = spec_of(folder_set, "classes: [good part, bad]\n" + FOLDERS)
    assert [each.label for each in read_split(spec, "train")[0]] == [1, 0, 0]


def test_one_tree_without_splits(folder_set: Path) -> None:
    spec = spec_of(folder_set, "root: train\nformat: folders\nsplits: {train: .}\n")
    assert len(found(spec)) == 3


def test_a_list_below_class_folders(folder_set: Path, write: Write) -> None:
    write(folder_set / "train.txt", "# comment\ntrain/bad/1.png\nval/good part/3.png\n\n")
    spec = spec_of(folder_set, "format: folders\nsplits: {train: train.txt}\n")
    assert spec.classes == ("bad", "good part")
    assert found(spec) == [("train/bad/1.png", "bad"), ("val/good part/3.png", "good part")]
    assert [each.line for each in read_split(spec, "train")[0]] == [2, 3]


@pytest.mark.parametrize("between", [" ", "\t", ",", "; "])
def test_a_list_with_classes_overrules_folders(folder_set: Path, write: Write, between: str) -> None:
    lines = [("train/bad/1.png", "good part"), ("train/good part/1.png", "bad"), ("val/bad/4.png", "0")]
    write(folder_set / "l.txt", "".join(f"{path}{between}{name}\n" for path, name in lines))
    spec = spec_of(folder_set, "format: folders\nclasses: [good part, bad]\nsplits: {train: l.txt}\n")
    assert [name for _, name in found(spec)] == ["good part", "bad", "good part"]


def test_a_backslash_in_a_list_is_a_slash(folder_set: Path, write: Write) -> None:
    write(folder_set / "l.txt", "train\\bad\\1.png\n")
    assert found(spec_of(folder_set, "format: folders\nsplits: {train: l.txt}\n")) == [("train/bad/1.png", "bad")]


def test_csv_columns_in_any_order_and_a_split_column(folder_set: Path, write: Write) -> None:
    write(
        folder_set / "all.csv",
        "\ufeffClass;note;Filename;split\nbad;x;train/bad/1.png;train\n"
        "good part;;train/good part/1;train\nbad;;val/bad/4.png;val\n;;;\n",
    )
    spec = spec_of(folder_set, "format: csv\nlabels: all.csv\nsplits: {train: , val: }\n")
    assert spec.classes == ("bad", "good part")
    assert found(spec) == [("train/bad/1.png", "bad"), ("train/good part/1.png", "good part")]
    assert found(spec, "val") == [("val/bad/4.png", "bad")]


def test_csv_with_ids_and_quotes(folder_set: Path, write: Write) -> None:
    write(folder_set / "t.csv", 'path,label\n"train/good part/1.png",1\ntrain/bad/1.png,0\n')
    spec = spec_of(folder_set, "format: csv\nclasses: [bad, good part]\nsplits: {train: t.csv}\n")
    assert [name for _, name in found(spec)] == ["good part", "bad"]


def fault(spec: DatasetSpec) -> str:
    with pytest.raises(UserError) as raised:
        read_split(spec, "train")
    assert "\n" not in str(raised.value)
    return str(raised.value)


LIST_FAULTS = {
    "train/bad/9.png": "l.txt:2: there is no picture 'train/bad/9.png'",
    "train/bad/1.png gud part": "l.txt:2: unknown class 'part'",
    "train/bad/1.png goood": "l.txt:2: unknown class 'goood': did you mean 'good'?",
    "train/bad/1.png 7": "class 7 is out of range: there are 2 classes",
    "train/good/1.png": "listed already in line 1; remove one of the two",
    "train/good/1.png bad": "listed already in line 1, there as 'good'; remove the wrong one of the two",
    "lone.png": "'lone.png' has no class",
}


@pytest.mark.parametrize("line", LIST_FAULTS)
def test_a_bad_line_of_a_list(folder_set: Path, write: Write, save_picture: Save, line: str) -> None:
    (folder_set / "train" / "good part").rename(folder_set / "train" / "good")
    save_picture(folder_set / "lone.png")
    write(folder_set / "l.txt", f"train/good/1.png\n{line}\n")
    spec = spec_of(folder_set, "format: folders\nclasses: [good, bad]\nsplits: {train: l.txt}\n")
    if line != "train/bad/1.png gud part":  # reads as the picture 'train/bad/1.png gud' and the class 'part'
        assert LIST_FAULTS[line] in fault(spec)
    else:
        assert "l.txt:2: there is no picture" in fault(spec)
    write(folder_set / "l.txt", f"train/good/1.png\n{line}\ntrain/good/deep/2.png\n")
    labels, skipped = read_split(spec, "train", on_error="skip")
    differ = line == "train/good/1.png bad"  # neither class is known to be the right one
    assert (len(labels), len(skipped)) == (1 if differ else 2, 1)


CSV_FAULTS = {
    "name,kind\na,b\n": "t.csv:1: the first line must name the columns, one of them 'path'",
    "path,label\ntrain/bad/1.png,bad,good part\n": "t.csv:2: 3 cells, but the first line names 2; put",
    "path;label\ntrain/bad/1.png;bad\n\ntrain/bad;1.png;bad;\n": "t.csv:4: 4 cells, but the first line names 2; put",
    "path,label\nnone.png,bad\n": "t.csv:2: there is no picture 'none.png'",
    "path,label\ntrain/bad/1.png,\n": "t.csv:2: the row has no class",
    "path,label\ntrain/bad/1.png,Bad\n": "t.csv:2: unknown class 'Bad': did you mean 'bad'?",
    "path,label\ntrain/bad/1.png,bad\ntrain/bad/1.png,ok\n": "t.csv:3: 'train/bad/1.png' is already in line 2, ",
    "path,label\ntrain/bad/1.png,bad\ntrain/bad/1.png,bad\n": "is already in line 2; remove one of the two",
    'path,label\ntrain/bad/1.png,bad\n"train/bad/1.png,bad\nx,bad\n': "t.csv:3: not valid CSV in the row",
    'path,label\n"train/bad/1.png,bad\nx",bad\n': "t.csv:2: not valid CSV in the row that begins here (a cell",
    "path,label\n": "the split 'train' holds no pictures",
    "\0\0": "not a text file",
}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path,label\n", "t.csv: no classes can be found: no row under the first has a class"),
        (
            "path,label\ntrain/bad/1.png,0\n",
            r"t.csv: the classes are ids \(0\); add 'classes: .*' with their names to the",
        ),
    ],
)
def test_classes_that_a_csv_does_not_tell(folder_set: Path, write: Write, text: str, told: str) -> None:
    write(folder_set / "t.csv", text)
    with pytest.raises(UserError, match=told):
        spec_of(folder_set, "format: csv\nsplits: {train: t.csv}\n")


@pytest.mark.parametrize("text", CSV_FAULTS)
def test_a_bad_csv(folder_set: Path, write: Write, text: str) -> None:
    write(folder_set / "t.csv", text)
    spec = spec_of(folder_set, "format: csv\nclasses: [bad, ok]\nsplits: {train: t.csv}\n")
    assert CSV_FAULTS[text] in fault(spec)


def test_pictures_without_a_class_folder_are_told_once_a_folder(folder_set: Path, save_picture: Save) -> None:
    for number in range(3):
        save_picture(folder_set / "train" / "good parts" / f"{number}.png")
    spec = spec_of(folder_set, "classes: [bad, good part]\n" + FOLDERS)
    assert (
        "train/good parts: its 3 pictures have no class: unknown class 'good parts': did you mean 'good part'?"
        in fault(spec)
    )
    save_picture(folder_set / "train" / "lone.png")
    _, skipped = read_split(spec, "train", on_error="skip")
    assert len(skipped) == 2 and any("put each into a folder named after its class" in str(each) for each in skipped)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format: folders\nsplits: {train: .}\n", "holds the folders train, val: name them as splits"),
        ("format: folders\nsplits: {train: {images: train, labels: x}}\n", "format folders has no 'labels'"),
        ("format: csv\nsplits: {train: train}\n", "the split 'train' needs 'labels: FILE.csv'"),
        ("format: folders\nsplits: {train: trian}\n", "the folder does not exist"),
    ],
)
def test_a_bad_yaml(folder_set: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        spec_of(folder_set, text)


def test_a_list_that_could_be_two_files_is_refused(folder_set: Path, write: Write) -> None:
    write(folder_set / "l.txt", "train/bad/1.png\n")
    write(folder_set / "train" / "l.txt", "bad/1.png\n")
    with pytest.raises(UserError, match=r"'l\.txt' could be .* or .*; write the path"):
        spec_of(folder_set, "root: train\nformat: folders\nsplits: {train: l.txt}\n")


def test_boxes_and_classes_are_not_mistaken_for_each_other(folder_set: Path, yolo_set: Path) -> None:
    boxes, classes = load_dataset(yolo_set / "data.yaml"), spec_of(folder_set, FOLDERS)
    with pytest.raises(UserError, match="marks boxes"):
        CLASSIFICATION.check_dataset(boxes)
    with pytest.raises(UserError, match="gives each picture a class"):
        DETECTION.check_dataset(classes)
    with pytest.raises(UserError, match="marks boxes: split it with"):
        draw_splits(boxes, folder_set / "new", val=0.2)
    with pytest.raises(UserError, match="has no boxes to convert"):
        convert_dataset(classes, folder_set / "new", "yolo")


def test_a_folder_is_read_without_a_yaml(folder_set: Path) -> None:
    spec = load_dataset(folder_set)
    assert spec.classes == ("bad", "good part") and set(spec.splits) == {"train", "val"}


def kinds(report: AuditReport, severity: str) -> dict[str, int]:
    return {kind: len(group) for kind, found, group in report.by_kind() if found == severity}


def test_the_audit_of_classes(folder_set: Path, save_picture: Save) -> None:
    spec = spec_of(folder_set, "classes: [bad, good part, scratched]\n" + FOLDERS)
    clean = audit_dataset(spec)
    assert clean.splits["train"].counts.tolist() == [1, 2, 0]
    assert kinds(clean, "error") == {}
    assert {"class-empty", "class-rare"} == kinds(clean, "warning").keys()
    (folder_set / "val" / "bad" / "5.png").write_bytes((folder_set / "train" / "good part" / "1.png").read_bytes())
    (folder_set / "val" / "bad" / "6.png").write_bytes(b"no picture")
    save_picture(folder_set / "train" / "odd" / "7.png")
    report = audit_dataset(spec)
    assert kinds(report, "error") == {"class": 1, "picture": 1, "leak": 1}
    leak = next(finding for finding in report.findings if finding.kind == "leak")
    assert leak.message == "is byte for byte 1.png of 'train', but their labels differ"
    assert "boxes" not in str(report.as_dict()["splits"])


def test_the_audit_of_class_names(folder_set: Path, write: Write) -> None:
    """A table typed by hand; the names are told where they come from rows, too."""
    write(folder_set / "t.csv", "path,label\ntrain/bad/1.png,Bad\nval/bad/4.png,bad\ntrain/good part/1.png,good part\n")
    report = audit_dataset(spec_of(folder_set, "format: csv\nclasses: [Bad, bad, good part]\nsplits: {train: t.csv}\n"))
    (found,) = [finding for finding in report.findings if finding.kind == "class-alike"]
    assert found.message == "the classes 'Bad', 'bad' count as 2"
    clean = audit_dataset(spec_of(folder_set, FOLDERS))
    assert "class-alike" not in kinds(clean, "warning")


def test_the_audit_tells_empty_folders(folder_set: Path) -> None:
    (folder_set / "train" / "scratched" / "deep").mkdir(parents=True)
    (folder_set / "val" / ".cache").mkdir()
    report = audit_dataset(spec_of(folder_set, FOLDERS))
    (found,) = [finding for finding in report.findings if finding.kind == "folder-empty"]
    assert found.path == folder_set / "train" / "scratched" and found.severity == "note"
    named = audit_dataset(spec_of(folder_set, "classes: [bad, good part, scratched]\n" + FOLDERS))
    assert "folder-empty" not in kinds(named, "note") and "class-empty" in kinds(named, "warning")


def test_pictures_of_one_look_and_two_classes_are_told_first(folder_set: Path) -> None:
    good, bad = folder_set / "train" / "good part", folder_set / "train" / "bad"
    (good / "copy.png").write_bytes((good / "1.png").read_bytes())
    (good / "zz.png").write_bytes((bad / "1.png").read_bytes())
    report = audit_dataset(spec_of(folder_set, FOLDERS))
    (group,) = [found for kind, _, found in report.by_kind() if kind == "duplicate"]
    assert [finding.message.endswith("but their labels differ") for finding in group] == [True, False]


@pytest.mark.realdata
def test_the_leak_of_the_casting_set_is_found(real_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = real_data("casting")
    ours = load_dataset(DATASETS / "casting.yaml")
    counts = {split: len(read_split(ours, split)[0]) for split in ("train", "val", "test")}
    assert counts == {"train": 964, "val": 236, "test": 400}

    def leaks(train: str, test: str) -> dict[str, int]:
        text = f"root: {folder}\nformat: folders\nsplits: {{train: {train}, test: {test}}}\n"
        report = audit_dataset(spec_of(tmp_path, text))
        between = [f for f in report.findings if f.kind in ("shared", "leak", "leak-near")]
        return {kind: sum(f.kind == kind for f in between) for kind in ("shared", "leak", "leak-near")}

    published, apart = leaks("train.txt", "test.txt"), leaks("group_train.txt", "group_test.txt")
    assert published["leak-near"] > 250 and apart["leak-near"] < 80
    mixed = leaks("group_train.txt", "test.txt")
    paths = [set((folder / name).read_text().split()) for name in ("group_train.txt", "test.txt")]
    assert mixed["shared"] == len(paths[0] & paths[1]) > 0
    assert mixed["leak"] > 0
