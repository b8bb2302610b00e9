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

from lightdet.build.comparison.request import CompareRequest, Entry
from lightdet.build.comparison.scoring import Pictures
from lightdet.build.profiling import device_name
from lightdet.data.dataset import DatasetSpec

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
    sources = {entry.name: f"{_KINDS[entry.kind]} {entry.source}" for entry in entries}
    training = _training(request, entries)
    timing = {}
    if on:
        width, height = on["picture"]
        timing = {
            "timed on": f"{on['device_name']} ({on['device']}), {on['threads']} threads, {on['precision']}",
            "timed with": f"one picture of {width} × {height}, {on['runs']} times a model, one at a time",
        }
    made = {"on": _now(), "command": request.command, **_machine(), **_versions()}
    groups = {"Data": data, "Models": sources, "Training": training, "Timing": timing, "Made": made}
    return {title: group for title, group in groups.items() if group}


_KINDS = {"trained": "trained from", "weights": "weights", "predictions": "detections in"}


def details_of(request: CompareRequest, spec: DatasetSpec, pictures: Pictures, on: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same for the JSON, as plain values."""
    return {
        "date": _now(),
        "command": request.command,
        "data": {"name": spec.name, "split": request.split, "yaml": str(request.data), **pictures.mark},
        "weights": request.take,
        "timing": dict(on) or None,
        "machine": _machine(),
        "versions": _versions(),
    }


def notes_of(request: CompareRequest, entries: Sequence[Entry], pictures: Pictures) -> list[str]:
    """Return what a reader must know before comparing."""
    mark = pictures.mark
    notes = [
        f"{len(entries)} models, scored by the same code on the {mark['pictures']} pictures of the split "
        f"'{request.split}' ({mark['boxes']} boxes)."
    ]
    trained = [entry for entry in entries if entry.kind == "trained"]
    if trained:
        told = _training(request, trained)
        notes.append(f"Trained here: {told['budget']}, batch {told['batch']}, input {told['input']}.")
        if request.take == "last":
            notes.append("Of each training the last epoch's averaged weights count, not the epoch that scored best.")
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


def _training(request: CompareRequest, entries: Sequence[Entry]) -> dict[str, str]:
    configs = [entry.config for entry in entries if entry.config is not None]
    if not configs:
        return {}
    minutes = {config.train.minutes for config in configs}
    epochs = {config.train.epochs for config in configs if config.train.minutes is None}
    budgets = [f"{_several(epochs)} epochs"] if epochs else []
    budgets += [f"{_several(minutes - {None})} minutes each"] if minutes != {None} else []
    return {
        "budget": " or ".join(budgets),
        "batch": _several({config.train.batch for config in configs}),
        "input": f"{_several({config.imgsz for config in configs})} pixels",
        "seeds": "; ".join(f"{e.name}: {', '.join(map(str, e.seeds))}" for e in entries if e.kind == "trained"),
        "weights": f"averaged, of the {request.take} epoch",
        "at a time": str(request.together),
        "overrides": " ".join(request.overrides) or "none",
    }


def _several(values: set[Any]) -> str:
    return " or ".join(f"{value:g}" for value in sorted(values))


def _now() -> str:
    return datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")


def _machine() -> dict[str, str]:
    found = {"processor": f"{device_name(torch.device('cpu'))}, {os.cpu_count()} cores"}
    if torch.cuda.is_available():
        found["GPU"] = device_name(torch.device("cuda"))
    with suppress(AttributeError, ValueError, OSError):  # not on Windows
        found["memory"] = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    found["system"] = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return found


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
