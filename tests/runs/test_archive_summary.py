"""The summary page of an archive: its numbers against a count of the rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lightdet.cli.app import main

pytest.importorskip("pyarrow", reason="needs the extra: pip install 'lightdet[archive]'")
pytest.importorskip("duckdb", reason="needs the extra: pip install 'lightdet[archive]'")

from lightdet.runs.archive.summary import NAME, keep_run, write_summary  # after the packages that it needs
from lightdet.runs.archive.table import parts_of, write_rows


def row(number: int, day: str, decision: str | None, **more: Any) -> dict[str, Any]:
    box = {"x1": 1.0, "y1": 1.0, "x2": 9.0, "y2": 9.0, "score": 0.8, "class": "<b>scratch"}
    found = {"decision": decision, "detections": [box] if decision == "NG" else [], "score": 0.8}
    known = {"source": f"gone/{number}.png", "partition": f"day={day}", "model": "m.onnx", "model_sha256": "ab" * 32}
    return {**known, **found, **more}


def cells(page: str, name: str) -> list[str]:
    """The numbers in the line of a table that begins with `name`."""
    found = re.search(rf'<th scope="row">{re.escape(name)}</th>(.*?)</tr>', page)
    assert found is not None
    return re.findall(r"<td[^>]*>(.*?)</td>", found[1])


def test_numbers_by_day_class_and_reason(tmp_path: Path) -> None:
    rows = [row(n, "2026-11-26", "NG" if n < 1 else "OK") for n in range(4)]
    rows += [row(n, "2026-11-28", "NG" if n < 6 else "OK", promise="no") for n in range(4, 8)]
    rows += [row(8, "unknown", None, detections=None, score=None, reason="is empty")]
    write_rows(tmp_path / "out", rows)
    keep_run(tmp_path / "out", {"started": "2026-11-28T10:00:00+00:00", "pictures": 9, "seconds": 3.0, "processes": 2})
    assert main(["archive", "summary", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / NAME).read_text()
    assert cells(page, "2026-11-26") == ["4", "1", "25.00%", "0"]
    assert cells(page, "2026-11-28") == ["4", "2", "50.00%", "0"]
    assert cells(page, "unknown") == ["1", "0", "–", "1"]
    assert cells(page, "&lt;b&gt;scratch")[:2] == ["3", "3"] and "<b>scratch" not in page
    assert cells(page, "is empty") == ["1", "gone/8.png"]
    assert cells(page, "2026-11-28T10:00:00+00:00") == ["9", "3 s", "3.0", "2"]
    assert "days since 2026-11-26" in page and "37.50%" in page  # 3 of the 8 that were judged
    assert "4 results without a promise" in page
    assert page.count("<figure") == 4  # the chart, and the three that are NG, which are gone
    assert len(list(parts_of(tmp_path / "out"))) == 3  # nothing of ours is taken for rows


def test_a_picture_counts_once_however_many_boxes_it_has(tmp_path: Path) -> None:
    first = row(0, "2026-11-26", "NG")
    box = first["detections"][0]
    boxes = [{**box, "class": name} for name in ("dent", "scratch", "dent", "dent")]
    write_rows(
        tmp_path / "one", [{**first, "detections": boxes}, {**row(1, "2026-11-26", "NG"), "detections": boxes[:1]}]
    )
    write_rows(tmp_path / "two/part", [{**row(2, "2026-11-27", "OK"), "detections": None, "class": "dent"}])
    page = write_summary(tmp_path / "one").read_text()
    assert cells(page, "dent")[:2] == ["2", "4"] and cells(page, "scratch")[:2] == ["1", "1"]
    together = write_summary(tmp_path, tmp_path / "page.html").read_text()  # the outputs of several runs
    assert cells(together, "dent")[:2] == ["3", "5"] and cells(together, "2026-11-27")[0] == "1"


def test_without_a_rule_detections_are_counted_and_models_apart(tmp_path: Path) -> None:
    rows = [{**row(n, "2026-11-26", "NG" if n < 3 else "OK"), "decision": None} for n in range(4)]
    rows += [{**each, "model": "n.onnx", "model_sha256": "cd" * 32} for each in rows[:2]]
    write_rows(tmp_path / "out", rows)
    page = write_summary(tmp_path / "out", tmp_path / "page.html").read_text()
    assert "75.00%" in page and "100.00%" in page and "with a detection" in page
    assert "m.onnx (abababab)" in page and "n.onnx (cdcdcdcd)" in page


def test_ng_is_said_of_a_model_with_a_rule_alone(tmp_path: Path) -> None:
    """Also on a day on which it judged nothing: a share of detections is another number."""
    rows = [row(n, "2026-11-26", "NG" if n < 1 else "OK") for n in range(4)]
    rows += [row(4, "2026-11-27", None, detections=None, score=None, reason="is empty")]
    other = [{**row(n, "2026-11-26", "NG" if n < 3 else "OK"), "decision": None} for n in range(4)]
    other += [{**row(4, "2026-11-27", "NG"), "decision": None}]
    rows += [{**each, "model": "n.onnx", "model_sha256": "cd" * 32} for each in other]
    write_rows(tmp_path / "out", rows)
    page = write_summary(tmp_path / "out").read_text()
    tiles = re.findall(r'<div class="tile"><span>(.*?)</span><b>(.*?)</b><small>(.*?)</small>', page)
    assert ("NG", "25.00%", "1 of 4") in tiles and ("with a detection", "80.00%", "4 of 5") in tiles
    assert "NG, or with a detection where there is no rule" in page
    days = re.findall(r'<th scope="row">(2026-11-2\d)</th>(.*?)</tr>', page)
    shares = [(day, *re.findall(r"<td[^>]*>(.*?)</td>", line)) for day, line in days]
    assert ("2026-11-27", "m.onnx (abababab)", "1", "0", "–", "1") in shares
    assert ("2026-11-27", "n.onnx (cdcdcdcd)", "1", "1", "100.00%", "0") in shares


def test_models_of_one_file_name_are_apart(tmp_path: Path) -> None:
    """Every training writes best.safetensors."""
    same = {"model": "best.safetensors"}
    rows = [row(n, "2026-11-26", "NG" if n < 1 else "OK", **same) for n in range(4)]
    rows += [row(n, "2026-11-26", "NG" if n < 3 else "OK", model_sha256="cd" * 32, **same) for n in range(4)]
    write_rows(tmp_path / "out", rows)
    page = write_summary(tmp_path / "out").read_text()
    lines = re.findall(r'<th scope="row">&lt;b&gt;scratch</th>(.*?)</tr>', page)
    found = {tuple(re.findall(r"<td[^>]*>(.*?)</td>", line)[:3]) for line in lines}
    assert found == {("best.safetensors (abababab)", "1", "1"), ("best.safetensors (cdcdcdcd)", "3", "3")}


def test_readers_of_a_folder_pass_over_what_is_no_row(tmp_path: Path) -> None:
    from pyarrow import dataset

    write_rows(tmp_path, [row(1, "2026-11-26", "OK")])
    keep_run(tmp_path, {"started": "", "pictures": 1, "seconds": 1.0})
    write_summary(tmp_path)
    assert dataset.dataset(tmp_path, partitioning="hive").count_rows() == 1
