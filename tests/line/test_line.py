"""Whole lines, with processes: every picture gets one result, and none is OK without a verdict."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from plain_judge import put, results, run_once, running, section, source_status, wait_for

from lightdet.errors import UserError
from lightdet.line.ledger import Ledger
from lightdet.line.sinks import file_sink


def test_every_picture_gets_one_result(tmp_path: Path) -> None:
    wanted = section(tmp_path)
    put(tmp_path / "left", a="OK", b="NG", c="broken")
    put(tmp_path / "right", a="OK")
    run_once(wanted)
    found = {(each["source"], each["picture"]): (each["verdict"], each["cause"]) for each in results(tmp_path)}
    assert found == {
        ("left", "a.png"): ("OK", ""),
        ("left", "b.png"): ("NG", ""),
        ("left", "c.png"): ("none", "unreadable"),
        ("right", "a.png"): ("OK", ""),
    }
    run_once(wanted)
    assert len(results(tmp_path)) == 4  # they are known
    put(tmp_path / "left", a="NG ")  # another content
    run_once(wanted)
    assert [each["verdict"] for each in results(tmp_path)][4:] == ["NG"]


def test_a_part_is_ok_only_if_all_models_say_so(tmp_path: Path) -> None:
    strict = tmp_path / "strict.onnx"
    strict.write_text("0 strict", encoding="utf-8")
    wanted = section(tmp_path, models={"strict": {"file": str(strict)}}, right={"models": ("plain",)})
    put(tmp_path / "left", a="OK", b="broken")
    put(tmp_path / "right", a="OK")
    run_once(wanted)
    found = {(each["source"], each["picture"]): each for each in results(tmp_path)}
    assert found["left", "a.png"]["verdict"] == "NG"
    assert {name: said["verdict"] for name, said in found["left", "a.png"]["models"].items()} == {
        "plain": "OK",
        "strict": "NG",
    }
    assert found["left", "b.png"]["verdict"] == "none"
    assert found["right", "a.png"]["verdict"] == "OK"


def test_a_picture_that_ends_its_process_twice_is_told_and_the_others_are_judged(tmp_path: Path) -> None:
    wanted = section(tmp_path, plain={"batch": 4})
    put(tmp_path / "left", a="OK", b="die", c="OK")
    put(tmp_path / "right", a="NG")
    run_once(wanted)
    found = {(each["source"], each["picture"]): each for each in results(tmp_path)}
    assert len(results(tmp_path)) == 4
    bad = found["left", "b.png"]
    assert (bad["verdict"], bad["cause"]) == ("none", "model")
    assert "exit code 7" in bad["reason"]
    assert Counter(each["verdict"] for each in found.values()) == {"OK": 2, "NG": 1, "none": 1}


def test_a_killed_judge_or_source_costs_nothing(tmp_path: Path) -> None:
    with running(section(tmp_path)) as line:
        put(tmp_path / "left", **{f"a{number}": "OK" for number in range(30)})
        wait_for(lambda: len(results(tmp_path)) > 2)
        for process in (line._models["plain"].processes[0].child.process, line._sources["left"].child.process):
            os.kill(process.pid, signal.SIGKILL)
        put(tmp_path / "left", **{f"b{number}": "NG" for number in range(5)})
        wait_for(lambda: len(results(tmp_path)) >= 35)
    found = results(tmp_path)
    assert Counter(each["verdict"] for each in found) == {"OK": 30, "NG": 5}
    assert len({each["id"] for each in found}) == len(found) == 35


def test_a_killed_line_loses_nothing_and_judges_nothing_under_two_ids(tmp_path: Path) -> None:
    (tmp_path / "plain.onnx").write_text("0.02", encoding="utf-8")
    wanted = section(tmp_path)
    put(tmp_path / "left", **{f"a{number}": "OK" for number in range(40)})
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; "
        "from plain_judge import judge, section; from lightdet.line.line import Line; "
        "Line(section(Path(sys.argv[2])), judge=judge).run()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)])
    try:
        wait_for(lambda: len(results(tmp_path)) > 3)
    finally:
        process.kill()
        process.wait()
    (tmp_path / "left" / "a39.png").unlink()  # judged before, or gone
    put(tmp_path / "right", b="NG")
    run_once(wanted)
    found = results(tmp_path)
    ids = {each["id"]: each["picture"] for each in found}
    assert len(ids) == len(found)
    assert {f"a{number}.png" for number in range(39)} | {"b.png"} <= set(ids.values())
    assert len(set(ids.values())) == len(ids)


def test_what_arrives_too_late_is_told_and_never_ok(tmp_path: Path) -> None:
    (tmp_path / "plain.onnx").write_text("0.2", encoding="utf-8")
    wanted = section(tmp_path, left={"latency": 0.7})
    put(tmp_path / "left", **{f"a{number}": "OK" for number in range(10)})
    run_once(wanted)
    found = results(tmp_path)
    assert len(found) == 10
    late = [each for each in found if each["verdict"] == "none"]
    assert late
    assert {each["cause"] for each in late} == {"late"}
    assert any("the model takes about" in each["reason"] for each in late)
    assert all(each["seconds"] <= 0.7 for each in found if each["verdict"] == "OK")


def test_one_slow_batch_makes_no_later_picture_late(tmp_path: Path) -> None:
    with running(section(tmp_path, left={"latency": 1.0})):
        for number in range(2):
            put(tmp_path / "left", **{f"slow{number}": "OK 2"})
            wait_for(lambda wanted=11 * number + 1: len(results(tmp_path)) == wanted)
            put(tmp_path / "left", **{f"a{number}{each}": "OK" for each in range(10)})
            wait_for(lambda wanted=11 * number + 11: len(results(tmp_path)) == wanted)
    found = {each["picture"]: (each["verdict"], each["cause"]) for each in results(tmp_path)}
    assert found.pop("slow0.png") == found.pop("slow1.png") == ("none", "late")
    assert set(found.values()) == {("OK", "")}


@pytest.mark.parametrize("drop", ["oldest", "newest"])
def test_what_is_dropped_is_told(tmp_path: Path, drop: str) -> None:
    (tmp_path / "plain.onnx").write_text("0.1", encoding="utf-8")
    wanted = section(tmp_path, left={"queue": 2, "drop": drop})
    put(tmp_path / "left", **{f"a{number}": "OK" for number in range(12)})
    run_once(wanted)
    found = {each["picture"]: each["cause"] for each in results(tmp_path)}
    assert len(found) == 12
    assert "dropped" in found.values()
    assert found["a9.png" if drop == "newest" else "a0.png"] in ("dropped", "")


def test_a_folder_that_vanishes_comes_back(tmp_path: Path) -> None:
    wanted = section(tmp_path)
    shutil.rmtree(tmp_path / "left")
    with running(wanted):
        wait_for(lambda: source_status(tmp_path)[::2] == ("away", False))
        put(tmp_path / "right", a="OK")
        wait_for(lambda: len(results(tmp_path)) == 1)
        (tmp_path / "left").mkdir()
        put(tmp_path / "left", a="OK")
        wait_for(lambda: len(results(tmp_path)) == 2)
        wait_for(lambda: source_status(tmp_path)[::2] == ("up", True))
    assert json.loads((tmp_path / "state" / "status.json").read_text(encoding="utf-8"))["state"] == "ended"


def test_a_model_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    wanted = section(tmp_path)
    (tmp_path / "plain.onnx").write_text("0 bad", encoding="utf-8")
    with pytest.raises(UserError, match="the model is bad"):
        run_once(wanted)


@pytest.mark.parametrize("drop", ["none", "oldest"])
def test_a_full_disk_stops_the_line_and_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drop: str
) -> None:
    full = threading.Event()
    write = Ledger.write

    def write_if_room(own: Ledger, *values: Any) -> None:
        if full.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        write(own, *values)

    monkeypatch.setattr(Ledger, "write", write_if_room)
    with running(section(tmp_path, left={"queue": 4, "drop": drop})) as line:
        put(tmp_path / "left", first="OK")
        wait_for(lambda: len(results(tmp_path)) == 1)
        full.set()
        put(tmp_path / "left", **{f"a{number}": "OK" for number in range(30)})
        wait_for(lambda: len(line._finished) == 4)
        time.sleep(1.5)
        assert len(line._finished) == 4  # as many as the source was allowed
        assert len(results(tmp_path)) == 1
        full.clear()
        wait_for(lambda: len(results(tmp_path)) == 31)
    assert len({each["id"] for each in results(tmp_path)}) == 31


def test_the_file_can_be_followed_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_slowly(handle: int, data: bytes) -> None:
        for start in range(0, len(data), 100):
            os.write(handle, data[start : start + 100])
            time.sleep(0.02)

    monkeypatch.setattr(file_sink, "_write", write_slowly)
    with running(section(tmp_path)):
        put(tmp_path / "left", **{f"ü{number}": "OK" for number in range(10)})
        wait_for(lambda: len(results(tmp_path)) == 10)


def test_two_lines_never_share_a_state(tmp_path: Path) -> None:
    with running(section(tmp_path)) as line:
        wait_for((tmp_path / "state" / "status.json").exists)
        with pytest.raises(UserError, match="another line"):
            run_once(section(tmp_path))
        assert line.status("up")["sources"]["left"]["state"] != "done"
