"""Tables of models that differ in one thing only: the place of the attention (the paper's Table 4), the gate, …"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightdet.comparison.paper_tables import class_cells, mean, percent
from lightdet.comparison.results import Model
from lightdet.comparison.tables import Row, Table

Flat = dict[str, Any]


@dataclass(frozen=True)
class Facet:
    """Keys that together are one setting to vary.

    Attributes:
        keys: dotted, of the configuration; a model without the first of them does not have this setting.
        label: a model's setting, from those keys' values and its input size.
    """

    key: str
    title: str
    head: str
    keys: tuple[str, ...]
    label: Callable[[Flat, int], str]


def ablation_tables(models: Sequence[Model], classes: Sequence[str]) -> list[Table]:
    """Return a table for each setting that is the only difference between some of the models.

    Models belong together if their configurations are equal except for that setting; for weights, only the network
    is known, and they are compared only with weights. Table 4 comes first.
    """
    known = {model.name: _effective(model.settings) for model in models if model.runs and model.settings}
    named = {key for facet in FACETS for key in facet.keys}
    others = sorted({key for flat in known.values() for key in flat} - named - IGNORED - NAMES)
    facets = [*FACETS, *(_single(key) for key in others)]
    tables = []
    for facet in facets:
        groups = _groups([model for model in models if model.name in known], known, facet)
        for number, group in enumerate(groups):
            rows = []
            for model in group:
                label = facet.label(known[model.name], int(known[model.name]["imgsz"]))
                rows.append(Row(f"{label} ({model.name})", (*class_cells(model, classes), mean(model, "map50"))))
            columns = (*(percent(name, name) for name in classes), percent("map50", "mAP@0.5 %"))
            key = facet.key if number == 0 else f"{facet.key}_{number + 1}"
            note = "AP of each class at overlap 0.5, %. These models differ in nothing else."
            tables.append(Table(key, facet.title, facet.head, columns, tuple(rows), note))
    return tables


def _groups(models: Sequence[Model], known: Mapping[str, Flat], facet: Facet) -> list[list[Model]]:
    """Models alike in everything but the facet, if there are at least two different ones."""
    groups: dict[str, list[Model]] = {}
    for model in models:
        flat = known[model.name]
        if facet.keys[0] in flat:
            rest = {key: value for key, value in flat.items() if key not in facet.keys and key not in IGNORED}
            groups.setdefault(json.dumps(rest, sort_keys=True), []).append(model)
    found = []
    for group in groups.values():
        different = {facet.label(known[model.name], int(known[model.name]["imgsz"])) for model in group}
        if len(different) > 1:
            found.append(group)
    return found


def _effective(settings: Mapping[str, Any]) -> Flat:
    """The keys that count: a training ends after its minutes, if it has some, and otherwise after its epochs."""
    flat = _flat(settings)
    flat.pop("train.minutes" if flat.get("train.minutes") is None else "train.epochs", None)
    return flat


def _flat(settings: Mapping[str, Any], above: str = "") -> Flat:
    flat: Flat = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}{key}.")
        else:
            flat[f"{above}{key}"] = value
    return flat


NETWORK = ("task", "model", "loss")
"""All other sections are the recipe."""
CLASS_LOSS = ("loss.label_smoothing", "loss.class_weights")
"""For detectors the loss belongs to the network, and is in the ablations."""
IGNORED = {
    f"train.{key}" for key in ("seed", "workers", "threads", "pools", "channels_last", "probe", "cache", "cache_mib")
}
"""Keys that change no result, or differ in every run."""


NAMES = {"model.name"}
"""Another name is another network, however similar the rest."""


def _grids(strides: Sequence[int], imgsz: int) -> str:
    """``76×76, 19×19`` for the strides 8 and 32 at 608 pixels."""
    sides = [imgsz // stride for stride in sorted(strides)]
    return ", ".join(f"{side}×{side}" for side in sides) or "none"


def _attention(flat: Flat, imgsz: int) -> str:
    strides = flat["model.attention_at"]
    everywhere = set(strides) == set(flat["model.heads_at"])
    return f"all: {_grids(strides, imgsz)}" if everywhere else _grids(strides, imgsz)


def _heads(flat: Flat, imgsz: int) -> str:
    return _grids(flat["model.heads_at"], imgsz)


def _gate(flat: Flat, imgsz: int) -> str:
    strides = flat["model.gate_at"]
    kinds = {"scalar": "one number", "channel": "one per channel", "input": "from the input"}
    kind = str(flat.get("model.gate"))
    return f"{kinds.get(kind, kind)}, at {_grids(strides, imgsz)}" if strides else "off"


def _block(flat: Flat, _: int) -> str:
    name = str(flat["model.backbone_block"])
    return {"spp_residual": "residual SPP", "spp": "SPP", "csp": "CSP1_X"}.get(name, name)


def _box(flat: Flat, _: int) -> str:
    name = str(flat["loss.box_iou"])
    return {"giou": "GIoU", "ciou": "CIoU"}.get(name, name)


FACETS = (
    Facet("table4", "Table 4. Where the attention is placed", "grids with CBAM", ("model.attention_at",), _attention),
    Facet("gate", "The gate", "gate", ("model.gate_at", "model.gate"), _gate),
    Facet("heads", "The grids", "grids", ("model.heads_at",), _heads),
    Facet("backbone", "The backbone's block", "block", ("model.backbone_block",), _block),
    Facet("box_loss", "The box's loss", "loss", ("loss.box_iou",), _box),
)


def _single(key: str) -> Facet:
    """Any other key in which models differ."""

    def label(flat: Flat, _: int) -> str:
        return _shown(flat[key])

    return Facet(key.replace(".", "_"), f"What {key} changes", key, (key,), label)


def _shown(value: Any) -> str:
    """A value in a table; an unset value is lightdet's choice."""
    return "default" if value is None else str(value)


def training_differences(models: Sequence[Model]) -> list[tuple[str, list[str]]]:
    """Return the keys of recipe and input that the trained models differ in, with each one's value (or a dash)."""
    flats = [_effective(model.settings) for model in models]
    keys = sorted({key for flat in flats for key in flat})
    absent = {
        key for key in keys if any(other.startswith(f"{key}.") for other in keys)
    }  # a section that only some have
    found = []
    for key in keys:
        if key in IGNORED | absent or (key.split(".")[0] in NETWORK and key not in CLASS_LOSS):
            continue
        values = [_shown(flat[key]) if key in flat else "–" for flat in flats]
        if len(set(values)) > 1:
            found.append((key, values))
    return found
