"""SIGTERM and Ctrl-C end ``lightdet archive run``: what was judged is written, and judged once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_detector import save_small_detector

from lightdet.cli.app import main
from lightdet.display.terminated import terminate_as_interrupt
from lightdet.runs.archive import run as run_module
from lightdet.runs.archive.table import parts_of
from lightdet.training.folder_lock import folder_lock

parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra: pip install 'lightdet[archive]'")
pytest.importorskip("duckdb", reason="needs the extra: pip install 'lightdet[archive]'")

KINDS = [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
PICTURES = 12


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stop")
    save_small_detector(folder / "m.safetensors", ["scratch", "dent"], bias=0.0)
    (folder / "in").mkdir()
    for number in range(PICTURES):
        Image.new("RGB", (50, 40), (number, 0, 0)).save(folder / f"in/{number}.png")
    return folder


def names(output: Path) -> list[str]:
    return [each for path in parts_of(output) for each in parquet.ParquetFile(path).read()["source"].to_pylist()]


def command(pictures: Path, output: Path) -> list[str]:
    common = ["--processes", "1", "-b", "2", "--no-summary", "--weights", str(pictures / "m.safetensors")]
    return ["archive", "run", str(pictures / "in"), "-o", str(output), *common]


@pytest.mark.skipif(os.name != "posix", reason="by signal")
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_judged_is_written_and_the_rest_is_judged_next(
    kind: signal.Signals, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    spread: Callable[..., Any] = run_module.spread

    def stopped(*arguments: Any) -> Any:
        for number, done in enumerate(spread(*arguments)):
            if number == 3:
                os.kill(os.getpid(), kind)
            yield done

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "spread", stopped)
        assert main(command(pictures, tmp_path / "out")) == 130
    written = names(tmp_path / "out")
    assert 6 <= len(written) < PICTURES and f"{len(written)} rows" in capsys.readouterr().out
    assert main(command(pictures, tmp_path / "out")) == 0
    judged = names(tmp_path / "out")
    assert len(judged) == PICTURES == len(set(judged)) and set(written) < set(judged)


def test_two_runs_at_once_would_judge_all_twice(pictures: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "out").mkdir()
    with folder_lock(tmp_path / "out"):
        assert main(command(pictures, tmp_path / "out")) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "another run (process" in told and names(tmp_path / "out") == []
    assert main(command(pictures, tmp_path / "out")) == 0 and len(names(tmp_path / "out")) == PICTURES


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="by signal")
def test_a_second_signal_does_not_break_off_the_writing(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write: Callable[..., None] = run_module.write_rows

    def signalled(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        write(*arguments)

    monkeypatch.setattr(run_module, "write_rows", signalled)
    monkeypatch.setattr(run_module, "ROWS", 4)
    assert main(command(pictures, tmp_path / "out")) == 130
    assert len(names(tmp_path / "out")) == 4


@pytest.mark.skipif(os.name != "posix", reason="by signal")
@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_waits_for_the_end_of_a_held_block_and_handlers_return(kind: signal.Signals) -> None:
    before = signal.getsignal(kind)
    reached = []
    with pytest.raises(KeyboardInterrupt), terminate_as_interrupt() as interrupts:
        with interrupts.held():
            os.kill(os.getpid(), kind)
            reached.append(np.zeros(1).sum())
        reached.append("never")
    assert reached == [0.0] and signal.getsignal(kind) is before
    with pytest.raises(KeyboardInterrupt), terminate_as_interrupt():
        os.kill(os.getpid(), kind)
        pytest.fail("was not interrupted")
