"""``lightdet data collect``: from kept pictures and corrections to a data set, and what is refused in one line."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sqlalchemy", reason="records need pip install 'lightdet[service]'")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "service"))

from colors import paint
from test_store import NOON, inspection

from lightdet.assembly.dataset import load_dataset
from lightdet.cli.app import main
from lightdet.data.dataset import read_split
from lightdet.data.proposal_file import read_proposals
from lightdet.service.inspection import ModelIdentity, Origin
from lightdet.service.picture_folder import PictureFolder, file_name
from lightdet.service.records.store import Store

SIZE = (256, 192)
FOUND = [
    {"name": "green", "label": 1, "score": 0.9, "box": [10.0, 20.0, 50.0, 60.0], "defect": True},
    {"name": "red", "label": 0, "score": 0.3, "box": [100.0, 30.0, 180.0, 50.0], "defect": True},
]
RIGHT = [{"name": "green", "box": [10.0, 20.0, 50.0, 60.0]}]


@dataclass
class Line:
    """Records and kept pictures, as a service leaves them."""

    folder: Path
    store: Store
    pictures: PictureFolder
    made: int = 0

    @property
    def database(self) -> str:
        return str(self.folder / "inspections.sqlite3")

    def part(self, *found: dict[str, Any], data: bytes | None = None, kept: bool = True, **changes: Any) -> str:
        """Write an inspection; returns its id."""
        self.made += 1
        random = np.random.default_rng(self.made)
        patches = [(int(random.integers(3)), 100, *(int(v) for v in random.integers(0, 90, 2)), 150, 150)]
        data = data or paint(*patches, size=SIZE)
        values: dict[str, Any] = {
            "name": f"part {self.made}",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": SIZE,
            "detections": list(found),
            "decision": "NG" if any(each["defect"] for each in found) else "OK",
        }
        entry = inspection(NOON + self.made * 1000, **(values | changes))
        if kept:
            name = file_name(entry.id, data)
            self.pictures.write(name, data, sync=False)
            entry = inspection(NOON + self.made * 1000, **(values | changes), id=entry.id, original=name)
        self.store.insert([entry])
        return entry.id

    def say(self, part: str, decision: str | None, boxes: Sequence[dict[str, Any]] | None = None) -> None:
        self.made += 1
        self.store.correct(part, decision, "why", Origin("k", "operator"), NOON + self.made * 1000, boxes)

    def file(self, part: str) -> Path:
        record = self.store.one(part)
        assert record is not None
        return self.pictures.path(record["original"])


@pytest.fixture
def line(tmp_path: Path) -> Line:
    (tmp_path / "serve" / "pictures").mkdir(parents=True)
    folder = tmp_path / "serve"
    return Line(folder, Store(str(folder / "inspections.sqlite3")), PictureFolder(folder / "pictures"))


def collect(line: Line, *more: str, output: str = "out") -> tuple[int, dict[str, Any]]:
    told = line.folder.parent / "told.json"
    told.unlink(missing_ok=True)
    target = line.folder.parent / output
    code = main(["data", "collect", "--records", line.database, "-o", str(target), "--json", str(told), *more])
    return code, json.loads(told.read_text()) if told.is_file() else {}


def labels_of(folder: Path, split: str) -> dict[str, Any]:
    """By the picture's stem: its labels as training reads them."""
    annotations, _ = read_split(load_dataset(folder), split)
    return {each.image.stem: each for each in annotations}


def test_each_picture_goes_where_its_corrections_say(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    boxed, good, ticked, unknown = (line.part(*FOUND) for _ in range(4))
    line.part(*FOUND)  # nobody looked at it
    line.say(boxed, "NG", RIGHT)
    line.say(good, "OK")
    line.say(ticked, None, [])
    line.say(unknown, "NG")
    before = {path: path.read_bytes() for path in line.folder.rglob("*.png")}
    code, told = collect(line, "--val", "0")
    assert code == 0
    out = line.folder.parent / "out"
    found = labels_of(out, "train")
    assert set(found) == {boxed, good, ticked}
    assert found[boxed].boxes.tolist() == pytest.approx(np.array([RIGHT[0]["box"]]), abs=1e-3)
    assert load_dataset(out).classes == ("red", "green") and found[boxed].labels.tolist() == [1]
    assert len(found[good]) == len(found[ticked]) == 0
    assert (out / "labels" / "train" / f"{good}.txt").read_bytes() == b""  # there, and empty: free of defects
    assert [path.stem for path in (out / "to_label").glob("*.png")] == [unknown]
    kept = read_proposals(out / "to_label")
    assert kept is not None and kept.classes == ("red", "green") and list(kept.pictures) == [f"{unknown}.png"]
    assert [(each.name, each.score) for each in kept.pictures[f"{unknown}.png"]] == [("green", 0.9), ("red", 0.3)]
    assert {path: path.read_bytes() for path in line.folder.rglob("*.png")} == before
    assert all((out / "images" / "train" / path.name).read_bytes() == data for path, data in before.items()
               if path.stem in found)  # fmt: skip
    said = capsys.readouterr().out
    assert "labelled: 3 pictures with 1 box, 2 of them without any; classes: red, green" in said
    assert "to be labelled: 1 picture (1 said to be NG, without boxes)" in said
    assert f"label the others: lightdet label {out / 'to_label'}" in said
    assert told["inspections"] == 5 and told["corrected"] == 4


def test_pictures_that_cannot_be_used_are_counted_and_named(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    deleted, missing, changed, unkept, fine = (line.part(*FOUND, kept=place != 3) for place in range(5))
    several = line.part(*FOUND, data=two_pages())
    for each in (deleted, missing, changed, unkept, fine, several):
        line.say(each, "OK")
    line.file(deleted).unlink()
    line.store.note_pictures_deleted(deleted)
    line.file(missing).unlink()
    line.file(changed).write_bytes(line.file(changed).read_bytes() + b"\0")
    code, told = collect(line)
    assert code == 0 and [each["id"] for each in told["labelled"]] == [fine]
    assert {each["id"]: each["reason"] for each in told["left_out"]} == {
        deleted: "deleted", missing: "missing", changed: "changed", unkept: "not kept", several: "unusable",
    }  # fmt: skip
    said = capsys.readouterr().out
    for text in (
        f"left out: 1 picture deleted by retention: part 1 ({deleted})",
        f"left out: 1 picture not in the folder of kept pictures: part 2 ({missing})",
        f"left out: 1 picture changed since, not what was inspected: part 3 ({changed})",
        f"left out: 1 picture never kept ('serve --keep'): part 4 ({unkept})",
        "2 pictures",
    ):
        assert text in said


def test_all_pictures_deleted_by_retention(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    part = line.part(*FOUND)
    line.say(part, "OK")
    line.file(part).unlink()
    line.store.note_pictures_deleted(part)
    code, told = collect(line)
    captured = capsys.readouterr()
    assert code == 2 and not told and "deleted by retention: part 1" in captured.out
    assert captured.err == "error: no picture is left to collect; see above\n"
    assert not (line.folder.parent / "out").exists()


def two_pages() -> bytes:
    import io

    from PIL import Image as Pil

    file = io.BytesIO()
    Pil.new("L", SIZE).save(file, "TIFF", save_all=True, append_images=[Pil.new("L", SIZE, 9)])
    return file.getvalue()


def test_a_picture_sent_again_is_taken_once_and_its_newest_correction_holds(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    data = paint((0, 200, 10, 20, 50, 60), size=SIZE)
    first, second = line.part(*FOUND, data=data), line.part(*FOUND, data=data)
    line.say(second, "OK")
    line.say(first, "NG", RIGHT)
    code, told = collect(line)
    assert code == 0
    [only] = told["labelled"]
    assert (only["boxes"], only["contradicting"]) == (RIGHT, True)
    said = capsys.readouterr().out
    assert "corrected in contradicting ways: 1 picture, the newest correction holds: part 2" in said
    assert "inspected more than once, taken once: 1 further inspection" in said


def test_the_choice(line: Line) -> None:
    """By verdict, by doubt, by a list, by model and time, up to a limit with the corrected ones first."""
    sure = line.part(FOUND[0])
    near = line.part({**FOUND[1], "score": 0.28})
    clear = line.part()
    weak = line.part({**FOUND[1], "score": 0.2, "defect": False})
    other = line.part(FOUND[0], model=ModelIdentity("other", "0" * 12, "0" * 64))
    line.say(clear, "OK")

    def chosen(*more: str) -> set[str]:
        code, told = collect(line, "--dry-run", *more)
        assert code == 0 and told["written"] is None
        return {each["id"] for each in (*told["labelled"], *told["to_label"])}

    assert chosen() == {clear}
    assert chosen("--what", "ng") == {sure, near, other}
    assert chosen("--what", "uncertain") == {near, weak}
    assert chosen("--what", "uncertain", "--band", "0.04") == {near}
    assert chosen("--what", "corrected", "--what", "uncertain") == {clear, near, weak}
    assert chosen("--what", "all") == {sure, near, clear, weak, other}
    assert chosen("--what", "all", "--model", "other") == chosen("--what", "all", "--model", "0" * 64) == {other}
    assert chosen("--what", "all", "--limit", "2") == {clear, other}
    assert chosen("--what", "all", "--until", "2026-01-01T12:00:02.500Z") == {sure, near}
    listing = line.folder.parent / "picked.txt"
    listing.write_text(f"{line.file(weak)}\n")
    assert chosen("--picked", str(listing)) == {clear, weak}
    assert not (line.folder.parent / "out").exists()


def test_listed_pictures_without_a_record_are_counted_and_named(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    here, other = line.part(*FOUND), line.part(*FOUND, model=ModelIdentity("other", "0" * 12, "0" * 64))
    listing = line.folder.parent / "picked.txt"
    names = [f"{here}.png", "deep/b.png", f"{other}.png", "a.png", "c.png", "s3://lake/d.png"]
    listing.write_text("".join(f"{name}\n" for name in names))
    code, told = collect(line, "--picked", str(listing), "--dry-run")
    assert code == 0 and told["not_found"] == ["a", "b", "c", "d"]
    assert "listed, but in none of these records: 4 pictures: a, b, c and 1 more" in capsys.readouterr().out
    code, told = collect(line, "--picked", str(listing), "--dry-run", "--model", "best")
    assert told["not_found"] == sorted(["a", "b", "c", "d", other])
    listing.write_text("a.png\nb.png\n")
    told_line = one_line(capsys, "--records", line.database, "-o", "new", "--picked", str(listing))
    assert "no picture is asked for: 2 inspections, 0 of them corrected, none of the 2 listed (a, b);" in told_line
    assert collect(line, "--what", "all", "--dry-run")[1]["not_found"] == []


def test_parts_that_a_line_did_not_judge_are_neither_bad_nor_uncertain(line: Line) -> None:
    near = line.part({**FOUND[1], "score": 0.28})
    unjudged = {"rule": {"none": "no model is ready"}, "overridden": True, "decision": "NG"}
    line.part(**unjudged)
    told = line.part(**unjudged)
    for what in ("ng", "uncertain"):
        code, found = collect(line, "--dry-run", "--what", what)
        assert code == 0 and [each["id"] for each in found["to_label"]] == [near] and found["labelled"] == []
    line.say(told, "NG", RIGHT)  # what a person says of it is as good as of any other
    code, found = collect(line)
    assert code == 0 and [each["id"] for each in found["labelled"]] == [told] and found["inspections"] == 3


def test_a_picture_is_found_where_another_inspection_of_it_kept_it(line: Line) -> None:
    data = [paint((0, 200, 10, 20, 50, 60 + each), size=SIZE) for each in range(2)]
    other = ModelIdentity("other", "0" * 12, "0" * 64)
    line.part(data=data[0], model=other)  # kept, and neither corrected nor asked for
    first = line.part(*FOUND, data=data[0], kept=False)
    second = line.part(*FOUND, data=data[1], kept=False)
    line.part(data=data[1])
    never = line.part(*FOUND, kept=False)
    for each in (first, second, never):
        line.say(each, "NG", RIGHT)
    code, told = collect(line, "--model", "best")
    assert code == 0 and {each["id"] for each in told["labelled"]} == {first, second}
    assert [each["id"] for each in told["left_out"]] == [never]
    assert len(labels_of(line.folder.parent / "out", "train")) + len(labels_of(line.folder.parent / "out", "val")) == 2


def test_look_alikes_stay_on_one_side_and_the_seed_decides(line: Line) -> None:
    twins = [(0, 200, 10 + shift, 20, 60, 60) for shift in (0, 1)]
    alike = [line.part(*FOUND, data=paint(patch, size=SIZE)) for patch in twins]
    others = [line.part(*FOUND) for _ in range(12)]
    for each in (*alike, *others):
        line.say(each, "NG", RIGHT)
    sides = []
    for output in ("one", "two"):
        code, told = collect(line, "--val", "0.3", "--seed", "3", output=output)
        assert code == 0
        splits = told["written"]["splits"]
        assert {name: len(splits[name]) > 0 for name in splits} == {"train": True, "val": True}
        assert len({name for name, files in splits.items() for each in alike if f"{each}.png" in files}) == 1
        assert sorted(splits["train"] + splits["val"]) == sorted(f"{each}.png" for each in (*alike, *others))
        sides.append(splits)
    assert sides[0] == sides[1]


def test_classes_of_another_data_set(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    part = line.part(*FOUND)
    line.say(part, "NG", RIGHT)
    yaml = line.folder.parent / "old.yaml"
    (line.folder.parent / "images").mkdir()
    yaml.write_text("root: .\nformat: yolo\nclasses: [dent, green, red]\nsplits: {train: images}\n")
    assert collect(line, "--data", str(yaml))[0] == 0
    out = line.folder.parent / "out"
    assert load_dataset(out).classes == ("dent", "green", "red")
    assert labels_of(out, "train")[part].labels.tolist() == [1]
    yaml.write_text(yaml.read_text().replace("green", "blue"))
    capsys.readouterr()
    assert collect(line, "--data", str(yaml), output="new")[0] == 2
    assert "has the class 'green'; the data set's are dent, blue, red" in capsys.readouterr().err


def test_nothing_is_left_where_a_picture_cannot_be_copied(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    import lightdet.service.collecting.write as module

    for part in [line.part(*FOUND) for _ in range(3)]:
        line.say(part, "OK")
    real, left = module._copy, [2]

    def fail(*args: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        real(*args)

    monkeypatch.setattr(module, "_copy", fail)
    assert collect(line)[0] == 2
    assert sorted(path.name for path in line.folder.parent.iterdir()) == ["serve"]


def one_line(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    capsys.readouterr()
    assert main(["data", "collect", *args]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    return err


def test_wrong_records_and_outputs_are_one_line(line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = str(tmp_path / "new")
    assert "no such file" in one_line(capsys, "--records", str(tmp_path / "no.sqlite3"), "-o", new)
    text = tmp_path / "text.sqlite3"
    text.write_text("no database at all, but long enough to be looked at\n" * 40)
    assert f"{text}: is no database of lightdet" in one_line(capsys, "--records", str(text), "-o", new)
    foreign = tmp_path / "foreign.sqlite3"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    kept = foreign.read_bytes()
    assert "has no records' tables" in one_line(capsys, "--records", str(foreign), "-o", new)
    assert foreign.read_bytes() == kept  # nothing was put into it
    (tmp_path / "nothing.sqlite3").touch()
    assert "has no records' tables" in one_line(capsys, "--records", str(tmp_path / "nothing.sqlite3"), "-o", new)
    assert "a folder without inspections.sqlite3" in one_line(capsys, "--records", str(tmp_path), "-o", new)
    assert "holds no inspection" in one_line(capsys, "--records", line.database, "-o", new)
    line.part(*FOUND)
    assert "no picture is asked for" in one_line(capsys, "--records", str(line.folder), "-o", new)
    assert "holds no inspection" in one_line(capsys, "--records", str(line.folder), "-o", new, "--model", "x")
    filled = ["--records", str(line.folder), "--what", "all", "-o"]
    assert "is not empty" in one_line(capsys, *filled, str(tmp_path))
    assert "is a file" in one_line(capsys, *filled, str(text))
    assert "give --keep-folder" in one_line(capsys, *filled, new, "--keep-folder", str(tmp_path / "x"))
    assert "write a day as" in one_line(capsys, *filled, new, "--since", "yesterday")
    assert "mysql" in one_line(capsys, "--records", "mysql://u:secret@h/n", "-o", new)
    assert not Path(new).exists()


def test_records_of_a_classifier_are_refused(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    line.part(rule={"bad": ["x"], "threshold": 0.5, "thresholds": {}})
    told = one_line(capsys, "--records", line.database, "-o", str(line.folder.parent / "new"))
    assert "of a classifier alone" in told


def test_an_empty_folder_is_taken(line: Line) -> None:
    line.say(line.part(*FOUND), "OK")
    (line.folder.parent / "out").mkdir()
    assert collect(line)[0] == 0
