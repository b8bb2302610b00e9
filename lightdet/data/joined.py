"""Several data sets as one, for a training: classes by name, no picture on both sides, nothing taken for background.

What a set does not list among its classes, nobody marked in its pictures. There the class is *unmarked*
(`lightdet.structures.Annotation.unmarked`): a validation does not count as a false alarm what may well be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lightdet.data.class_names import spelling_key
from lightdet.data.dataset import read_split, split_records
from lightdet.data.picture_digest import picture_digest
from lightdet.data.spec import DatasetSpec, OnError, SplitSpec
from lightdet.errors import UserError
from lightdet.wording import counted

TRAIN, VAL = "train", "val"
OLD_MODEL = "the old model"


@dataclass
class Reading:
    """The splits of a training, read; `notes` say what was taken from where."""

    train: list[Any]
    val: list[Any]
    skipped: list[UserError]
    notes: list[str] = field(default_factory=list)


def join(specs: Sequence[DatasetSpec], known: Sequence[str] = ()) -> DatasetSpec:
    """Return `specs` as one data set; a single one without other classes is returned as it is.

    Args:
        specs: of one task.
        known: classes that come first, whether a set has them or not: those of a model.

    Raises:
        UserError: names that differ only in case, spaces, ``-`` or ``_``; other significant bits of 16-bit pictures.
    """
    if len(specs) == 1 and tuple(known) in ((), specs[0].classes):
        return specs[0]
    first = specs[0]
    holders = [
        *([(OLD_MODEL, known)] if known else []),
        *zip(shown_names(specs), (s.classes for s in specs), strict=True),
    ]
    depths = {each.bit_depth: name for each, name in zip(specs, shown_names(specs), strict=True)}
    if len(depths) > 1:
        said = ", ".join(f"{depth} in {name}" for depth, name in depths.items())
        raise UserError(f"the sets have another bit_depth ({said}); one model can only take one: give both the same")
    lacking = [name for name, each in zip(shown_names(specs), specs, strict=True) if TRAIN not in each.splits]
    if lacking:
        raise UserError(f"there is no split '{TRAIN}' in {lacking[0]}: nothing to train on")
    splits = {
        name: SplitSpec((), declared=next(each.splits[name].declared for each in specs if name in each.splits))
        for name in (TRAIN, VAL)
        if any(name in each.splits for each in specs)
    }
    return DatasetSpec(
        name=" + ".join(each.name for each in specs),
        root=first.root,
        format=first.format,
        classes=_classes(holders),
        splits=splits,
        bit_depth=first.bit_depth,
        path=first.path,
        bad=tuple(dict.fromkeys(name for each in specs for name in each.bad)),
        notes=tuple(dict.fromkeys(line for each in specs for line in each.remarks())),
        members=tuple(specs),
    )


def shown_names(specs: Sequence[DatasetSpec]) -> list[str]:
    """What the sets are called in messages: their names, or where they are if two have the same."""
    names = [each.name for each in specs]
    return names if len(set(names)) == len(names) else [str(each.path or each.root) for each in specs]


def _classes(holders: Iterable[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """All class names in order, each once."""
    found: dict[str, tuple[str, str]] = {}
    for holder, names in holders:
        for name in names:
            before, where = found.setdefault(spelling_key(name), (name, holder))
            if before != name:
                raise UserError(
                    f"'{before}' of {where} and '{name}' of {holder} differ only in how they are written; one class "
                    "needs one name: rename it in one of them"
                )
    return tuple(name for name, _ in found.values())


def read_training_splits(spec: DatasetSpec, *, on_error: OnError) -> Reading:
    """Read ``train`` and ``val`` (if there is one) of a data set, joined or not.

    Of joined sets, a training picture that another set keeps for ``val`` or ``test`` is left out. A picture that two of
    them have in the same split is taken once: for the classes that the later set lists, its labels hold.

    Raises:
        UserError: as `lightdet.data.dataset.read_split`; nothing is left to train on.
    """
    if not spec.members:
        train, skipped = read_split(spec, TRAIN, on_error=on_error)
        val, more = read_split(spec, VAL, on_error=on_error) if VAL in spec.splits else ([], [])
        return Reading(train, val, skipped + more)
    parts = [_Part(spec, member, on_error) for member in spec.members]
    names = shown_names(spec.members)
    notes = [_apart(parts, names, place) for place in range(len(parts))]
    split = {name: _once(name, parts, names, notes) for name in (TRAIN, VAL)}
    if not split[TRAIN]:
        raise UserError("every picture to train on is kept for validation or testing by another set", path=spec.path)
    told = "; ".join(
        f"{split_name}: "
        + " + ".join(f"{counted(len(part.truths[split_name]), 'picture')} of {name}" for part, name in at)
        for split_name in (TRAIN, VAL)
        if (at := [pair for pair in zip(parts, names, strict=True) if pair[0].truths[split_name]])
    )
    skipped = [error for part in parts for error in part.skipped]
    return Reading(split[TRAIN], split[VAL], skipped, [f"joined, {told}", *(note for note in notes if note)])


class _Part:
    """One of the joined sets: its labelled pictures, in the classes of all."""

    def __init__(self, spec: DatasetSpec, member: DatasetSpec, on_error: OnError) -> None:
        order = [spec.classes.index(name) for name in member.classes]
        self.marked = frozenset(order)
        unmarked = [label for label in range(len(spec.classes)) if label not in self.marked]
        self.member = member
        self.skipped: list[UserError] = []
        self.truths: dict[str, list[Any]] = {TRAIN: [], VAL: []}
        for name in (TRAIN, VAL):
            if name in member.splits:
                found, skipped = read_split(member, name, on_error=on_error)
                self.truths[name] = [each.renumbered(order, unmarked) for each in found]
                self.skipped += skipped

    def kept_apart(self) -> list[Path]:
        """The pictures that are not for training: of every other split."""
        others = [name for name in self.member.splits if name not in (TRAIN, VAL)]
        tested = [record.image for name in others for record in split_records(self.member, name)[0]]
        return [*(each.image for each in self.truths[VAL]), *tested]


def _same(first: Iterable[Path], second: Iterable[Path]) -> dict[Path, Path]:
    """The pictures of `first` that are also in `second`, byte for byte, with what they are called there."""
    sizes: dict[int, list[Path]] = {}
    for path in second:
        sizes.setdefault(_bytes(path), []).append(path)
    digests: dict[Path, str] = {}

    def digest(path: Path) -> str:
        if path not in digests:
            digests[path] = picture_digest(path)
        return digests[path]

    found = {}
    for path in first:
        twin = next((other for other in sizes.get(_bytes(path), ()) if digest(other) == digest(path)), None)
        if twin is not None:
            found[path] = twin
    return found


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # told when the picture is read
        return -1


def _apart(parts: Sequence[_Part], names: Sequence[str], place: int) -> str:
    """Leave out the training pictures of a set that another one keeps apart, and say so; empty if there are none."""
    part = parts[place]
    kept = [path for other in parts if other is not part for path in other.kept_apart()]
    seen = _same([each.image for each in part.truths[TRAIN]], kept)
    if not seen:
        return ""
    part.truths[TRAIN] = [each for each in part.truths[TRAIN] if each.image not in seen]
    first, twin = next(iter(seen.items()))
    return (
        f"{counted(len(seen), 'picture')} to train on of {names[place]} left out, because another set keeps the same "
        f"for validation or testing (first: {first}, as {twin})"
    )


def _once(split: str, parts: Sequence[_Part], names: Sequence[str], notes: list[str]) -> list[Any]:
    """The pictures of a split of all sets, each once, with the labels of the later set where two have it."""
    found: dict[Path, Any] = {}
    for part, name in zip(parts, names, strict=True):
        again = _same([each.image for each in part.truths[split]], list(found))
        kept = []
        for truth in part.truths[split]:
            twin = again.get(truth.image)
            if twin is None:
                kept.append(truth)
                continue
            found[twin] = found[twin].corrected(replace(truth, image=twin), part.marked)
        found |= {truth.image: truth for truth in kept}
        if again:
            notes.append(
                f"{counted(len(again), 'picture')} of {name} ({split}) also in a set before: taken once, and for the "
                f"classes of {name} its labels hold (first: {next(iter(again))})"
            )
        part.truths[split] = kept
    return list(found.values())
