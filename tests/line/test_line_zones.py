"""The records of a line say in which zones was looked, as those of ``lightdet serve`` do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
from inference.color_network import paint
from plain_judge import _patient, results, section
from watched_judge import decision, judge

from lightdet.assembly.zones import read_zones
from lightdet.line.line import Line

ZONES = """\
units: share
zones:
  - {name: left, look: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
  - {name: whole, look: [[0, 0], [1, 0], [1, 1], [0, 1]]}
"""


@pytest.mark.parametrize("zoned", [True, False])
def test_a_result_of_a_zoned_model_is_on_record_with_its_zones(tmp_path: Path, zoned: bool) -> None:
    pytest.importorskip("sqlalchemy", reason="the records need pip install 'lightdet[service]'")
    file, database = tmp_path / "zones.yaml", tmp_path / "records.sqlite3"
    file.write_text(ZONES, encoding="utf-8")
    digest = read_zones(file).digest if zoned else None
    (tmp_path / "plain.onnx").write_text(json.dumps(decision()), encoding="utf-8")
    wanted = section(
        tmp_path,
        plain={"no_promise": True} | ({"zones": str(file)} if zoned else {}),
        sinks={"records": {"records": {"database": str(database)}}},
    )
    part = paint(192, 96, ("red", 8, 4, 24, 14), ("red", 140, 20, 170, 40))
    cv2.imwrite(str(tmp_path / "left" / "part.png"), part[..., ::-1])
    (tmp_path / "left" / "torn.png").write_bytes(b"no picture")
    _patient(Line(wanted, once=True, judge=judge)).run()
    assert [each["models"]["plain"]["zones"] for each in results(tmp_path)] == [digest] * 2
    by_name = {each["name"]: each for each in _on_record(database)}
    assert [each["zones"] for each in by_name.values()] == [digest] * 2
    found = sorted(by_name["part.png"]["detections"], key=lambda each: each["box"])
    assert [each.get("zones") for each in found] == ([["left", "whole"], ["whole"]] if zoned else [None, None])


def _on_record(database: Path) -> list[dict[str, Any]]:
    from lightdet.service.records.span import Span
    from lightdet.service.records.store import Store

    store = Store(str(database))
    try:
        assert store.verify().faults == 0
        return store.history(Span(), limit=100)
    finally:
        store.close()
