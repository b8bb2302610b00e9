"""Writing the data set: labelled pictures as YOLO with a YAML, the others in a folder to be labelled."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lightdet.arrays import BoolArray
from lightdet.data.audit.pictures import check_pictures
from lightdet.data.convert_labels import FOLDERS, write_labels, yaml_text
from lightdet.data.dataset import DatasetSpec, SplitSpec
from lightdet.data.formats.label_file import MIN_SIDE
from lightdet.data.proposal_file import KeptProposal, KeptProposals, write_proposals
from lightdet.data.splits import alike_groups, draw_validation
from lightdet.errors import UserError
from lightdet.files import atomic_folder, make_folder, write_text
from lightdet.service.collecting.plan import Plan, Taken
from lightdet.structures import Annotation
from lightdet.wording import counted

TO_LABEL = "to_label"
"""The folder of pictures whose boxes are not known, within the data set's."""


@dataclass
class Collected:
    """What was written.

    Attributes:
        output: the folder.
        yaml: the data set's YAML; None: no picture has known boxes.
        splits: names of the pictures, by split.
        boxes: how many boxes, by split.
        to_label: the folder of the other pictures; None: there is none.
        notes: what a person should know, one line each.
    """

    output: Path
    yaml: Path | None = None
    splits: dict[str, list[str]] = field(default_factory=dict)
    boxes: dict[str, int] = field(default_factory=dict)
    to_label: Path | None = None
    notes: list[str] = field(default_factory=list)


def write_collection(
    plan: Plan,
    output: Path,
    *,
    val: float = 0.2,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Collected:
    """Write what was planned into the new folder `output`, all of it or nothing.

    Args:
        plan: which pictures, and their boxes.
        output: the folder; it is empty, or not there.
        val: share of the labelled pictures for validation, in [0, 1); look-alikes stay on one side.
        seed: the same seed draws the same pictures.
        progress: called with (pictures written, pictures in all).

    Raises:
        UserError: the folder is not empty or cannot be written, or a kept picture was changed or deleted meanwhile.
    """
    done = Collected(output)
    with atomic_folder(output) as folder:
        total, written = len(plan.taken), 0

        def place(each: Taken, target: Path) -> None:
            nonlocal written
            _copy(each, target)
            written += 1
            progress(written, total)

        if plan.labelled:
            _write_labelled(plan, folder, done, val, seed, place)
        if plan.to_label:
            _write_to_label(plan, folder / TO_LABEL, place)
            done.to_label = output / TO_LABEL
    return done


def _write_labelled(
    plan: Plan, folder: Path, done: Collected, val: float, seed: int, place: Callable[[Taken, Path], None]
) -> None:
    annotations = [_annotation(each, plan.classes) for each in plan.labelled]
    chosen = _drawn(annotations, val, seed, done)
    sides: dict[str, BoolArray] = {"train": ~chosen} | ({"val": chosen} if chosen.any() else {})
    name = re.sub(r"[^\w .+-]", "_", done.output.absolute().name).lstrip(" .+-")[:100] or "collected"
    spec = DatasetSpec(name, folder, "yolo", plan.classes, {side: SplitSpec(()) for side in sides})
    for side, here in sides.items():
        pictures = [each for each, inside in zip(plan.labelled, here, strict=True) if inside]
        mine = [each for each, inside in zip(annotations, here, strict=True) if inside]
        for each in pictures:
            place(each, folder / FOLDERS["yolo"][0] / side / each.name)
        pairs = [(each, PurePosixPath(each.image.name)) for each in mine]
        write_labels(folder, "yolo", side, pairs, spec)
        done.splits[side] = [each.name for each in pictures]
        done.boxes[side] = sum(len(each) for each in mine)
    write_text(folder / "classes.txt", "".join(f"{name}\n" for name in plan.classes))
    write_text(folder / "dataset.yaml", yaml_text(spec, "yolo"))
    done.yaml = done.output / "dataset.yaml"


def _annotation(each: Taken, classes: Sequence[str]) -> Annotation:
    boxes = each.truth.boxes or []
    width, height = each.seen.record["size"]
    corners = np.array([box["box"] for box in boxes], np.float32).reshape(-1, 4)
    labels = np.array([classes.index(box["name"]) for box in boxes], np.int64)
    return Annotation(each.path, (width, height), corners, labels)


def _drawn(annotations: Sequence[Annotation], val: float, seed: int, done: Collected) -> BoolArray:
    """Which pictures are for validation; none where there are too few."""
    none: BoolArray = np.zeros(len(annotations), np.bool_)
    if not val:
        return none
    checks = list(check_pictures([each.image for each in annotations]))
    for check in checks:
        if check.error is not None:
            raise check.error
    chosen = draw_validation(annotations, alike_groups(checks), val, seed)
    if chosen.all() or not chosen.any():
        what = counted(len(annotations), "labelled picture")
        done.notes.append(f"no split for validation: {what}, too few or too alike to draw one")
        return none
    return chosen


def _write_to_label(plan: Plan, folder: Path, place: Callable[[Taken, Path], None]) -> None:
    make_folder(folder)
    for each in plan.to_label:
        place(each, folder / each.name)
    proposed = {each.name: _proposals(each.seen.record) for each in plan.to_label}
    models = list(dict.fromkeys(each.seen.record["model"]["name"] for each in plan.to_label))
    write_proposals(folder, KeptProposals(", ".join(models), plan.classes, proposed))


def _proposals(record: dict[str, Any] | Any) -> list[KeptProposal]:
    found = []
    for each in record["detections"]:
        x1, y1, x2, y2 = each["box"]
        if min(x2 - x1, y2 - y1) >= MIN_SIDE:
            found.append(KeptProposal((x1, y1, x2, y2), each["name"], each["score"]))
    return found


def _copy(each: Taken, target: Path) -> None:
    try:
        data = each.path.read_bytes()
    except OSError as error:
        raise UserError(
            f"was deleted meanwhile, or cannot be read ({error.strerror}); start again", path=each.path
        ) from None
    if hashlib.sha256(data).hexdigest() != each.seen.sha256:
        raise UserError("was changed meanwhile; start again", path=each.path)
    make_folder(target.parent)
    target.write_bytes(data)
