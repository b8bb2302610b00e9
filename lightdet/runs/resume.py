"""What a resumed training may change, and what must stay as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.config import YamlFile
from lightdet.errors import UserError
from lightdet.runs.data_facts import same_facts, with_digest
from lightdet.tasks import AnyConfig, Task
from lightdet.wording import counted, duration

if TYPE_CHECKING:
    from lightdet.training.checkpoint import TrainingState

STATE_FILE, LAST_FILE = "state.safetensors", "last.safetensors"
"""As in `lightdet.training`, which would import torch."""
FREE_ON_RESUME = ("workers", "threads", "cache", "cache_mib", "probe")
"""Keys that may differ when a training is resumed: they change speed, and no result by more than rounding (threads)."""


def config_to_resume(
    task: Task, state: TrainingState, output: Path, asked: YamlFile | None, overrides: Sequence[str]
) -> AnyConfig:
    """The configuration that a training was started with; `asked` and `overrides` may repeat it, not change it.

    Raises:
        UserError: the training has ended, or something differs that would change its results.
    """
    kept = YamlFile(state.run["config"], output / STATE_FILE)
    before = task.configuration(kept)
    if state.progress.done:
        raise UserError(
            f"this training has ended after {_counted_epochs(state, before)}, so there is nothing to resume; "
            f"{task.training.way_to_train_on(before, output / LAST_FILE)}",
            path=output,
        )
    wanted = task.configuration(asked or kept, overrides)
    for key, old, new in _differences(before.model_dump(), wanted.model_dump()):
        # With a time budget the epochs were worked out when the training started.
        if key.removeprefix("train.") in FREE_ON_RESUME or (key == "train.epochs" and wanted.train.minutes):
            continue
        raise UserError(
            f"--resume continues with the training's own settings: {key} was {old}, now {new}; "
            "leave it out, or train into another --output"
        )
    free = {name: getattr(wanted.train, name) for name in FREE_ON_RESUME}
    resumed: AnyConfig = before.model_copy(update={"train": before.train.model_copy(update=free)})
    return resumed


def _counted_epochs(state: TrainingState, config: AnyConfig) -> str:
    if config.train.minutes is not None:
        return f"{counted(state.progress.epoch, 'epoch')} in its {duration(60 * config.train.minutes)}"
    return f"{state.progress.epoch} of {config.train.epochs} epochs"


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    found = []
    for key, value in old.items():
        other = new.get(key)  # another network has other keys; its name, which comes first, differs as well
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            found += _differences(value, other, f"{prefix}{key}.")
        elif value != other:
            found.append((f"{prefix}{key}", value, other))
    return found


def facts_of_data(task: Task, data: Any, digests: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Return what a training's state keeps of its data, by split: numbers, and a digest of pictures and labels.

    Args:
        task, data: the training's.
        digests: of the pictures by split, see `lightdet.runs.trained_on.digests_of`.
    """
    counted_up = task.training.messages().fingerprint(data)
    splits = {"train": data.train, "val": data.val}
    return {name: with_digest(facts, splits[name].annotations, digests[name]) for name, facts in counted_up.items()}


def check_same_data(task: Task, state: TrainingState, run: Mapping[str, Any], output: Path) -> None:
    """Refuse to continue with other data; `run` holds the facts of the training to continue.

    Raises:
        UserError: other classes, pictures or labels.
    """
    before, now = state.run, run
    for key, what in (("names", "classes"), ("data", "pictures or labels")):
        same = before.get(key) == now[key] if key == "names" else _same_facts(before.get(key), now[key])
        if not same:
            raise UserError(
                f"the data set has other {what} than when this training started; restore them, or train into another "
                "--output",
                path=output,
            )


def _same_facts(before: Any, now: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether two results of `facts_of_data` are of the same data."""
    if not isinstance(before, Mapping) or before.keys() != now.keys():
        return False
    return all(same_facts(before[name], facts) for name, facts in now.items())
