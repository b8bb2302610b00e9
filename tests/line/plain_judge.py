"""A judge for tests that goes by a file's first word, in a process of its own; and a line around it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lightdet.config.line import LineSection
from lightdet.decisions.promise import Promise
from lightdet.errors import UserError
from lightdet.line.child import as_child
from lightdet.line.judge import JudgeJob
from lightdet.line.line import Line
from lightdet.line.messages import STOP, Answer, Item, Loaded, Mistake
from lightdet.line.proof import prove

MODEL = "0.01"
"""What a model file holds: the seconds that a picture takes; then, perhaps, a word."""


def judge(job: JudgeJob, pipe: Connection) -> None:
    """Judge as the files say: OK, NG, broken; die ends the process. A second word is the seconds that it takes more."""
    as_child()
    seconds, word = [*job.file.read_text(encoding="utf-8").split(), ""][:2]
    if word == "waits":  # with loading, for a file in the line's folder
        wait_for((job.file.parents[4] / "go").exists)
    if word == "bad":
        pipe.send(Mistake("the model is bad"))
        return
    if job.proof is not None:
        try:
            prove(*job.proof, lambda items: [_answer(item, word) for item in items], 2)
        except UserError as error:
            pipe.send(Mistake(str(error)))
            return
    rule = {"threshold": 0.25, "thresholds": {}, "min_size": 0.0, "min_sizes": {}}
    batch = 1 if job.batch == "auto" else job.batch
    pipe.send(Loaded(batch, ("red",), rule, Promise(why_not="a stub"), "score 0.25"))
    try:
        while (items := pipe.recv()) != STOP:
            time.sleep(float(seconds) * len(items))
            pipe.send([_answer(item, word) for item in items])
    except (EOFError, OSError):
        return


def _answer(item: Item, word: str) -> Answer:
    said, more = [*(item.data or b"OK").decode().split(), ""][:2]
    time.sleep(int(more) if more.isdigit() else 0)
    if said == "die":
        os._exit(7)
    if said == "broken":
        return Answer("none", "unreadable", "it is broken")
    return Answer("NG" if word == "strict" else said, size=(8, 6), milliseconds={"network": 1.0})


def section(folder: Path, **changes: Any) -> LineSection:
    """Two folders, one model, one file as sink, with changes by part."""
    for name in ("left", "right"):
        (folder / name).mkdir(exist_ok=True)
    model = folder / "plain.onnx"
    if not model.exists():
        model.write_text(MODEL, encoding="utf-8")
    values: dict[str, Any] = {
        "state": str(folder / "state"),
        "sources": {
            name: {"folder": str(folder / name), "settle": 0.05} | changes.pop(name, {}) for name in ("left", "right")
        },
        "models": {"plain": {"file": str(model)} | changes.pop("plain", {})},
        "sinks": {"log": {"file": {"path": str(folder / "out.jsonl")}} | changes.pop("log", {})},
    }
    for part, more in changes.items():
        values[part] = {**values[part], **more}
    return LineSection.model_validate(values)


def put(folder: Path, **files: str) -> None:
    """Write files as a camera does: under another name first."""
    for name, text in files.items():
        temporary = folder / f".{name}"
        temporary.write_text(text, encoding="utf-8")
        temporary.rename(folder / f"{name}.png")


def results(folder: Path) -> list[dict[str, Any]]:
    """The lines of the sink that are whole: one that is being written is not there yet."""
    path = folder / "out.jsonl"
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []


def source_status(folder: Path, name: str = "left") -> tuple[str, str, bool]:
    """State and reason of a source, and whether the line is healthy, as its file says."""
    path = folder / "state" / "status.json"
    if not path.exists():
        return "", "", False
    values = json.loads(path.read_text(encoding="utf-8"))
    return values["sources"][name]["state"], values["sources"][name]["reason"], values["healthy"]


def run_once(wanted: LineSection) -> dict[str, Any]:
    """Judge what is there; returns the last status."""
    return _patient(Line(wanted, once=True, judge=judge)).run()


def _patient(line: Line) -> Line:
    line._signals = _no_signals  # type: ignore[method-assign] - in a thread there are none
    return line


@contextmanager
def _no_signals() -> Iterator[None]:
    yield


@contextmanager
def running(wanted: LineSection, *, once: bool = False) -> Iterator[Line]:
    """A line that runs in a thread until the end of the block, and must end in order then."""
    line = _patient(Line(wanted, once=once, judge=judge))
    failed: list[BaseException] = []

    def work() -> None:
        try:
            line.run()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield line
    finally:
        line._stopping.set()
        thread.join(30)
    assert not thread.is_alive()
    assert not failed, failed


def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Return what `condition` gives as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come true")
