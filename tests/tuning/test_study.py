"""Searches whose trials cost nothing: how they go on, share, prune and stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from optuna import Study
from optuna.trial import Trial

from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.training.folder_lock import folder_lock
from lightdet.tuning.results import collect
from lightdet.tuning.search import Attempt, Ended, Pruned, Search, Stopped, Unfit
from lightdet.tuning.space import Choices, Range, SearchSpace
from lightdet.tuning.study import close, open_study

SPACE = SearchSpace({"x": Range(-4.0, 4.0), "kind": Choices(("good", "bad"))})


class Collector:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.ended: list[Ended] = []
        self.revived_count = 0

    def revived(self, count: int) -> None:
        self.revived_count += count

    def begins(self, attempt: Attempt) -> None:
        pass

    def ends(self, ended: Ended) -> None:
        self.ended.append(ended)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    make_folder(folder)
    with folder_lock(folder):
        yield


def parabola(attempt: Attempt) -> tuple[float, dict[str, Any]]:
    x = attempt.params["x"]
    return 10 - x * x - 5 * (attempt.params["kind"] == "bad"), {"minutes": 0.1}


@contextmanager
def opened(folder: Path, *, anew: bool = False, identity: dict[str, Any] | None = None) -> Iterator[Study]:
    url = f"sqlite:///{folder / 'study.db'}"
    study = open_study(url, "test", identity or {"search space": SPACE.as_dict()}, pruner="none", epochs=3, anew=anew)
    try:
        yield study
    finally:
        close(study)


def search(
    folder: Path,
    study: Study,
    trials: int,
    objective: Callable[[Attempt], Any] = parabola,
    **options: Any,
) -> tuple[bool, Collector]:
    watcher = Collector()
    defaults: dict[str, Any] = {"space": SPACE, "sampler": "tpe", "seed": 0, "stop": lambda: False}
    run = Search(
        study=study,
        trials=trials,
        folder=folder,
        objective=objective,
        lock=locked,
        watcher=watcher,
        tidy=lambda: None,
        **{**defaults, **options},
    )
    return run.run(), watcher


def test_tpe_finds_the_best_and_what_matters(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        finished, watcher = search(tmp_path, study, 20)
        results = collect(study, SPACE, "score")
    assert finished
    assert len(watcher.ended) == results.complete == 20
    assert results.best is not None
    assert results.best.score is not None
    assert results.best.score > 9
    assert results.best.params["kind"] == "good"
    assert set(results.importance) == {"x", "kind"}
    assert sum(results.importance.values()) == pytest.approx(1, abs=0.01)


def test_a_search_goes_on_where_it_was(tmp_path: Path) -> None:
    """The same trials in two sittings as in one."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with opened(one) as study:
        search(one, study, 12)
        whole = [row.params for row in collect(study, SPACE, "s").rows]
    for trials in (5, 12):
        with opened(two) as study:
            finished, watcher = search(two, study, trials)
            parts = [row.params for row in collect(study, SPACE, "s").rows]
            assert finished
    assert len(watcher.ended) == 7
    assert parts == whole


def test_a_best_is_one_of_the_whole_study(tmp_path: Path) -> None:
    scores = iter([1.0, 3.0, 2.0, 2.5, 4.0])
    told = []
    for trials in (3, 5):  # 2.5 is the best of the second sitting at first, and not of the study
        with opened(tmp_path) as study:
            _, watcher = search(tmp_path, study, trials, lambda attempt: (next(scores), {}))
            told += [ended.best for ended in watcher.ended]
    assert told == [True, True, False, False, True]


def test_a_grid_tries_each_combination_once(tmp_path: Path) -> None:
    space = SearchSpace({"x": Choices((1, 2, 3)), "kind": Choices(("good", "bad"))})
    identity = {"search space": space.as_dict()}
    for trials in (4, 6, 6):
        with opened(tmp_path, identity=identity) as study:
            assert search(tmp_path, study, trials, space=space, sampler="grid")[0]
            rows = collect(study, space, "s").rows
    done = [tuple(row.params.values()) for row in rows]
    assert sorted(done) == sorted({(x, kind) for x in (1, 2, 3) for kind in ("good", "bad")})
    assert all(row.state == "complete" for row in rows)


def test_another_search_under_the_same_name_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as study:
        search(tmp_path, study, 2)
    other = {"search space": SearchSpace({"x": Range(0.0, 1.0)}).as_dict()}
    with pytest.raises(UserError, match=r"another search space; .*--overwrite"), opened(tmp_path, identity=other):
        pass
    with opened(tmp_path, identity=other, anew=True) as study:
        assert len(study.trials) == 0


def test_stopping_puts_the_trial_back_in_line(tmp_path: Path) -> None:
    stops = iter([False, True])

    def objective(attempt: Attempt) -> Any:
        if next(stops):
            raise Stopped
        return parabola(attempt)

    with opened(tmp_path) as study:
        finished, watcher = search(tmp_path, study, 5, objective)
        assert not finished
        assert [ended.state for ended in watcher.ended] == ["complete", "stopped"]
        broken = watcher.ended[-1].attempt.params
    with opened(tmp_path) as study:
        finished, watcher = search(tmp_path, study, 5)
        assert finished
        assert watcher.ended[0].attempt.params == broken
        assert collect(study, SPACE, "s").complete == 5


def test_bad_values_are_told_and_avoided(tmp_path: Path) -> None:
    def objective(attempt: Attempt) -> Any:
        if attempt.params["kind"] == "bad":
            raise Unfit("the training diverged")
        return parabola(attempt)

    with opened(tmp_path) as study:
        search(tmp_path, study, 20, objective)
        rows = collect(study, SPACE, "s").rows
    unfit = [row for row in rows if row.state == "unfit"]
    assert unfit
    assert all(row.problem == "the training diverged" for row in unfit)
    assert sum(row.state == "unfit" for row in rows[12:]) <= 3  # TPE has learned to keep away


def test_a_fault_that_no_values_can_mend_ends_the_search(tmp_path: Path) -> None:
    def objective(attempt: Attempt) -> Any:
        raise Unfit("no weights")

    with opened(tmp_path) as study, pytest.raises(UserError, match=r"first 5 trials all failed.*no weights"):
        search(tmp_path, study, 30, objective)


@pytest.mark.parametrize(("trials", "told"), [(1, "the first trial failed"), (3, "the first 3 trials all failed")])
def test_a_search_that_ends_without_a_score_has_failed(tmp_path: Path, trials: int, told: str) -> None:
    def objective(attempt: Attempt) -> Any:
        raise Unfit("the training diverged")

    with opened(tmp_path) as study:
        with pytest.raises(UserError, match=f"{told}; the last: the training diverged"):
            search(tmp_path, study, trials, objective)
        assert search(tmp_path, study, trials)[0]  # the same again has nothing to do
        assert search(tmp_path, study, trials + 1)[1].ended[0].score is not None  # one more goes on


def test_pruned_trials_count_and_have_no_score(tmp_path: Path) -> None:
    def objective(attempt: Attempt) -> Any:
        attempt.trial.report(0.5, 1)
        raise Pruned

    with opened(tmp_path) as study:
        assert search(tmp_path, study, 3, objective)[0]
        rows = collect(study, SPACE, "s").rows
    assert [row.state for row in rows] == ["pruned"] * 3
    assert rows[0].scores == {1: 0.5}
    assert rows[0].score is None


def test_an_unexpected_error_leaves_no_trial_running(tmp_path: Path) -> None:
    def objective(attempt: Attempt) -> Any:
        raise ZeroDivisionError

    with opened(tmp_path) as study:
        with pytest.raises(ZeroDivisionError):
            search(tmp_path, study, 3, objective)
        assert [row.state for row in collect(study, SPACE, "s").rows] == ["failed", "waiting"]


WORKER = """
import sys, time
sys.path.insert(0, {here!r})
from pathlib import Path
from test_study import opened, parabola, search
folder = Path(sys.argv[1])
def objective(attempt):
    (folder / f"began-{{attempt.number}}").touch()
    time.sleep(float(sys.argv[3]))
    return parabola(attempt)
with opened(folder) as study:
    search(folder, study, int(sys.argv[2]), objective)
"""


def start_worker(folder: Path, trials: int, seconds: float) -> subprocess.Popen[bytes]:
    code = WORKER.format(here=str(Path(__file__).parent))
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, str(folder), str(trials), str(seconds)])


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def test_a_killed_process_loses_one_trial_and_no_values(tmp_path: Path) -> None:
    worker = start_worker(tmp_path, 9, 600)
    try:
        wait_for((tmp_path / "began-0").exists)
        with opened(tmp_path) as study:
            # A process that lives keeps its trial.
            finished, watcher = search(tmp_path, study, 2)
            assert finished
            assert watcher.revived_count == 0
            assert [row.state for row in collect(study, SPACE, "s").rows] == ["running", "complete"]
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    with opened(tmp_path) as study:
        finished, watcher = search(tmp_path, study, 4)
        rows = collect(study, SPACE, "s").rows
    assert finished
    assert watcher.revived_count == 1
    assert [row.state for row in rows] == ["failed", "complete", "complete", "complete", "complete"]
    assert rows[2].params == rows[0].params
    assert rows[2].retry_of == 0
    assert rows[0].problem == "its process ended"


def test_values_that_kill_every_process_are_given_up(tmp_path: Path) -> None:
    from lightdet.tuning.study import begin, revive

    with opened(tmp_path) as study:
        for _ in range(3):
            trial = study.ask()
            SPACE.suggest(trial)
            begin(trial, tmp_path / "gone")
            runner = {"host": socket.gethostname(), "process": 2**22 + 5, "folder": "gone"}  # no process has it
            trial.set_user_attr("runner", runner)
            assert revive(study, lambda folder: False) == 1
        states = [row.state for row in collect(study, SPACE, "s").rows]
    assert states == ["failed", "failed", "failed"]


def test_processes_share_a_study(tmp_path: Path) -> None:
    workers = [start_worker(tmp_path, 8, 0.2) for _ in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    with opened(tmp_path) as study:
        rows = collect(study, SPACE, "s").rows
    assert 8 <= len(rows) <= 9  # both may begin the last one at the same moment
    assert all(row.state == "complete" for row in rows)
    assert len({row.params["x"] for row in rows}) == len(rows)


def test_another_process_may_ask_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a trial draws comes from its own number, also where somebody asks while this process prepares to."""
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    alone.mkdir()
    shared.mkdir()
    with opened(alone) as study:
        search(alone, study, 4, sampler="random")
        expected = [row.params for row in collect(study, SPACE, "s").rows]
    with opened(shared) as study, opened(shared) as other:
        ask = study.ask

        def ask_second() -> Trial:
            search(shared, other, len(other.get_trials()) + 1, sampler="random")
            return ask()

        monkeypatch.setattr(study, "ask", ask_second)
        search(shared, study, 4, sampler="random")
        assert [row.params for row in collect(study, SPACE, "s").rows] == expected


@pytest.mark.parametrize("url", ["study.db", "sqlite:////no/such/folder/study.db", "nonsense://user:secret@host/db"])
def test_a_database_that_cannot_be_used_is_one_line(url: str) -> None:
    with pytest.raises(UserError) as caught:
        open_study(url, "test", {}, pruner="none", epochs=3)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
