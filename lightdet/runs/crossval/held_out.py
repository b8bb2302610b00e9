"""What each fold's model finds in the pictures that it has not seen, kept in the fold's folder."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lightdet import __version__
from lightdet.data.fold_file import HELD_OUT
from lightdet.data.paths import below_root
from lightdet.data.spec import DatasetSpec
from lightdet.files import atomic_path, file_hash
from lightdet.options.crossval import CrossvalOptions
from lightdet.options.val import ValOptions
from lightdet.runs.found import Found
from lightdet.runs.validate import Validation, Watcher
from lightdet.tasks import AnyConfig, Task

FILE_NAME = "held_out.safetensors"
_KEY, _KEPT = "key", "kept"


@dataclass(frozen=True)
class Look:
    """How the models look at pictures.

    Attributes:
        options: the request.
        config: of every training, with its thresholds for an evaluation.
        task: the models'.
    """

    options: CrossvalOptions
    config: AnyConfig
    task: Task

    def validation(self, weights: Path, spec: DatasetSpec) -> Validation:
        """Return the evaluation of a fold's model on the pictures left out, or of any on the split ``held out``."""
        options, settings = self.options, self.config.eval.model_dump(mode="json")
        wanted = ValOptions(
            data=options.data,
            weights=weights,
            split=HELD_OUT,
            data_root=options.data_root,
            device=options.device,
            precision=options.precision,
            agnostic=options.agnostic,
            rect=options.rect,
            tile=options.tile,
            overlap=options.overlap,
            on_error=options.on_error,
            no_promise=True,  # what a fold's model judges is what is measured
            overrides=[f"eval.{name}={value}" for name, value in settings.items()],
        )
        return Validation(wanted, spec)

    def key(self, weights: Path) -> str:
        """Everything but the pictures that the predictions depend on."""
        options = self.options
        names = ("precision", "agnostic", "rect", "tile", "overlap")
        values = {name: getattr(options, name) for name in names}
        settings = self.config.eval.model_dump(mode="json")
        return json.dumps({"lightdet": __version__, "file": file_hash(weights), **values, "eval": settings})


def predictions(look: Look, weights: Path, spec: DatasetSpec, watcher: Watcher) -> Found:
    """Return what the model of a fold finds in the pictures left out, from its folder if it looked at them before.

    Args:
        look: how.
        weights: the fold's model.
        spec: the data set whose split ``held out`` is the fold.
        watcher: follows the work.

    Raises:
        UserError: as `lightdet.runs.validate.Validation`.
    """
    path, key = weights.parent / FILE_NAME, look.key(weights)
    validation = look.validation(weights, spec)
    with suppress(OSError, SafetensorError, ValueError, KeyError, TypeError):  # missing, torn or of another version
        return _read(path, key, look.task, validation)
    found = validation.find(watcher, statistics=True)
    _write(path, key, look.task, found, spec)
    return found


def _write(path: Path, key: str, task: Task, found: Found, spec: DatasetSpec) -> None:
    names = [below_root(truth.image, spec.root) for truth in found.truths]
    kept = {"pictures": names, "skipped": found.skipped, "statistics": found.pictures}
    arrays = task.folding.packed(found.predictions)
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, {_KEY: key, _KEPT: json.dumps(kept)})


def _read(path: Path, key: str, task: Task, validation: Validation) -> Found:
    """What `_write` wrote for the same model, pictures and settings.

    Raises:
        OSError, SafetensorError, ValueError, KeyError, TypeError: it is something else.
        UserError: as `Validation.truths`.
    """
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        if metadata[_KEY] != key:
            raise ValueError(key)
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
    kept: dict[str, Any] = json.loads(metadata[_KEPT])
    truths, _ = validation.truths()
    by_name = {below_root(truth.image, validation.spec.root): truth for truth in truths}
    found = task.folding.unpacked(arrays, validation.spec.classes)
    ordered = [by_name[name] for name in kept["pictures"]]
    statistics = [{str(name): float(value) for name, value in each.items()} for each in kept["statistics"]]
    if not len(ordered) == len(found) == len(statistics):
        raise ValueError(len(found))
    return Found(ordered, found, kept["skipped"], {}, pictures=statistics)
