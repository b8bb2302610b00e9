"""The search: one trial after another, until there are enough or a stop is requested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lightdet.errors import UserError
from lightdet.tuning.space import Params, SearchSpace
from lightdet.tuning.study import (
    PROBLEM,
    Sampler,
    begin,
    count_taken,
    enqueue_grid,
    give_up,
    make_sampler,
    revive,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

FIRST_FAILURES = 5
"""If this many trials fail before one works, the search ends: the fault is not in the values."""


class Pruned(Exception):  # noqa: N818 - no error
    """The pruner ends a trial: it is worse than the others."""


class Stopped(Exception):  # noqa: N818 - no error
    """A stop was requested during a trial."""


class Unfit(Exception):  # noqa: N818 - no error of the program
    """These values do not work: they contradict each other, the training diverged, or memory ran out."""


@dataclass
class Attempt:
    """A trial that is about to run.

    Attributes:
        number: of the trial, from 0.
        params: by key path, as in the configuration.
        trial: Optuna's, for scores by epoch.
        folder: where its files go.
    """

    number: int
    params: Params
    trial: Trial
    folder: Path


@dataclass(frozen=True)
class Ended:
    """How a trial ended: a score, or None with the reason; `best`: it is the study's best so far."""

    attempt: Attempt
    score: float | None
    state: str
    note: str = ""
    best: bool = False


class Watcher(Protocol):
    """Follows the trials."""

    def revived(self, count: int) -> None:
        """`count` trials of dead processes will be repeated."""

    def begins(self, attempt: Attempt) -> None:
        """A trial begins."""

    def ends(self, ended: Ended) -> None:
        """It has ended."""


@dataclass
class Search:
    """Runs trials of a study.

    Args:
        study: see `lightdet.tuning.study`.
        space: the values to try.
        sampler: how the next values are chosen.
        seed: of the random draws.
        trials: the study's total, over all processes.
        folder: the folder for ``trials/NNNN``.
        objective: runs one trial; returns its score (more is better) and facts to keep. May raise `Pruned`, `Stopped`
            or `Unfit`.
        lock: holds the lock of a trial's folder; raises a UserError if another process holds it.
        stop: whether a stop was requested.
        watcher: follows the trials.
        tidy: called after each trial.
    """

    study: Study
    space: SearchSpace
    sampler: Sampler
    seed: int
    trials: int
    folder: Path
    objective: Callable[[Attempt], tuple[float, Mapping[str, Any]]]
    lock: Callable[[Path], Any]
    stop: Callable[[], bool]
    watcher: Watcher
    tidy: Callable[[], None]
    failures: list[str] = field(default_factory=list)

    def run(self) -> bool:
        """Run trials until the study has enough; False if it was asked to stop.

        Raises:
            UserError: the first trials all failed, with the reason of the first.
        """
        if self.sampler == "grid":
            enqueue_grid(self.study, self.space)
        while not self.stop():
            revived = revive(self.study, self._is_held)
            if revived:
                self.watcher.revived(revived)
            if count_taken(self.study) >= self.trials or (self.sampler == "grid" and not self._waiting()):
                self._check_first(1)
                return True
            if not self._one():
                return False
            self._check_first()
        return False

    def _waiting(self) -> bool:
        return any(trial.state.name == "WAITING" for trial in self.study.get_trials(deepcopy=False))

    def _one(self) -> bool:
        """Run one trial; False if it was asked to stop."""
        trial = self.study.ask()
        # By its own number, which no other process gets: two processes at the same moment would count the same trials.
        self.study.sampler = make_sampler(self.sampler, self.seed, trial.number)
        folder = self.folder / "trials" / f"{trial.number:04d}"
        with ExitStack() as stack:
            try:
                # Before anything is recorded: whoever reads the record can rely on the lock.
                stack.enter_context(self.lock(folder))
                begin(trial, folder)
                attempt = Attempt(trial.number, self.space.suggest(trial), trial, folder)
                self.watcher.begins(attempt)
                settled = self._settle(attempt)
            except Exception as error:
                why = str(error)[:500] or type(error).__name__
                give_up(self.study, trial.number, trial.params, trial.user_attrs, why, retry=True, died=True)
                raise
            self.tidy()
            return settled

    def _settle(self, attempt: Attempt) -> bool:
        from optuna.trial import TrialState  # noqa: PLC0415 - an extra, and slow to import

        trial = attempt.trial
        try:
            score, facts = self.objective(attempt)
        except Pruned:
            self.study.tell(trial, state=TrialState.PRUNED)
            self.watcher.ends(Ended(attempt, None, "pruned"))
        except Unfit as reason:
            # Pruned, not failed: the sampler learns to avoid these values.
            trial.set_user_attr(PROBLEM, str(reason)[:500])
            self.study.tell(trial, state=TrialState.PRUNED)
            self.failures.append(str(reason))
            self.watcher.ends(Ended(attempt, None, "unfit", str(reason)))
        except (Stopped, KeyboardInterrupt):
            stored = self.space.stored(attempt.params)
            give_up(self.study, trial.number, stored, trial.user_attrs, "stopped", retry=True, died=False)
            self.watcher.ends(Ended(attempt, None, "stopped"))
            return False
        else:
            for key, value in facts.items():
                trial.set_user_attr(key, value)
            self.study.tell(trial, score)
            best = self.study.best_trial.number == trial.number  # of all processes, and of earlier ones
            self.watcher.ends(Ended(attempt, score, "complete", best=best))
        return True

    def _check_first(self, fewest: int = FIRST_FAILURES) -> None:
        known = self.study.get_trials(deepcopy=False)
        if len(self.failures) >= fewest and not any(trial.state.name == "COMPLETE" for trial in known):
            which = f"first {len(self.failures)} trials all" if len(self.failures) > 1 else "first trial"
            raise UserError(f"the {which} failed; the last: {self.failures[-1]}")

    def _is_held(self, folder: Path) -> bool:
        if not folder.is_dir():
            return False
        try:
            with self.lock(folder):
                return False
        except UserError:
            return True
