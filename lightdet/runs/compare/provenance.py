"""What the page and the JSON say of how a comparison was made: data, trainings, machine, versions, command."""

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
from lightdet.runs.compare.request import CompareRequest, Entry
from lightdet.runs.compare.scoring import Pictures
from lightdet.runs.profile import device_name
from lightdet.wording import counted

PACKAGES = ("lightdet", "torch", "torchvision", "numpy", "pycocotools")


def facts_of(
    request: CompareRequest, spec: DatasetSpec, entries: Sequence[Entry], pictures: Pictures, on: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Return groups of facts for the page's end; `on` is what the times were measured on."""
    data = {
        "name": spec.name,
        "split": request.split,
        "pictures": f"{pictures.mark['pictures']} with {pictures.mark['boxes']} boxes",
        "classes": ", ".join(spec.classes),
        "description": str(request.data),
    }
    sources = {entry.name: f"{KINDS[entry.kind]} {entry.source}" for entry in entries}
    training = training_facts(request, entries)
    made = {"on": now(), "command": request.command, **machine(), **versions()}
    groups = {"Data": data, "Models": sources, "Training": training, "Timing": timing_facts(on), "Made": made}
    return {title: group for title, group in groups.items() if group}


KINDS = {"trained": "trained from", "weights": "weights", "predictions": "detections in"}


def details_of(request: CompareRequest, spec: DatasetSpec, pictures: Pictures, on: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same for the JSON, as plain values."""
    return {
        "date": now(),
        "command": request.command,
        "data": {"name": spec.name, "split": request.split, "yaml": str(request.data), **pictures.mark},
        "weights": request.take,
        "timing": dict(on) or None,
        "machine": machine(),
        "versions": versions(),
    }


def notes_of(
    request: CompareRequest, entries: Sequence[Entry], pictures: Pictures, unmeasured: str | None = None
) -> list[str]:
    """Return what a reader must know before comparing; `unmeasured`: why no epoch of a training was scored."""
    mark = pictures.mark
    notes = [
        f"{counted(len(entries), 'model')}, scored by the same code on the {mark['pictures']} pictures of the split "
        f"'{request.split}' ({counted(mark['boxes'], 'box')})."
    ]
    trained = [entry for entry in entries if entry.kind == "trained"]
    if trained:
        told = training_facts(request, trained)
        notes.append(f"Trained here: {told['budget']}, batch {told['batch']}, input {told['input']}.")
        if request.take == "last":
            notes.append("Of each training the last epoch's averaged weights count, not the epoch that scored best.")
        elif unmeasured is not None:
            notes.append(unscored_note(unmeasured))
        elif request.split == "val":
            notes.append(
                "Of each training the best epoch's weights count. It was chosen on these very pictures, which flatters "
                "every model a little."
            )
        if request.split == "train":
            notes.append("These are the pictures that were trained on: the numbers say nothing about new ones.")
    given = [entry.name for entry in entries if entry.kind != "trained"]
    if given and trained:
        notes.append(f"Not trained here, so perhaps otherwise or longer: {', '.join(given)}.")
    return notes


def unscored_note(unmeasured: str) -> str:
    """Say which weights count where no epoch was scored."""
    return f"No epoch was scored ({unmeasured}), so of each training the last one counts."


def timing_facts(on: Mapping[str, Any]) -> dict[str, str]:
    """Return what the times were measured on and how; nothing where nothing was timed."""
    if not on:
        return {}
    width, height = on["picture"]
    return {
        "timed on": f"{on['device_name']} ({on['device']}), {counted(on['threads'], 'thread')}, {on['precision']}",
        "timed with": f"one picture of {width} × {height}, {on['runs']} times a model, one at a time",
    }


def training_facts(request: CompareRequest, entries: Sequence[Entry]) -> dict[str, str]:
    """Return budget, batch, input, seeds and the like of what is trained here; nothing where nothing is."""
    configs = [entry.config for entry in entries if entry.config is not None]
    if not configs:
        return {}
    minutes = {config.train.minutes for config in configs}
    epochs = {config.train.epochs for config in configs if config.train.minutes is None}
    budgets = [f"{several(epochs)} epochs"] if epochs else []
    budgets += [f"{several(minutes - {None})} minutes each"] if minutes != {None} else []
    return {
        "budget": " or ".join(budgets),
        "batch": several({config.train.batch for config in configs}),
        "input": f"{several({config.imgsz for config in configs})} pixels",
        "seeds": "; ".join(f"{e.name}: {', '.join(map(str, e.seeds))}" for e in entries if e.kind == "trained"),
        "weights": f"averaged, of the {request.take} epoch",
        "at a time": str(request.together),
        "overrides": " ".join(request.overrides) or "none",
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


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """The versions of installed packages by name."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
