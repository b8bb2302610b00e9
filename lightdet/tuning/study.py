"""A study: its trials in a database, shared by every process that works on it.

Every trial's process holds the lock of the trial's folder, which the system frees however the process ends. So the
trials of a killed process on this machine are recognized at once; those on another machine after they have been
silent for a while. Both are marked as failed and their parameters are queued again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from lightdet.addresses import hide_sign_in
from lightdet.errors import UserError
from lightdet.missing import how_to_install
from lightdet.tuning.space import Params, SearchSpace
from lightdet.tuning.study_folder import RUNNER

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial

Sampler: TypeAlias = Literal["tpe", "random", "grid"]
Pruner: TypeAlias = Literal["median", "hyperband", "none"]

UNNOTED_MINUTES = 2.0
"""A trial with no recorded process after this many seconds belongs to a process that died at once."""
SILENT_MINUTES = 60.0
"""A trial on another machine that has been silent for this many seconds counts as dead."""
MAX_RETRIES = 2
"""Parameters whose process died more often than this are given up: they may be the cause (memory)."""
OPENINGS = 8
"""How often to try opening a database while other processes create its tables."""
ALIVE = "alive"
PROBLEM, RETRY_OF, TRIES = "problem", "retry_of", "tries"
"""What a trial stores beside its parameters."""
IDENTITY, GRID_DONE = "lightdet", "grid_enqueued"
ANOTHER = "start again with --overwrite, or use another --output (and, with --storage, another --study)"
PICTURES = "pictures"
"""The part of a study's identity that is digests of its data."""


def open_study(
    url: str,
    name: str,
    identity: Mapping[str, Any],
    *,
    pruner: Pruner,
    epochs: int,
    anew: bool = False,
    check: Callable[[RDBStorage], None] = lambda storage: None,
) -> Study:
    """Return the study called `name`, created if missing; its `identity` says what it searches.

    Args:
        url: of the database, such as ``sqlite:///study.db``.
        name: of the study in it.
        identity: plain values; an existing study must have the same, and takes over those that it does not know.
        pruner: what ends bad trials early.
        epochs: most epochs of a trial.
        anew: delete a study of this name first.
        check: called with the database before anything in it is changed.

    Raises:
        UserError: Optuna is missing, the database cannot be opened, the study searches something else.
    """
    require_optuna()
    import optuna  # noqa: PLC0415 - an extra, and slow to import

    storage = _storage(url)
    try:
        check(storage)
        if anew and name in optuna.get_all_study_names(storage):
            optuna.delete_study(study_name=name, storage=storage)
        study = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", load_if_exists=True, pruner=_pruner(pruner, epochs)
        )
        known = study.user_attrs.get(IDENTITY, {})
        for key, value in identity.items():
            if key in known and known[key] != value:
                raise _other(name, key)
        if identity.keys() - known.keys():  # a new study, or one of an earlier version, which kept no digests
            study.set_user_attr(IDENTITY, {**known, **identity})
    except UserError:
        raise
    except Exception as error:
        raise _not_opened(url, error) from None
    return study


def _other(name: str, key: str) -> UserError:
    """`key` is what differs."""
    if key == PICTURES:
        return UserError(
            f"the study '{name}' was begun with other pictures or labels, so their scores cannot be compared; restore "
            f"them, {ANOTHER}"
        )
    return UserError(f"the study '{name}' exists already and has another {key}; repeat its command, {ANOTHER}")


def make_sampler(kind: Sampler, seed: int, number: int) -> BaseSampler:
    """Return the sampler for a trial: `seed` and the trial's `number` decide what it draws.

    So an interrupted study tries the same values when resumed, and parallel processes draw different values.
    """
    import optuna  # noqa: PLC0415

    drawn = (seed * 1_000_003 + number) % 2**32
    if kind == "tpe":
        return optuna.samplers.TPESampler(seed=drawn)
    return optuna.samplers.RandomSampler(seed=drawn)


def enqueue_grid(study: Study, space: SearchSpace) -> None:
    """Queue every combination, once for the whole study."""
    if study.user_attrs.get(GRID_DONE):
        return
    begun = bool(study.get_trials(deepcopy=False))
    for params in space.grid():
        study.enqueue_trial(space.stored(params), skip_if_exists=begun)
    study.set_user_attr(GRID_DONE, True)


def is_taken(trial: FrozenTrial) -> bool:
    """Whether a trial counts: done, pruned, running or given up; not if it waits, or failed and will be repeated."""
    return trial.state.name in ("COMPLETE", "PRUNED", "RUNNING") or (
        trial.state.name == "FAIL" and trial.user_attrs.get(TRIES, 0) > MAX_RETRIES
    )


def count_taken(study: Study) -> int:
    """How many trials count towards the requested number."""
    return sum(is_taken(trial) for trial in study.get_trials(deepcopy=False))


def begin(trial: Trial, folder: Path) -> None:
    """Record which process runs a trial, and where."""
    runner = {"host": socket.gethostname(), "process": os.getpid(), "folder": str(folder.absolute())}
    trial.set_user_attr(RUNNER, runner)
    say_alive(trial)


def say_alive(trial: Trial) -> None:
    """Record that the trial's process is alive."""
    trial.set_user_attr(ALIVE, time.time())


def revive(study: Study, is_held: Callable[[Path], bool]) -> int:
    """Mark the running trials of dead processes as failed and queue their parameters again; returns how many.

    Args:
        study: the study.
        is_held: whether a living process holds the lock of a trial's folder (on this machine).
    """
    dead = [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name == "RUNNING" and _is_dead(trial, is_held)
    ]
    for trial in dead:
        give_up(study, trial.number, trial.params, trial.user_attrs, "its process ended", retry=True, died=True)
    return len(dead)


def give_up(
    study: Study, number: int, params: Params, attributes: Mapping[str, Any], why: str, *, retry: bool, died: bool
) -> None:
    """Mark a running trial as failed.

    Args:
        study: the study.
        number: of the trial.
        params: its parameters, as stored.
        attributes: its user attributes.
        why: kept with it.
        retry: queue its parameters again.
        died: its process died, which counts towards `MAX_RETRIES`.
    """
    from optuna.trial import TrialState  # noqa: PLC0415 - an extra, and slow to import

    tries = int(attributes.get(TRIES, 0)) + died
    running = study.get_trials(deepcopy=False)[number]
    study._storage.set_trial_user_attr(running._trial_id, PROBLEM, why)
    study._storage.set_trial_user_attr(running._trial_id, TRIES, tries)
    study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
    if retry and params and tries <= MAX_RETRIES:
        study.enqueue_trial(dict(params), user_attrs={RETRY_OF: number, TRIES: tries})


def _is_dead(trial: FrozenTrial, is_held: Callable[[Path], bool]) -> bool:
    runner = trial.user_attrs.get(RUNNER, {})
    heard = trial.user_attrs.get(ALIVE)
    if heard is None:  # killed between being created and being recorded
        made = trial.datetime_start.timestamp() if trial.datetime_start is not None else 0.0
        return time.time() - made > UNNOTED_MINUTES * 60
    if time.time() - float(heard) > SILENT_MINUTES * 60:
        return True
    if runner.get("host") != socket.gethostname():
        return False
    # The lock is reliable; if the file system has none, the process number is the next best.
    return not is_held(Path(runner["folder"])) and not _runs(runner["process"])


def _runs(process: int) -> bool:
    if os.name == "nt":  # on Windows a signal would end it
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return process != os.getpid()


def require_optuna() -> None:
    """Report a missing Optuna, and keep Optuna from writing to the terminal.

    Raises:
        UserError: it is missing.
    """
    try:
        import optuna  # noqa: PLC0415
    except ImportError:
        raise UserError(f"tune needs Optuna: {how_to_install('tune')}") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _pruner(kind: Pruner, epochs: int) -> BasePruner:
    from optuna import pruners  # noqa: PLC0415

    if kind == "median":
        # A third of the epochs is exempt: early scores say little, and a good start proves nothing.
        return pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, epochs // 3), n_min_trials=3)
    if kind == "hyperband":
        return pruners.HyperbandPruner(min_resource=max(1, epochs // 9), max_resource=max(1, epochs))
    return pruners.NopPruner()


def _storage(url: str) -> RDBStorage:
    import optuna  # noqa: PLC0415

    if "://" not in url:
        raise UserError("--storage is not a URL; for a file write sqlite:///study.db")
    if url.startswith(("postgresql://", "postgres://")):
        url = f"postgresql+pg8000://{url.partition('://')[2]}"  # SQLAlchemy's own choice, psycopg2, is LGPL
    # Several processes write to one file: they wait for each other instead of giving up after 5 seconds.
    options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    for attempt in range(1, OPENINGS + 1):
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=options)
        except Exception as error:
            # Processes that start together on a new database create its tables at the same moment; one of them wins.
            if attempt == OPENINGS or not _is_race(error):
                raise _not_opened(url, error) from None
            time.sleep(0.2 * attempt)
    raise AssertionError("unreachable")


def _is_race(error: Exception) -> bool:
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - comes with Optuna

    return isinstance(error, DBAPIError) and any(word in str(error) for word in ("UNIQUE", "already exists", "locked"))


def _not_opened(url: str, error: Exception) -> UserError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, ValueError):  # a port that is not a number is part of a password
        reason = "it is not valid; in a user and a password write / as %2F, : as %3A and @ as %40"
    return UserError(f"the study's database {hide_sign_in(url)} cannot be used: {hide_sign_in(reason)[:200]}")


def close(study: Study) -> None:
    """Close the database."""
    storage = study._storage
    remove = getattr(storage, "remove_session", None)
    if remove is not None:
        remove()
    engine = getattr(getattr(storage, "_backend", storage), "engine", None)
    if engine is not None:
        engine.dispose()
