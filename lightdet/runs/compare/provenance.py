"""What the page and the JSON say about how a comparison was made: data, trainings, machine, versions, command."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from lightdet.data.dataset import DatasetSpec
from lightdet.options.compare import CompareOptions
from lightdet.runs.compare.request import Entry
from lightdet.runs.profile import device_name
from lightdet.storage.kept import shown_path
from lightdet.tasks.comparing import Comparing, Mark
from lightdet.wording import counted, duration

Facts = Mapping[str, Any]
Marks = Mapping[str, Mark]
"""Fingerprints of the scored splits, by name."""


def facts_of(
    options: CompareOptions, comparing: Comparing, spec: DatasetSpec, entries: Sequence[Entry], marks: Marks, on: Facts
) -> dict[str, dict[str, str]]:
    """Return groups of facts for the end of the page; `on` is what the times were measured on."""
    data = {"name": spec.name, **comparing.data_facts(spec, options.split, marks)}
    data |= {"classes": ", ".join(spec.classes), "description": shown_path(options.data)}
    sources = {entry.name: f"{KINDS[entry.kind]} {entry.source}" for entry in entries}
    training = training_facts(options, entries)
    if training:
        training["weights"] = f"{comparing.weights}of the {options.take} epoch"
    made = {"on": now(), "command": options.command, **machine(), **versions(comparing.packages)}
    rows = f"{comparing.called}s".capitalize()
    groups = {"Data": data, rows: sources, "Training": training, "Timing": timing_facts(on), "Made": made}
    return {title: group for title, group in groups.items() if group}


KINDS = {"trained": "trained from", "weights": "weights", "predictions": "detections in"}


def details_of(
    options: CompareOptions, comparing: Comparing, spec: DatasetSpec, marks: Marks, on: Facts
) -> dict[str, Any]:
    """Return the same for the JSON, as plain values."""
    data = comparing.data_details(options.split, marks)
    return {
        "date": now(),
        "command": options.command,
        "data": {"name": spec.name, "yaml": shown_path(options.data), **data},
        "weights": options.take,
        "timing": dict(on) or None,
        "machine": machine(),
        "versions": versions(comparing.packages),
    }


def notes_of(
    options: CompareOptions,
    comparing: Comparing,
    entries: Sequence[Entry],
    marks: Marks,
    evaluations: Sequence[Any],
    unmeasured: str | None = None,
) -> list[str]:
    """Return what a reader must know before comparing.

    Args:
        options, comparing, entries, marks: the request, its task, its rows, and what they are scored on.
        evaluations: settings that the rows are scored with.
        unmeasured: why no epoch of a training was scored.
    """
    split, trained = options.split, [entry for entry in entries if entry.kind == "trained"]
    what = comparing.scored(split, marks, evaluations)
    notes = [f"{counted(len(entries), comparing.called)}, scored by the same code on {what}"]
    if trained:
        told = training_facts(options, trained)
        notes.append(f"Trained here: {told['budget']}, batch {told['batch']}, input {told['input']}.")
        if options.take == "last":
            notes.append("Each training is judged by the weights of its last epoch, not of the one that scored best.")
        elif unmeasured is not None:
            notes.append(
                f"No epoch was scored ({unmeasured}), so each training is judged by the weights of its last one."
            )
        else:
            chosen = " It was chosen on these same pictures, which flatters every row a little."
            notes.append(
                f"Each training is judged by the weights of its best epoch on 'val'.{chosen if split == 'val' else ''}"
            )
    if split == "train":
        notes.append("'train' holds the training pictures: its numbers say nothing about new ones.")
    given = [entry.name for entry in entries if entry.kind != "trained"]
    if given and trained:
        notes.append(f"Not trained here, so perhaps longer or in another way: {', '.join(given)}.")
    return notes


def timing_facts(on: Facts) -> dict[str, str]:
    """Return what the times were measured on and how; nothing if nothing was timed."""
    if not on:
        return {}
    width, height = on["picture"]
    return {
        "timed on": f"{on['device_name']} ({on['device']}), {counted(on['threads'], 'thread')}, {on['precision']}",
        "timed with": f"one picture of {width} × {height}, {on['runs']} times per model, one at a time",
    }


def training_facts(options: CompareOptions, entries: Sequence[Entry]) -> dict[str, str]:
    """Return budget, batch, input, seeds and so on of what is trained here; nothing if nothing is."""
    configs = [entry.config for entry in entries if entry.config is not None]
    if not configs:
        return {}
    minutes = {config.train.minutes for config in configs}
    epochs = {config.train.epochs for config in configs if config.train.minutes is None}
    budgets = [f"{several(epochs)} epochs"] if epochs else []
    times = [duration(60 * each) for each in sorted(each for each in minutes if each is not None)]
    budgets += [f"{' or '.join(times)} each"] if times else []
    return {
        "budget": " or ".join(budgets),
        "batch": several({config.train.batch for config in configs}),
        "input": f"{several({config.imgsz for config in configs})} pixels",
        "seeds": "; ".join(f"{e.name}: {', '.join(map(str, e.seeds))}" for e in entries if e.kind == "trained"),
        "at a time": str(options.together),
        "overrides": " ".join(options.settings()) or "none",
    }


def several(values: set[Any]) -> str:
    """``1 or 2`` for numbers."""
    return " or ".join(f"{value:g}" for value in sorted(values))


def now() -> str:
    """The time, to the second."""
    return datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")


def machine() -> dict[str, str]:
    """Processor, GPU, memory and system."""
    found = {"processor": f"{device_name(torch.device('cpu'))}, {os.cpu_count()} cores"}
    if torch.cuda.is_available():
        found["GPU"] = device_name(torch.device("cuda"))
    with suppress(AttributeError, ValueError, OSError):  # not on Windows
        found["memory"] = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    found["system"] = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return found


def versions(packages: Sequence[str]) -> dict[str, str]:
    """The versions of installed packages by name."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
