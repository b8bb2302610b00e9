"""Going through the records: which pictures are wanted, each once, with all that was said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightdet.decisions import DecisionRule
from lightdet.service.collecting.truth import Truth, truth_of
from lightdet.service.csv_rows import decision


@dataclass(frozen=True)
class Wanted:
    """Which inspections; those that any of these asks for.

    Attributes:
        what: ``corrected``, ``ng``, ``uncertain`` or ``all``, several together.
        band: a verdict is uncertain if it would change with every threshold lower or higher by this.
        picked: ids of further inspections.
        model: only those of this model: its name, version or whole SHA-256; None: of any.
    """

    what: frozenset[str] = frozenset({"corrected"})
    band: float = 0.1
    picked: frozenset[str] = frozenset()
    model: str | None = None

    def chooses(self, record: Mapping[str, Any]) -> bool:
        """Whether this inspection is asked for."""
        return (
            record["id"] in self.picked
            or ("all" in self.what and record["original"] is not None)
            or ("ng" in self.what and decision(record) == "NG")
            or ("corrected" in self.what and truth_of(record["corrections"]).corrected)
            or ("uncertain" in self.what and is_uncertain(record, self.band))
        )


def is_uncertain(record: Mapping[str, Any], band: float) -> bool:
    """Whether the verdict would change if every threshold were lower or higher by `band`; False if there is none."""
    if decision(record) == "none":
        return False
    rule = DecisionRule.from_dict(record["rule"])
    return rule.shifted(-band).passes(record["detections"]) != rule.shifted(band).passes(record["detections"])


@dataclass
class Seen:
    """A picture of the records; of one that was inspected several times, the newest inspection.

    Attributes:
        sha256: of its file.
        record: the newest inspection of those asked for, or of those corrected where none was asked for yet.
        originals: names of its file in the folder of kept pictures, of whichever inspection, the newest first.
        corrections: of all its inspections.
        chosen: how many of its inspections are asked for.
    """

    sha256: str
    record: Mapping[str, Any]
    originals: list[str] = field(default_factory=list)
    corrections: list[Mapping[str, Any]] = field(default_factory=list)
    chosen: int = 0

    @property
    def truth(self) -> Truth:
        """What its corrections say."""
        return truth_of(self.corrections)


@dataclass
class Gathered:
    """What the records hold.

    Attributes:
        inspections: how many were looked at, of the model asked for.
        corrected: how many of them were corrected.
        classified: how many were judged by a classifier, which draws no boxes.
        pictures: those asked for, corrected ones first, then the newest first.
        labels: by class name, the lowest number that a model gave it.
        not_found: ids that were picked and are not among the inspections looked at, sorted.
    """

    inspections: int = 0
    corrected: int = 0
    classified: int = 0
    pictures: list[Seen] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    not_found: list[str] = field(default_factory=list)


def gather(
    records: Iterable[Mapping[str, Any]],
    wanted: Wanted,
    originals_of: Callable[[Sequence[str]], Mapping[str, list[str]]],
) -> Gathered:
    """Go through `records`, the oldest first.

    `originals_of` is `Store.originals_of`: another inspection of a picture, not asked for, may be the one that kept it.
    """
    found = Gathered()
    seen: dict[str, Seen] = {}
    not_found = set(wanted.picked)
    for record in records:
        if wanted.model is not None and wanted.model not in _names_of(record["model"]):
            continue
        found.inspections += 1
        not_found.discard(record["id"])
        if "bad" in record["rule"]:
            found.classified += 1
            continue
        for each in record["detections"]:
            found.labels[each["name"]] = min(each["label"], found.labels.get(each["name"], each["label"]))
        corrected, chosen = truth_of(record["corrections"]).corrected, wanted.chooses(record)
        found.corrected += corrected
        if corrected or chosen:
            _add(seen, record, chosen)
    found.not_found = sorted(not_found)
    chosen_ones = [each for each in seen.values() if each.chosen]
    found.pictures = sorted(chosen_ones, key=lambda each: (each.truth.corrected, each.record["id"]), reverse=True)
    names = originals_of([each.sha256 for each in found.pictures])
    for each in found.pictures:
        each.originals = names.get(each.sha256, [])
    return found


def _add(seen: dict[str, Seen], record: Mapping[str, Any], chosen: bool) -> None:
    each = seen.setdefault(record["sha256"], Seen(record["sha256"], record))
    if chosen or not each.chosen:
        each.record = record
    each.chosen += chosen
    each.corrections += record["corrections"]


def _names_of(model: Mapping[str, Any]) -> Sequence[Any]:
    return model["name"], model["version"], model["sha256"]
