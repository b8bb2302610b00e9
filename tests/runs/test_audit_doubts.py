"""``lightdet data audit --weights``: a cross-validation's findings or a model's, on the page, in JSON and as a list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubted_set import doubted_set

from lightdet.cli.app import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return doubted_set(tmp_path)


def run(*words: str) -> int:
    return main(["data", "audit", "--data", "data.yaml", *words])


def test_the_wrong_class_is_told_everywhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run("-w", "cv", "--json", "a.json", "--output", "a.html", "--order", "next.txt")
    told = json.loads(Path("a.json").read_text())["doubts"]
    first = told["first"][0]
    assert code == 0
    assert (first["kind"], first["class"], first["found"]["class"]) == ("class", "dent", "hole")
    assert Path(first["path"]).name == "p 3.txt"
    assert first["line"] == 1
    out = capsys.readouterr().out
    assert "p 3.txt:1: the box of 'dent' is 'hole' with score 0.90" in out
    assert "lightdet label data.yaml --order next.txt" in out
    assert Path("next.txt").read_text().splitlines()[0] == "images/p 3.png"
    page = Path("a.html").read_text()
    assert "http://127.0.0.1:8010/#images%2Fp%203.png" in page
    assert "data:image/jpeg" in page.split("probably wrong")[1].split("Gallery")[0]


def test_the_labelling_page_opens_the_list(folder: Path) -> None:
    pytest.importorskip("fastapi")
    from lightdet.labelling.open_folder import open_folder

    run("-w", "cv", "--order", "next.txt", "--doubts", "1")
    opened, _ = open_folder(Path("data.yaml"), order=Path("next.txt"))
    assert [picture.name for picture in opened.pictures] == ["images/p 3.png"]


def test_no_more_findings_than_asked_for(folder: Path) -> None:
    run("-w", "cv", "--json", "a.json", "--doubts", "1")
    assert len(json.loads(Path("a.json").read_text())["doubts"]["first"]) == 1


@pytest.mark.parametrize("broken", ["empty", "missing", "labels"])
def test_a_split_that_cannot_be_read_costs_no_other_its_report(
    folder: Path, broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if broken != "missing":
        Path("more").mkdir()
    if broken == "labels":
        Path("more/x.png").write_bytes(Path("images/p 0.png").read_bytes())
        Path("more/x.txt").write_text("nonsense\n")
    Path("data.yaml").write_text("format: yolo\nclasses: [dent, hole]\nsplits: {train: images, val: more}\n")
    assert run("--json", "plain.json") == 1
    out = capsys.readouterr().out
    assert run("-w", "cv", "--json", "a.json") == 1
    with_doubts = capsys.readouterr().out
    assert with_doubts.startswith(out.rstrip()) and "p 3.txt:1: the box of 'dent' is 'hole'" in with_doubts
    told, plain = (json.loads(Path(name).read_text()) for name in ("a.json", "plain.json"))
    assert told.pop("doubts")["notes"][0].startswith("the split 'val' was left out: ")
    assert told == {name: value for name, value in plain.items() if name != "doubts"}


def test_a_report_without_any_split_that_can_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data.yaml").write_text("format: yolo\nclasses: [dent, hole]\nsplits: {train: nowhere}\n")
    assert run("-w", "cv", "--json", "a.json") == 1
    assert json.loads(Path("a.json").read_text())["doubts"]["total"] == 0


@pytest.mark.parametrize(
    ("spoil", "words", "message"),
    [
        (lambda: None, ["--order", "a.txt"], "--order needs --weights"),
        (lambda: None, ["--doubts", "3"], "--doubts needs --weights"),
        (lambda: Path("cv/fold2/held_out.safetensors").unlink(), ["-w", "cv"], "finish the cross-validation"),
        (lambda: Path("cv/fold2/held_out.safetensors").write_bytes(b"x"), ["-w", "cv"], "finish the cross-validation"),
        (lambda: Path("cv/plan.json").write_text("[]"), ["-w", "cv"], "not the folder of a cross-validation"),
        (
            lambda: Path("cv/plan.json").write_text('{"data": {"classes": ["other"]}}'),
            ["-w", "cv"],
            "other classes",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    folder: Path, spoil, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil()
    assert run(*words) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
