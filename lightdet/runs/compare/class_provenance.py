"""What the page and the JSON say of how a comparison of classifiers was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightdet.config.classification import ClassifyConfig
from lightdet.data.dataset import DatasetSpec
from lightdet.runs.compare.provenance import (
    KINDS,
    machine,
    now,
    several,
    timing_facts,
    training_facts,
    unscored_note,
    versions,
)
from lightdet.runs.compare.request import CompareRequest, Entry
from lightdet.wording import counted

PACKAGES = ("lightdet", "torch", "torchvision", "numpy", "scikit-learn")
Marks = Mapping[str, Mapping[str, Any]]
"""By split, as `lightdet.runs.compare.plan.class_fingerprint` gives them."""


def class_facts_of(
    request: CompareRequest, spec: DatasetSpec, entries: Sequence[Entry], marks: Marks, on: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Return groups of facts for the page's end; `on` is what the times were measured on."""
    data = {"name": spec.name, **{split: _pictures(mark, spec) for split, mark in marks.items()}}
    data |= {"classes": ", ".join(spec.classes), "description": str(request.data)}
    networks = {entry.name: f"{KINDS[entry.kind]} {entry.source}" for entry in entries}
    training = training_facts(request, entries)
    if training:
        training["weights"] = f"of the {request.take} epoch"
    made = {"on": now(), "command": request.command, **machine(), **versions(PACKAGES)}
    groups = {"Data": data, "Networks": networks, "Training": training, "Timing": timing_facts(on), "Made": made}
    return {title: group for title, group in groups.items() if group}


def class_details_of(request: CompareRequest, spec: DatasetSpec, marks: Marks, on: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same for the JSON, as plain values."""
    return {
        "date": now(),
        "command": request.command,
        "data": {"name": spec.name, "yaml": str(request.data), "splits": {k: dict(v) for k, v in marks.items()}},
        "weights": request.take,
        "timing": dict(on) or None,
        "machine": machine(),
        "versions": versions(PACKAGES),
    }


def class_notes_of(
    request: CompareRequest, entries: Sequence[Entry], marks: Marks, unmeasured: str | None = None
) -> list[str]:
    """Return what a reader must know before comparing; `unmeasured`: why no epoch of a training was scored."""
    counts = ", ".join(f"{mark['pictures']} in {split}" for split, mark in marks.items())
    levels = {e.config.eval.intervals for e in entries if isinstance(e.config, ClassifyConfig)} or {0.95}
    notes = [
        f"{counted(len(entries), 'network')}, scored by the same code on the same pictures ({counts}); short tables "
        f"and charts show '{request.split}'. Intervals hold the true value with {several({100 * v for v in levels})} % "
        "confidence."
    ]
    trained = [entry for entry in entries if entry.kind == "trained"]
    if trained:
        told = training_facts(request, trained)
        notes.append(f"Trained here: {told['budget']}, batch {told['batch']}, input {told['input']}.")
        if request.take == "last":
            notes.append("Of each training the last epoch's weights count, not the epoch that scored best.")
        elif unmeasured is not None:
            notes.append(unscored_note(unmeasured))
        else:
            flatters = " It was chosen on these pictures, which flatters every network a little."
            shown = request.split == "val"
            notes.append(f"Of each training the best epoch on 'val' counts.{flatters if shown else ''}")
    if request.split == "train":
        notes.append("'train' holds the pictures that were trained on: its numbers say nothing about new ones.")
    given = [entry.name for entry in entries if entry.kind != "trained"]
    if given and trained:
        notes.append(f"Not trained here, so perhaps otherwise or longer: {', '.join(given)}.")
    return notes


def _pictures(mark: Mapping[str, Any], spec: DatasetSpec) -> str:
    each = ", ".join(f"{count} {name}" for count, name in zip(mark["classes"], spec.classes, strict=True))
    return f"{mark['pictures']} pictures ({each})"
