"""The output folder of a study: one study's alone, since trials, page and best.yaml have the same names in all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lightdet.addresses import hide_sign_in
from lightdet.errors import UserError
from lightdet.files import write_json

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

DATABASE, STUDY_FILE = "study.db", "study.json"
RUNNER = "runner"
"""What a trial stores of its process and its folder."""


def place_of(url: str | None, folder: Path) -> str:
    """Return where the database at `url` is, without user and password; None is the one in the output folder."""
    if url is None:
        return DATABASE
    if not url.startswith("sqlite"):
        return hide_sign_in(url).partition("://")[2].removeprefix("***@").partition("?")[0]
    path = Path(url.partition(":///")[2].partition("?")[0]).resolve()
    return DATABASE if path == (folder / DATABASE).resolve() else str(path)


def refuse_other_study(folder: Path, place: str, name: str, storage: RDBStorage) -> None:
    """Refuse an output folder that holds the trials of another study.

    Args:
        folder: the output folder.
        place: of the database, see `place_of`.
        name: of the study that is to write there.
        storage: the database.

    Raises:
        UserError: it does.
    """
    _refuse_noted(folder, place, name)
    trials = folder / "trials"
    # Folders of earlier versions name no study.
    if (
        _noted(folder) is None
        and trials.is_dir()
        and any(trials.iterdir())
        and not _ran_in(trials, place, name, storage)
    ):
        raise _other(folder, "the trials of another study")


def note_study(folder: Path, place: str, name: str) -> None:
    """Write which study's the folder is.

    Raises:
        UserError: it cannot be written; another study, begun at the same time, has taken the folder.
    """
    if _noted(folder) is None:
        write_json(folder / STUDY_FILE, {"study": name, "storage": place})
    _refuse_noted(folder, place, name)


def _refuse_noted(folder: Path, place: str, name: str) -> None:
    noted = _noted(folder)
    if noted is not None and noted != (name, place):
        raise _other(folder, f"the study '{noted[0]}' ({noted[1]})")


def _noted(folder: Path) -> tuple[str, str] | None:
    try:
        values = json.loads((folder / STUDY_FILE).read_text(encoding="utf-8"))
        return str(values["study"]), str(values["storage"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _ran_in(trials: Path, place: str, name: str, storage: RDBStorage) -> bool:
    """Whether a study has run trials in this folder; its own database may have been moved with it."""
    import optuna  # noqa: PLC0415 - an extra, and slow to import

    if name not in optuna.get_all_study_names(storage):
        return False
    known = optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False)
    ran = [Path(trial.user_attrs[RUNNER]["folder"]).parent for trial in known if RUNNER in trial.user_attrs]
    return bool(ran) and (place == DATABASE or trials.absolute() in ran)


def _other(folder: Path, what: str) -> UserError:
    return UserError(f"holds {what}, whose models this one would replace; use another --output", path=folder)
