"""The two tasks, and which of them a model file, a configuration or a data set belongs to.

This is the only place in the package that asks which one it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from lightdet.card import peek_model_card
from lightdet.config.yaml_file import YamlFile, merge, parse_overrides
from lightdet.data.spec import DatasetSpec
from lightdet.decisions import ClassRule, DecisionRule
from lightdet.errors import UserError
from lightdet.inference.open_exported import read_card
from lightdet.model_kind import is_export
from lightdet.tasks.classification import CLASSIFICATION
from lightdet.tasks.detection import DETECTION
from lightdet.tasks.task import Task
from lightdet.wording import shown

if TYPE_CHECKING:
    from lightdet.config import RunConfig
    from lightdet.config.classification import ClassifyConfig

AnyConfig: TypeAlias = "RunConfig | ClassifyConfig"

__all__ = [
    "CLASSIFICATION",
    "DETECTION",
    "TASKS",
    "AnyConfig",
    "Task",
    "gives_boxes",
    "known_task_of_model",
    "read_config",
    "require_boxes",
    "require_detector",
    "task_of_config",
    "task_of_dataset",
    "task_of_model",
]

TASKS: Mapping[str, Task] = {task.name: task for task in (DETECTION, CLASSIFICATION)}


def task_of_model(path: str | Path | None) -> Task:
    """The task of a trained model or an export, by its card; needs no torch.

    Detection also for a missing, damaged or foreign file (loading it says more), and if there is no model but another
    program's detections.
    """
    return DETECTION if path is None else known_task_of_model(path) or DETECTION


def known_task_of_model(path: str | Path) -> Task | None:
    """As `task_of_model`; None for a missing, damaged or foreign file."""
    if is_export(path):
        try:
            return TASKS[read_card(path).task]
        except UserError:
            return None
    card = peek_model_card(path)
    return None if card is None else TASKS[card.task]


def require_detector(path: str | Path, why: str) -> None:
    """Refuse a classifier.

    Args:
        path: the model file.
        why: what a detector is needed for, such as "proposals need a detector".

    Raises:
        UserError: it gives each picture a class.
    """
    if task_of_model(path) is not DETECTION:
        raise UserError(f"gives each picture a class; {why}", path=path)


def require_boxes(spec: DatasetSpec, why: str) -> None:
    """Refuse a data set without boxes; `why` says what they are needed for.

    Raises:
        UserError: it gives each picture a class.
    """
    if spec.label_kind != DETECTION.label_kind:
        raise UserError(f"gives each picture a class; {why}", path=spec.path)


def gives_boxes(rule: DecisionRule | ClassRule) -> bool:
    """Whether a rule judges by boxes."""
    return not isinstance(rule, ClassRule)


def task_of_config(file: YamlFile, overrides: Sequence[str] = ()) -> Task:
    """The task that a configuration names under ``task``; detection if it names none.

    Raises:
        UserError: another task than the two.
    """
    name = merge(file.values, parse_overrides(overrides)).get("task", DETECTION.name)
    task = TASKS.get(name) if isinstance(name, str) else None
    if task is None:
        path, line = file.place(("task",))
        raise UserError(f"'task' should be 'detect' or 'classify' (given: {shown(name)})", path=path, line=line)
    return task


def task_of_dataset(spec: DatasetSpec) -> Task:
    """The task that a data set's labels are for."""
    return next(task for task in TASKS.values() if task.label_kind == spec.label_kind)


def read_config(file: YamlFile, overrides: Sequence[str] = ()) -> AnyConfig:
    """Check the configuration of a run with ``key.path=value`` overrides, for either task.

    Raises:
        UserError: anything wrong with it.
    """
    config: AnyConfig = task_of_config(file, overrides).configuration(file, overrides)
    return config
