"""``lightdet archive query``: answers from the rows of a run, by flags and in SQL, and from nothing else."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.runs.archive.table import partition_of, write_rows

pytest.importorskip("pyarrow", reason="needs the extra: pip install 'lightdet[archive]'")
pytest.importorskip("duckdb", reason="needs the extra: pip install 'lightdet[archive]'")

from lightdet.runs.archive.answers import Answers  # after the packages that it needs


def box(name: str, score: float) -> dict[str, Any]:
    return {"x1": 5.0, "y1": 4.0, "x2": 30.0, "y2": 20.0, "score": score, "class": name}


def row(source: Path, day: str, boxes: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    decision = "NG" if any(each["score"] > 0.5 for each in boxes) else "OK"
    known = {"source": str(source), "partition": f"day={day}", "model": "m.safetensors", "model_sha256": "ab" * 32}
    score = max((each["score"] for each in boxes), default=None)
    return {**known, "width": 50, "height": 40, "decision": decision, "score": score, "detections": boxes, **more}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output ``out`` with four rows, and three of the pictures, one changed since."""
    folder = tmp_path_factory.mktemp("query")
    random = np.random.default_rng(1)
    for name in ("a", "b", "changed"):
        Image.fromarray(random.integers(0, 255, (40, 50, 3), np.uint8)).save(folder / f"{name}.png")
    digest = hashlib.sha256((folder / "a.png").read_bytes()).hexdigest()
    rows = [
        row(folder / "a.png", "2026-11-26", [box("dent", 0.9), box("scratch", 0.3)], sha256=digest),
        row(folder / "b.png", "2026-11-27", [box("scratch", 0.7)]),
        row(folder / "changed.png", "2026-11-28", [], sha256="0" * 64, model="other.onnx", model_sha256="cd" * 32),
        {**row(folder / "bad.png", "2026-11-28", []), "decision": None, "detections": None, "reason": "is truncated"},
    ]
    write_rows(folder / "out", rows)
    return folder


def names(judged: Path, *flags: str) -> list[str]:
    target = judged / "hits.json"
    assert main(["archive", "query", str(judged / "out"), *flags, "--json", str(target)]) == 0
    return [Path(each["source"]).stem for each in json.loads(target.read_text())]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("", ["a", "b", "bad", "changed"]),
        ("--class scratch", ["b", "a"]),
        ("--class scratch --above 0.6", ["b"]),  # the dent of a is higher, its scratch is not
        ("--above 0.6", ["a", "b"]),
        ("--decision NG", ["a", "b"]),
        ("--since 2026-11-27", ["b", "bad", "changed"]),
        ("--since 2026-11-27 --until 2026-11-28", ["b"]),
        ("--source changed.p", ["changed"]),
        ("--model other.onnx", ["changed"]),
        ("--model ABAB", ["a", "b", "bad"]),
        ("--failed", ["bad"]),
        ("--limit 1", ["a"]),
        ("--class rust", []),
    ],
)
def test_flags(judged: Path, flags: str, found: list[str]) -> None:
    assert names(judged, *flags.split()) == found


def test_sql_and_files(judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT class, count(*) AS boxes, max(score) AS best FROM boxes GROUP BY class ORDER BY class"
    assert main(["archive", "query", str(judged / "out"), sql, "--csv", str(tmp_path / "b.csv")]) == 0
    shown = capsys.readouterr().out
    assert "scratch" in shown and "0.9" in shown
    with (tmp_path / "b.csv").open(encoding="utf-8-sig", newline="") as file:
        read = list(csv.DictReader(file))
    assert [(each["class"], each["boxes"]) for each in read] == [("dent", "1"), ("scratch", "2")]
    assert float(read[0]["best"]) == pytest.approx(0.9)


def test_a_table_has_the_boxes_by_name(judged: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["archive", "query", str(judged / "out"), "--class", "dent"]) == 0
    shown = capsys.readouterr().out
    assert "dent 0.90, scratch 0.30" in shown and "sha256" not in shown and "reason" not in shown
    assert main(["archive", "query", str(judged / "out"), "--class", "rust"]) == 0
    assert capsys.readouterr().out == "no rows\n"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT * FROM read_text('{secret}')", "disabled"),
        ("SELECT * FROM '{secret}'", ""),
        ("SELECT * FROM read_parquet('{other}')", "disabled"),
        ("SELECT * FROM glob('/*')", "disabled"),
        ("SELECT * FROM read_csv('https://example.org/a.csv')", ""),
        ("COPY archive TO '{target}'", "one SELECT"),
        ("ATTACH '{target}'", "one SELECT"),
        ("INSTALL httpfs", "one SELECT"),
        ("SET threads = 1", "one SELECT"),
        ("DROP VIEW archive", "one SELECT"),
        ("SELECT 1; COPY archive TO '{target}'", "one SELECT"),
        ("", "one SELECT"),
        ("SELECT * FROM secret_of_python", "does not exist"),
        ("SELECT sauce FROM archive", "source"),
        ("SELEC", "syntax"),
    ],
)
def test_nothing_else_is_read_written_or_loaded(
    judged: Path, tmp_path: Path, sql: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, target = tmp_path / "secret.csv", tmp_path / "written"
    secret.write_text("password\n")
    other = next((judged / "out").rglob("*.parquet"))
    asked = sql.format(secret=secret, target=target, other=other)
    assert main(["archive", "query", str(judged / "out"), asked]) == 2
    out, error = capsys.readouterr()
    assert error.count("\n") == 1 and told in error and "password" not in out + error
    assert not target.exists()


def test_an_answer_that_needs_too_much_is_refused(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightdet.runs.archive.answers.MEMORY", "50MB")
    monkeypatch.setattr("lightdet.runs.archive.answers.TEMPORARY", "1MB")
    with Answers(judged / "out") as answers, pytest.raises(UserError, match=r"(?i)memory"):
        list(answers.select("SELECT list(range) FROM range(100000000)").rows)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["SELECT 1", "--class", "dent"], "not both"),
        (["--since", "yesterday"], "--since 'yesterday': write a day"),
        (["--sheet", "sheet.pdf"], "contact sheet"),
        (["SELECT 1 AS one", "--sheet", "sheet.png"], "'source'"),
    ],
)
def test_what_is_wrong_is_one_line(
    judged: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(judged)
    assert main(["archive", "query", "out", *words]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    (judged / "empty").mkdir(exist_ok=True)
    assert main(["archive", "query", "empty"]) == 2 and "holds no results" in capsys.readouterr().err


def test_a_sheet_shows_the_pictures_or_why_not(judged: Path, tmp_path: Path) -> None:
    query = ["archive", "query", str(judged / "out"), "--sheet"]
    assert main([*query, str(tmp_path / "s.html")]) == 0
    html = (tmp_path / "s.html").read_text()
    assert html.count("<img") == 2 and html.count("<figure") == 4
    assert "has changed since it was judged" in html and "is truncated" in html and "scratch 0.70" in html
    assert main([*query, str(tmp_path / "s.png"), "--limit", "2"]) == 0
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width > 2 * 320 and sheet.height < 2 * 320
        assert np.asarray(sheet.convert("RGB")).std() > 20


def test_a_picture_of_16_bit_is_drawn(tmp_path: Path) -> None:
    deep = np.random.default_rng(1).integers(0, 65535, (40, 50), np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    write_rows(tmp_path / "out", [row(tmp_path / "deep.png", "2026-11-26", [box("dent", 0.9)])])
    assert main(["archive", "query", str(tmp_path / "out"), "--sheet", str(tmp_path / "s.html")]) == 0
    html = (tmp_path / "s.html").read_text()
    assert html.count("<img") == 1 and "damaged" not in html


def test_pictures_of_an_archive_file_are_drawn(judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    shutil.copy(judged / "a.png", tmp_path / "in/a.png")
    shutil.make_archive("parts", "zip", "in")
    write_rows(Path("out"), [{**row(Path("zip://a.png::parts.zip"), "2026-11-26", [box("dent", 0.9)])}])
    assert main(["archive", "query", "out", "--sheet", "s.html"]) == 0
    assert Path("s.html").read_text().count("<img") == 1


@given(st.lists(st.text("0123456789-_/.ax", min_size=1, max_size=24), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_days_are_found_as_by_the_run(tmp_path: Path, endings: list[str]) -> None:
    sources = [f"{each}2026-11-2{number % 9}{each}" for number, each in enumerate(endings)] + endings
    folder = tmp_path / "days"
    shutil.rmtree(folder, ignore_errors=True)
    write_rows(folder, [{"source": each, "partition": ""} for each in sources])
    with Answers(folder) as answers:
        found = dict(answers.select("SELECT source, day FROM archive").rows)
    assert found == {each: partition_of(each, each, "day", None).removeprefix("day=") for each in sources}
