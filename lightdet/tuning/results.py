"""What a study has found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.tuning.space import Params, SearchSpace
from lightdet.tuning.study import PROBLEM, RETRY_OF

if TYPE_CHECKING:
    from optuna import Study

FEWEST = 4
"""With fewer finished trials, no importance is given."""


@dataclass(frozen=True)
class Row:
    """One trial.

    Attributes:
        number: from 0, in the order in which they began.
        params: by key path, as in the configuration.
        state: complete, pruned, running, waiting, failed.
        score: of a complete trial; more is better.
        scores: best score so far by epoch.
        minutes: of a complete trial.
        problem: why it failed, if it did.
        retry_of: the trial whose process died, which this one repeats.
        weights: its model file, if it exists (only the best trial's is kept).
    """

    number: int
    params: Params
    state: str
    score: float | None
    scores: dict[int, float] = field(default_factory=dict)
    minutes: float | None = None
    problem: str = ""
    retry_of: int | None = None
    weights: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**self.__dict__, "scores": {str(epoch): score for epoch, score in self.scores.items()}}


@dataclass(frozen=True)
class Results:
    """All trials, and what they show together.

    Attributes:
        rows: by number.
        space: what was tried.
        score_name: the name of the score.
        importance: share of the score's variance that each key explains (fANOVA, Hutter et al. 2014), largest first;
            empty while too few trials have finished.
    """

    rows: tuple[Row, ...]
    space: SearchSpace
    score_name: str
    importance: dict[str, float] = field(default_factory=dict)

    @property
    def finished(self) -> list[Row]:
        """Complete trials, best first; among equals, the earlier one first."""
        complete = [row for row in self.rows if row.score is not None]
        return sorted(complete, key=lambda row: (-(row.score or 0.0), row.number))

    @property
    def best(self) -> Row | None:
        """The best complete trial."""
        return next(iter(self.finished), None)

    @property
    def complete(self) -> int:
        """How many trials were completed."""
        return len(self.finished)

    def count(self, state: str) -> int:
        """How many trials are in a state."""
        return sum(row.state == state for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON."""
        best = self.best
        return {
            "score": self.score_name,
            "space": self.space.as_dict(),
            "best": best.as_dict() if best is not None else None,
            "importance": self.importance,
            "trials": [row.as_dict() for row in self.rows],
        }


def collect(study: Study, space: SearchSpace, score_name: str) -> Results:
    """Read a study."""
    rows = []
    for trial in study.get_trials(deepcopy=False):
        name = trial.state.name.lower()
        complete = name == "complete" and trial.value is not None
        attributes = trial.user_attrs
        problem = str(attributes.get(PROBLEM, ""))
        rows.append(
            Row(
                trial.number,
                space.restored(trial.params),
                {"fail": "failed", "pruned": "unfit" if problem else "pruned"}.get(name, name),
                float(trial.value) if complete and trial.value is not None else None,
                {int(step): float(value) for step, value in sorted(trial.intermediate_values.items())},
                attributes.get("minutes"),
                problem,
                attributes.get(RETRY_OF),
                _there(attributes.get("weights")),
            )
        )
    return Results(tuple(rows), space, score_name, _importance(study, space))


def _there(path: str | None) -> str | None:
    return path if path is not None and Path(path).is_file() else None


def _importance(study: Study, space: SearchSpace) -> dict[str, float]:
    import optuna  # noqa: PLC0415 - an extra, and slow to import

    complete = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    varied = [key for key in space.domains if len({trial.params.get(key) for trial in complete}) > 1]
    if len(complete) < FEWEST or not varied or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=varied)
    return {key: round(float(value), 4) for key, value in found.items()}
