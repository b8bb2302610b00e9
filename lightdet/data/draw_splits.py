"""Train, validation and test splits drawn again, as lists: no picture is copied, the data set is not changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from lightdet.arrays import IntArray
from lightdet.data.audit.pictures import check_pictures
from lightdet.data.dataset import DatasetSpec, OnError, read_split
from lightdet.data.formats.folders import class_of_path
from lightdet.data.paths import below_root
from lightdet.data.scanning import list_text
from lightdet.data.splits import alike_groups, draw_share, told_left_out, unlike_kept
from lightdet.errors import UserError
from lightdet.files import make_folder, refuse_filled, write_text
from lightdet.structures import ImageLabel

LIST_NAME = "drawn-{}.txt"
"""Not just ``train.txt``: many data sets have a list with that name, which would be found first."""


@dataclass
class DrawnSplits:
    """The result of a draw.

    Attributes:
        yaml: the new data set's YAML, beside its lists.
        classes: the class names.
        counts: pictures by class, int64 ``[C]``, of each split.
        groups: groups of similar pictures, each within one split.
        largest: pictures in the largest group.
        notes: what was missing.
        skipped: what was left out of the source with ``on_error="skip"``.
    """

    yaml: Path
    classes: tuple[str, ...]
    counts: dict[str, IntArray] = field(default_factory=dict)
    groups: int = 0
    largest: int = 0
    notes: list[str] = field(default_factory=list)
    skipped: list[UserError] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Return plain values ready for JSON."""
        return {
            "yaml": str(self.yaml),
            "splits": {
                name: {"pictures": int(counts.sum()), "classes": dict(zip(self.classes, counts.tolist(), strict=True))}
                for name, counts in self.counts.items()
            },
            "groups": self.groups,
            "largest_group": self.largest,
            "notes": self.notes,
            "skipped": [str(error) for error in self.skipped],
        }


def draw_splits(
    spec: DatasetSpec,
    output: Path,
    *,
    val: float,
    test: float = 0.0,
    seed: int = 0,
    on_error: OnError = "fail",
    progress: Callable[[int, int], None] | None = None,
) -> DrawnSplits:
    """Split the pictures of all splits but ``test`` into ``train`` and ``val``, and with `test` also into ``test``.

    Classes are spread evenly; copies and near copies stay in one split, and those of a ``test`` that is kept are left
    out, with a note.
    Writes one list per split and ``dataset.yaml`` (last, so a folder with one is complete) into `output`.

    Args:
        spec: a data set that gives each picture one class.
        output: a folder that is empty or does not exist.
        val, test: shares (0-1) of the pictures that are drawn; a ``test`` split of the source is kept as it is.
        seed: the same seed draws the same pictures.
        on_error: stop at a fault in the source, or leave the picture out and list it.
        progress: called with (pictures decoded, pictures in all).

    Raises:
        UserError: a data set of boxes, a fault in the source, a ``test`` share beside a ``test`` split, an output
            that is not empty.
    """
    if spec.label_kind == "boxes":
        raise UserError("marks boxes: split it with 'lightdet data convert --val'", path=spec.path)
    if val + test >= 1.0:
        raise UserError(f"--val {val:g} and --test {test:g} leave nothing to train on; use smaller shares")
    if test and "test" in spec.splits:
        raise UserError("the data set has a split 'test', which is kept: leave out --test", path=spec.path)
    refuse_filled(output)
    done = DrawnSplits(output / "dataset.yaml", spec.classes, notes=spec.remarks())
    pool, kept = _read(spec, done, on_error)
    pool, kept, groups = _groups(pool, kept, done, on_error, progress)
    parts = {"train": pool, "val": [], "test": kept} if kept else {"train": pool, "val": []}
    if test:
        parts["train"], groups, parts["test"] = _drawn(pool, groups, test, seed)
    parts["train"], _, parts["val"] = _drawn(parts["train"], groups, val / (1.0 - test), seed + 1)
    for name, labels in parts.items():
        counts = np.bincount([each.label for each in labels], minlength=len(spec.classes))
        done.counts[name] = counts.astype(np.int64)
        if not labels:
            raise UserError(
                f"nothing is left for '{name}': {done.groups} groups of pictures that resemble each other, the "
                f"largest of {done.largest}; take other shares, or list the pictures by hand",
                path=spec.path,
            )
    refuse_filled(output)  # again: decoding takes minutes, in which another run may have written here
    _write(spec, output, parts)
    return done


def _read(spec: DatasetSpec, done: DrawnSplits, on_error: OnError) -> tuple[list[ImageLabel], list[ImageLabel]]:
    """The pictures to draw from, each once, and those of ``test``."""
    pool: dict[Path, ImageLabel] = {}
    kept: list[ImageLabel] = []
    for name in spec.splits:
        labels, skipped = read_split(spec, name, on_error=on_error)
        done.skipped += skipped
        if name == "test":
            kept = labels
        else:
            pool |= {each.image: each for each in labels}
    for each in kept:
        pool.pop(each.image, None)
    if not pool:
        raise UserError("there is no split but 'test'; name the pictures to draw from as 'train'", path=spec.path)
    return list(pool.values()), kept


def _groups(
    pool: list[ImageLabel],
    kept: list[ImageLabel],
    done: DrawnSplits,
    on_error: OnError,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[ImageLabel], list[ImageLabel], IntArray]:
    """Leave out what cannot be decoded or resembles what is kept, and give similar pictures the same group number."""
    checks = list(check_pictures([each.image for each in (*pool, *kept)], progress))
    for check in checks:
        if check.error is not None:
            if on_error == "fail":
                raise check.error
            done.skipped.append(check.error)
    good = [index for index, check in enumerate(checks) if check.error is None]
    if not good:
        raise UserError(f"no picture can be read; the first: {done.skipped[-1]}")
    groups = alike_groups([checks[index] for index in good])
    left = [pool[index] for index in good if index < len(pool)]
    kept = [kept[index - len(pool)] for index in good if index >= len(pool)]
    free = unlike_kept(groups, len(kept))
    done.notes += told_left_out(free)
    if not free.any():
        raise UserError("every picture to draw from looks like one of 'test', which is kept; nothing is left")
    groups = groups[: len(left)][free]
    sizes = np.unique(groups, return_counts=True)[1]
    done.groups, done.largest = len(sizes), int(sizes.max())
    return [each for each, out in zip(left, free, strict=True) if out], kept, groups


def _drawn(
    pool: Sequence[ImageLabel], groups: IntArray, share: float, seed: int
) -> tuple[list[ImageLabel], IntArray, list[ImageLabel]]:
    """Split `pool`: what stays, its groups, and what is drawn."""
    chosen = draw_share([np.array([each.label], np.int64) for each in pool], groups, share, seed)
    stays = [each for each, out in zip(pool, chosen, strict=True) if not out]
    return stays, groups[~chosen], [each for each, out in zip(pool, chosen, strict=True) if out]


def _write(spec: DatasetSpec, output: Path, parts: dict[str, list[ImageLabel]]) -> None:
    make_folder(output)
    root = spec.root.resolve()
    for name, labels in parts.items():
        lines = sorted(list_line(each, spec, root) for each in labels)
        write_text(output / LIST_NAME.format(name), list_text(lines))
    described = {
        "name": spec.name,
        "root": str(root),
        "format": "folders",
        "classes": list(spec.classes),
        **({"bad": list(spec.bad)} if spec.bad else {}),
        "splits": {name: LIST_NAME.format(name) for name in parts},
        **({"bit_depth": spec.bit_depth} if spec.bit_depth != 16 else {}),
    }
    write_text(output / "dataset.yaml", yaml.safe_dump(described, sort_keys=False, allow_unicode=True))


def list_line(each: ImageLabel, spec: DatasetSpec, root: Path) -> str:
    """The path below the root, followed by the class if no folder of that path gives it."""
    shown = below_root(each.image, spec.root)
    told = class_of_path(root / shown, root, root, spec.classes)
    return shown if told == each.label else f"{shown}\t{spec.classes[each.label]}"
