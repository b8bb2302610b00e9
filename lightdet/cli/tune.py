"""``lightdet tune``: search for better settings, a training a trial."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightdet.cli.common import (
    Data,
    DataRoot,
    Device,
    Epochs,
    Json,
    OnError,
    OnErrorOption,
    OptionalConfig,
    Output,
    Overrides,
    TrainBatch,
    TrainImgsz,
)
from lightdet.wording import counted, duration

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.runs.tune.tuning import TuneOutcome, Tuning
    from lightdet.tuning.search import Attempt, Ended


class Sampler(StrEnum):
    """How the next values are chosen."""

    tpe = "tpe"
    random = "random"
    grid = "grid"


class Pruner(StrEnum):
    """What ends bad trials early."""

    median = "median"
    hyperband = "hyperband"
    none = "none"


def tune(
    data: Data,
    space: Annotated[
        Path,
        typer.Option("--space", metavar="FILE", help="What may be tried, a YAML file: 'train.lr: {low: …, high: …}'."),
    ],
    overrides: Overrides = None,
    config: OptionalConfig = None,
    sampler: Annotated[
        Sampler, typer.Option("--sampler", help="tpe learns from what it has tried; random; grid tries everything.")
    ] = Sampler.tpe,
    pruner: Annotated[
        Pruner, typer.Option("--pruner", help="End bad trials early, by their score after each epoch.")
    ] = Pruner.median,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials", min=1, max=100_000, metavar="N", help="Trials of the study in all; default 20, of a grid all."
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option("--storage", metavar="URL", help="Database of the study; default sqlite:///OUTPUT/study.db."),
    ] = None,
    study: Annotated[str | None, typer.Option("--study", metavar="NAME", help="Its name in the database.")] = None,
    data_root: DataRoot = None,
    imgsz: TrainImgsz = None,
    batch: TrainBatch = None,
    epochs: Epochs = None,
    device: Device = "auto",
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**31 - 1, metavar="N", help="Seed of what the search draws.")
    ] = 0,
    output: Output = Path("runs/tune"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Delete the study that is there; start anew.")] = False,
    on_error: OnErrorOption = OnError.fail,
    json: Json = None,
) -> None:
    """Search for better settings of a detector or classifier: best.yaml for train --config, and a page.

    The same command again goes on with the study, also beside the first one: processes and machines share it through
    --storage.
    """
    from lightdet.tuning.study import require_optuna

    require_optuna()  # said before torch is imported, which takes seconds
    from rich.console import Console

    from lightdet.runs.tune.tuning import TuneRequest, Tuning
    from lightdet.training.interrupt import stop_on_signal

    flags = {"imgsz": imgsz, "train.batch": batch, "train.epochs": epochs}
    changes = [f"{key}={value}" for key, value in flags.items() if value is not None]
    request = TuneRequest(
        data=data,
        space=space,
        output=output,
        config=config,
        data_root=data_root,
        overrides=[*changes, *(overrides or [])],
        sampler=sampler.value,
        pruner=pruner.value,
        trials=trials,
        storage=storage,
        study=study,
        seed=seed,
        device=device,
        overwrite=overwrite,
        skip_bad=on_error is OnError.skip,
        json=json,
    )
    tuning = Tuning(request)
    console = Console()
    display = _Display(console, tuning.score_name, tuning.trials)
    with stop_on_signal() as stop, display.shown():
        outcome = tuning.run(display, stop)
    _show(console, tuning, outcome)
    if outcome.stopped:
        raise typer.Exit(130)


class _Display:
    """A line a trial, and on a terminal a bar of its epochs."""

    def __init__(self, console: Console, score: str, trials: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from lightdet.training.outlook import TimeLeft

        self.console = console
        self.score = score
        self.trials = trials
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        self.bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
        self.bar.disable = not console.is_terminal
        self._left = TimeLeft()
        self._task: Any = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        with self.bar:
            yield

    def revived(self, count: int) -> None:
        """Say that trials are repeated."""
        self._say(f"{counted(count, 'trial')} of a process that ended: the same values are tried again")

    def reading(self, done: int, total: int) -> None:
        """Move the bar of the reading."""
        self._advance("reading pictures", done, total)

    def begins(self, attempt: Attempt) -> None:
        """Begin a trial's bar."""
        self._end_bar()
        self._left.begins(attempt.number)

    def epoch(self, attempt: Attempt, epoch: int, epochs: int, score: float | None) -> None:
        """Move the bar of the epochs."""
        self._advance(f"trial {attempt.number}", epoch, epochs)

    def ends(self, ended: Ended) -> None:
        """Write the trial's line."""
        from lightdet.tuning.space import combined

        self._end_bar()
        attempt = ended.attempt
        what = {"pruned": "ended early", "unfit": f"cannot be trained ({ended.note})", "stopped": "stopped"}
        told = what.get(ended.state, "")
        if ended.score is not None:
            told = f"{self.score} {ended.score:.4f}{' *' if ended.best else ''}"
        left = self._left.ends(attempt.number + 1, self.trials)
        longer = "" if left is None else f"  {duration(left)} left"
        self._say(f"trial {attempt.number:>3}  {told}  {combined(attempt.params)}{longer}")

    def _advance(self, text: str, done: int, total: int) -> None:
        if self._task is None:
            self._task = self.bar.add_task(text, total=total)
        self.bar.update(self._task, description=text, completed=done, total=total)

    def _end_bar(self) -> None:
        if self._task is not None:
            self.bar.remove_task(self._task)
            self._task = None

    def _say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, markup=False, highlight=False)


def _show(console: Console, tuning: Tuning, outcome: TuneOutcome) -> None:
    from lightdet.tuning.space import combined

    results, lines = outcome.results, []
    if results.best is not None:
        best = results.best
        lines.append(
            f"best of {results.complete} finished: {results.score_name} {best.score:.4f} with {combined(best.params)}"
        )
        if best.score == 0:
            lines.append("no trial has learned anything yet: give them more --epochs")
        if best.weights is not None:
            lines.append(f"its model, as the search trained it: {best.weights}")
    elif not outcome.stopped:
        lines.append("no trial has finished with a score, so there is no best.yaml")
    if results.importance:
        shares = ", ".join(f"{key} {share:.0%}" for key, share in results.importance.items())
        lines.append(f"importance: {shares}")
    if outcome.best is not None:
        lines.append(f"train with them: lightdet train --config {outcome.best} --data {tuning.request.data}")
    if outcome.skipped:
        lines.append(f"bad pictures or labels left out: {len(outcome.skipped)}")
        lines += [f"  {reason}" for reason in outcome.skipped]
    lines.append(f"page: {outcome.page}")
    if outcome.stopped:
        lines.append("stopped; the same command again goes on")
    elif results.count("waiting") or results.count("running"):
        lines.append("other processes are still at work on this study; the same command again updates the page")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
