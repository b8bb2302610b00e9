"""The request to ``lightdet compare``, and its rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightdet.comparison.results import Kind
from lightdet.config import RunConfig, load_yaml, parse_overrides, validate
from lightdet.config.classification import ClassifyConfig
from lightdet.config.comparison import ModelList, check_row_name
from lightdet.errors import UserError
from lightdet.files import run_name
from lightdet.missing import require_file
from lightdet.model_kind import model_kind
from lightdet.options.compare import CompareOptions
from lightdet.storage.kept import local_file, shown_path
from lightdet.storage.urls import as_url, file_part
from lightdet.tasks import CLASSIFICATION, DETECTION, Task, known_task_of_model, task_of_config

YAML_ENDINGS = (".yaml", ".yml")
"""Model files with these names are named after their folder."""


@dataclass(frozen=True)
class Entry:
    """A row of the comparison.

    Attributes:
        name: unique, whatever the case of its letters; also its folder's name.
        files: the configuration, the weights (one per run) or the file of detections.
        seeds: to train with; empty for anything else.
        overrides: for this row only.
        config: checked; None for anything that is not trained.
        task: of the configuration; detection for detections.
    """

    name: str
    kind: Kind
    files: tuple[Path, ...]
    seeds: tuple[int, ...] = ()
    overrides: tuple[str, ...] = ()
    config: RunConfig | ClassifyConfig | None = None
    task: Task = DETECTION

    @property
    def source(self) -> str:
        """The files as text."""
        return ", ".join(shown_path(path) for path in self.files)


def finished_model_settings(task: Task, overrides: Sequence[str]) -> tuple[int | None, Any]:
    """Return input size (None: the model's own) and evaluation for models that are not trained here.

    Raises:
        UserError: a value that is wrong.
    """
    settings = task.scores.evaluation_settings(_for_finished(overrides))
    return settings.imgsz, settings.eval


def _for_finished(overrides: Sequence[str]) -> list[str]:
    return [text for text in overrides if text.partition("=")[0].strip().split(".")[0] in ("imgsz", "eval")]


def task_of_entries(entries: Sequence[Entry]) -> Task | None:
    """The task of the rows; None if there are only weights that cannot be read.

    Raises:
        UserError: the rows are of both tasks.
    """
    found: dict[Task, str] = {}
    for entry in entries:
        for path in entry.files:
            task = known_task_of_model(path) if entry.kind == "weights" else entry.task
            if task is not None:
                found.setdefault(task, str(path))
    if len(found) > 1:
        raise UserError(
            f"{found[CLASSIFICATION]} is a classifier and {found[DETECTION]} a detector: they share no "
            "metric; compare classifiers with classifiers, and detectors with detectors"
        )
    return next(iter(found), None)


def entries_of(options: CompareOptions) -> list[Entry]:
    """Return the rows in order: the list, then bare files, configurations, weights, detections.

    Raises:
        UserError: a missing or wrong file, two rows with the same name, seeds given twice or for no row, a wrong value.
    """
    entries = _listed(options) + _given(options)
    if not entries:
        raise UserError("nothing to compare: name configurations, trained models (.safetensors) or --predictions")
    entries = _grouped(entries)
    _check_names(entries)
    entries = _with_seeds(entries, options)
    trained = [entry for entry in entries if entry.kind == "trained"]
    alien = next((text for text in options.settings() if not text.startswith(("eval.", "imgsz="))), None)
    if alien is not None and not trained:
        raise UserError(f"'{alien}' would change a training, and there is none; finished models cannot change")
    return [_with_config(entry, options.settings()) if entry.kind == "trained" else entry for entry in entries]


def _listed(options: CompareOptions) -> list[Entry]:
    if options.model_list is None:
        return []
    file = load_yaml(options.model_list)
    below = Path(options.model_list).parent
    found = []
    for name, model in validate(ModelList, file).models.items():
        files = [model.config or model.predictions] if model.weights is None else list(model.weights)
        kind: Kind = "trained" if model.config else "weights" if model.weights else "predictions"
        paths = tuple(Path(text) if as_url(text) else below / text for text in files if text)
        entry = Entry(name, kind, paths, model.seeds or (), model.overrides)
        try:
            entry = _with_files(entry)
            _check_repeated(entry.seeds, f"'models.{name}.seeds'")
        except UserError as error:
            path, line = file.place(("models", name))
            raise UserError(str(error), path=path, line=line) from None
        found.append(entry)
    return found


def _given(options: CompareOptions) -> list[Entry]:
    groups: list[tuple[Sequence[str], Kind | None]] = [
        (options.models, None),
        (options.config, "trained"),
        (options.weights, "weights"),
        (options.predictions, "predictions"),
    ]
    found = []
    for texts, kind in groups:
        for text in texts:
            name, path = split_name(text)
            found.append(_with_files(Entry(name or _name_of(path), kind or _kind_of(path), (path,))))
    return found


def split_name(text: str) -> tuple[str | None, Path]:
    """Split ``NAME=FILE``; a file with ``=`` in its own name is kept whole.

    Raises:
        UserError: a name that cannot be a folder's name.
    """
    name, equals, file = text.partition("=")
    if not equals or as_url(text) or Path(text).exists():
        return None, Path(text)
    try:
        check_row_name(name)
    except ValueError as error:
        raise UserError(str(error)) from None
    if not file:
        raise UserError(f"'{text}' names no file after the '='")
    return name, Path(file)


def _kind_of(path: Path) -> Kind:
    if path.suffix.lower() in YAML_ENDINGS:
        return "trained"
    if model_kind(path) == "checkpoint":
        return "weights"
    if path.is_dir():
        raise UserError("is a folder; give a configuration (.yaml) or the .safetensors in it", path=path)
    if path.suffix.lower() == ".json":
        raise UserError("give another program's detections with --predictions NAME=FILE", path=path)
    hint = "" if path.exists() else ", and there is no such file"
    raise UserError(f"is neither a configuration (.yaml) nor a trained model (.safetensors){hint}", path=path)


def _name_of(path: Path) -> str:
    """The file's stem; for a training's ``best`` and ``last``, its folder's name."""
    path = Path(file_part(as_url(path) or str(path)))
    stem = path.stem if path.suffix.lower() in YAML_ENDINGS else run_name(path)
    return re.sub(r"^\W+|[^\w .+-]", "", stem)[:100].rstrip(". ") or "model"


def _with_files(entry: Entry) -> Entry:
    """The row with copies of the models that it names by URL.

    Raises:
        UserError: one of the files is missing, or no file.
    """
    files = tuple(map(local_file, entry.files)) if entry.kind == "weights" else entry.files
    for path in files:
        require_file(path)
    return replace(entry, files=files)


def _grouped(entries: Sequence[Entry]) -> list[Entry]:
    """Weights with the same name are runs of one model."""
    found: dict[str, Entry] = {}
    result: list[Entry] = []
    for entry in entries:
        before = found.get(entry.name)
        if before is None or before.kind != "weights" or entry.kind != "weights":
            found[entry.name] = entry
            result.append(entry)
            continue
        both = replace(before, files=(*before.files, *entry.files))
        result[result.index(before)] = found[entry.name] = both
    return result


def _check_names(entries: Sequence[Entry]) -> None:
    counts = Counter(entry.name.casefold() for entry in entries)
    for entry in entries:
        if counts[entry.name.casefold()] > 1:
            same = [e for e in entries if e.name.casefold() == entry.name.casefold()]
            both = " and ".join(e.source for e in same[:2])
            raise UserError(f"two rows are called '{entry.name}' ({both}); give names: NAME=FILE")
    for entry in entries:
        repeated = [path for path, count in Counter(p.resolve() for p in entry.files).items() if count > 1]
        if repeated:
            raise UserError(f"is given twice for '{entry.name}'", path=repeated[0])


def _with_seeds(entries: Sequence[Entry], options: CompareOptions) -> list[Entry]:
    for_all = parse_seeds([str(each) for each in options.seeds]) or (0,)
    _check_repeated(for_all, "--seeds")
    own: dict[str, tuple[int, ...]] = {}
    for text in options.seeds_for:
        name, equals, listed = text.partition("=")
        seeds = parse_seeds([listed], f"--seeds-for {text}") if equals else ()
        if not seeds:
            raise UserError(f"--seeds-for {text}: give NAME=SEED,SEED,…, such as lightdet=0,1,2")
        if name in own:
            raise UserError(f"--seeds-for names '{name}' twice")
        _check_repeated(seeds, f"--seeds-for {text}")
        own[name] = seeds
    trained = [entry.name for entry in entries if entry.kind == "trained"]
    for name in own:
        if name not in trained:
            known = f"; trained are {', '.join(trained)}" if trained else ""
            raise UserError(f"--seeds-for names '{name}', which is not trained here{known}")
    return [
        replace(entry, seeds=own.get(entry.name) or entry.seeds or for_all) if entry.kind == "trained" else entry
        for entry in entries
    ]


def parse_seeds(texts: Sequence[str], where: str = "--seeds") -> tuple[int, ...]:
    """Read seeds from ``0,1,2``, ``0 1 2``, or one per text.

    Raises:
        UserError: something that is not a seed.
    """
    seeds = []
    for word in " ".join(texts).replace(",", " ").split():
        if not (word.isascii() and word.isdecimal()) or int(word) >= 2**31:
            raise UserError(f"{where}: '{word}' is not a seed; give whole numbers from 0, such as 0,1,2")
        seeds.append(int(word))
    return tuple(seeds)


def _check_repeated(seeds: Sequence[int], where: str) -> None:
    twice = [str(seed) for seed, count in Counter(seeds).items() if count > 1]
    if twice:
        raise UserError(f"{where}: the seed {twice[0]} is given twice; the same seed gives the same training")


def _with_config(entry: Entry, overrides: Sequence[str]) -> Entry:
    mine = [*overrides, *entry.overrides]
    if "seed" in _section(mine, "train"):
        raise UserError("a comparison sets train.seed from --seeds; remove it")
    file = load_yaml(entry.files[0])
    task = task_of_config(file, mine)
    return replace(entry, config=task.configuration(file, mine), task=task)


def _section(overrides: Sequence[str], name: str) -> dict[str, object]:
    found = parse_overrides(overrides).get(name)
    return found if isinstance(found, dict) else {}
