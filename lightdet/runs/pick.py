"""A folder of unlabelled pictures → those to label next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.assembly.dataset import load_dataset
from lightdet.data.audit.duplicates import near_pairs
from lightdet.data.dataset import read_split
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.inference.source import Source, printable
from lightdet.inference.sources import expand_sources
from lightdet.picking.core_set import choose
from lightdet.picking.looks import LOWEST_SCORE, Look, has_features, look
from lightdet.picking.scores import ranks
from lightdet.runs.load import load
from lightdet.storage.kept import shown_path
from lightdet.storage.urls import as_url
from lightdet.tasks import require_detector
from lightdet.wording import counted


@dataclass(frozen=True)
class Picked:
    """The pictures to label next, best first.

    Attributes:
        entries: per picture its path, how much it is expected to teach (0-1 among the unlabelled ones), and what that
            comes from.
        pool: how many unlabelled pictures there were; `labelled`: how many labelled ones were compared with.
        skipped: path and reason for each picture that could not be read.
        notes: what to know about the choice.
    """

    entries: list[dict[str, Any]]
    pool: int
    labelled: int
    skipped: list[tuple[str, str]]
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON."""
        skipped = [{"path": path, "error": error} for path, error in self.skipped]
        counts = {"pool": self.pool, "labelled": self.labelled}
        return {**counts, "picked": self.entries, "skipped": skipped, "notes": self.notes}


def pick(
    sources: Sequence[str],
    weights: Path,
    count: int,
    *,
    data: str | Path | None = None,
    recursive: bool = False,
    skip_broken: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Picked:
    """Choose the `count` pictures of `sources` that a detector would learn most from.

    A picture counts by how unsure the detector is of it and by how much its answers for the picture and for its mirror
    image differ, then by its distance from labelled and chosen pictures in the network's features. Look-alikes of a
    labelled or chosen picture are left out.

    Args:
        sources: pictures, folders, patterns or lists; also by URL and in archives.
        weights: the detector's model file.
        count: how many to choose.
        data: YAML of the labelled pictures; those among `sources` are not chosen.
        recursive: search sub-folders too.
        skip_broken: leave out pictures that cannot be read, instead of raising.
        progress: called with (pictures looked at, pictures in all).

    Raises:
        UserError: a classifier, a source that is missing or not a picture, a picture that cannot be read, nothing left
            to choose from.
    """
    require_detector(weights, "pictures are picked with a detector")
    known = _labelled(data)
    pool = _pool(sources, recursive, {_identity(path) for path in known})
    predictor = load(weights, confidence=LOWEST_SCORE, no_promise=True)
    own = has_features(predictor)
    if own:
        predictor.runtime.as_trained()  # the rewritten network has other modules
    seen = _look_at([*pool, *known], predictor, skip_broken, progress)
    if seen.unlabelled == 0:
        raise UserError("no unlabelled picture can be read")
    entries = _entries(seen.names, seen.looks, seen.unlabelled, count)
    notes = [] if own else ["an export cannot be asked for its features: distances are those of thumbnails"]
    if len(entries) < count:
        all_of = counted(seen.unlabelled, "unlabelled picture")
        notes.append(f"{len(entries)} of {all_of} picked; the others look like a labelled or a picked one")
    return Picked(entries, seen.unlabelled, len(seen.names) - seen.unlabelled, seen.skipped, notes)


@dataclass
class _Seen:
    """Names and looks of the pictures that could be read, the unlabelled ones first."""

    names: list[str] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    unlabelled: int = 0


def _look_at(
    candidates: Sequence[Source | Path], predictor: Any, skip_broken: bool, progress: Callable[[int, int], None]
) -> _Seen:
    seen, bit_depth = _Seen(), predictor.preprocessing.bit_depth
    for done, source in enumerate(candidates, start=1):
        name = source.name if isinstance(source, Source) else printable(source)
        try:
            whole = source.whole if isinstance(source, Source) else partial(read_image, source)
            seen.looks.append(look(predictor, whole(bit_depth=bit_depth)))
        except UserError as error:
            if not skip_broken:
                raise
            seen.skipped.append((name, str(error)))
            continue
        seen.names.append(name)
        seen.unlabelled += isinstance(source, Source)
        progress(done, len(candidates))
    return seen


def _entries(names: Sequence[str], looks: Sequence[Look], pool: int, count: int) -> list[dict[str, Any]]:
    """The choice from the first `pool` looks; the others are labelled."""
    unsure = np.array([each.uncertainty for each in looks[:pool]])
    differing = np.array([each.disagreement for each in looks[:pool]])
    teaching: AnyArray = (ranks(unsure) + ranks(differing)) / 2
    twins: dict[int, list[int]] = defaultdict(list)
    for first, second in np.concatenate([np.empty((2, 0), np.int64), *near_pairs(_thumbnails(looks))], axis=1).T:
        twins[int(first)].append(int(second))
        twins[int(second)].append(int(first))
    free = [index for index in range(pool) if all(other < pool for other in twins[index])]
    place = {index: number for number, index in enumerate(free)}
    among = {place[i]: [place[other] for other in twins[i] if other in place] for i in free}
    features = np.stack([each.features for each in looks])
    chosen = choose(teaching[free], features[free], features[pool:], among, count)
    return [
        {
            "path": names[free[number]],
            "teaches": round(float(teaching[free[number]]), 4),
            "uncertainty": round(looks[free[number]].uncertainty, 4),
            "disagreement": round(looks[free[number]].disagreement, 4),
            "boxes": looks[free[number]].boxes,
        }
        for number in chosen
    ]


def _thumbnails(looks: Sequence[Look]) -> AnyArray:
    return np.stack([each.thumbnail for each in looks])


def _identity(path: str | Path) -> str:
    """What a picture is known by: of one in a store its URL, also where a copy of the data set is looked at."""
    shown = shown_path(path)
    return shown if as_url(shown) is not None else str(Path(path).resolve())


def _labelled(data: str | Path | None) -> list[Path]:
    if data is None:
        return []
    spec = load_dataset(data)
    return list(dict.fromkeys(each.image for split in spec.splits for each in read_split(spec, split)[0]))


def _pool(sources: Sequence[str], recursive: bool, known: set[str]) -> list[Source]:
    found = list(expand_sources(sources, recursive=recursive, stored=True))
    other = next((source for source in found if source.kind != "picture"), None)
    if other is not None:
        raise UserError(f"is a {other.kind}; only pictures can be picked", path=other.name)
    places = [each.target if isinstance(each.target, Path) else each.name for each in found]
    pool = [each for each, place in zip(found, places, strict=True) if _identity(place) not in known]
    if not pool:
        raise UserError("every picture of the sources is labelled already")
    return pool
