"""A data set and a detector, or a finished cross-validation → the labels that are probably wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from lightdet.arrays import IntArray
from lightdet.data.audit.label_doubts import DoubtedLabels, LabelDoubt
from lightdet.data.dataset import read_split
from lightdet.data.fold_file import read_folds
from lightdet.data.paths import below_root
from lightdet.data.spec import DatasetSpec
from lightdet.errors import UserError
from lightdet.evaluation.label_doubts import LOWEST_SCORE, Doubt, label_doubts
from lightdet.evaluation.matching import overlaps
from lightdet.runs.crossval.held_out import FILE_NAME
from lightdet.runs.crossval.plan import FOLDS_NAME
from lightdet.runs.for_model import PicturesForModel
from lightdet.runs.kept_plan import PLAN_NAME
from lightdet.runs.load import load
from lightdet.runs.read_ahead import decoded
from lightdet.storage.kept import shown_path
from lightdet.structures import Annotation, Detections
from lightdet.tasks import DETECTION, require_boxes, require_detector
from lightdet.wording import counted

BATCH = 16
FLATTERED = (
    "if these weights were trained on these pictures, they have learned the wrong labels too and doubt few of them: "
    "'lightdet crossval' judges every picture with a model that has not seen it; give its folder to --weights"
)
Answers = Mapping[str, Detections]
"""What was found in each picture, by its name below the data set's root."""


def doubt_labels(
    spec: DatasetSpec,
    weights: Path,
    most: int,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DoubtedLabels:
    """Compare the labels of all splits with what a detector finds in the same pictures.

    Splits that cannot be read are left out, with a note.

    Args:
        spec: a data set of boxes.
        weights: a model file, or the folder of a finished cross-validation: then every picture is judged by the model
            that has not seen it.
        most: how many to return.
        progress: called with (pictures looked at, pictures in all).

    Raises:
        UserError: a data set or a model that gives each picture a class; no class in common; a folder without the
            findings of a cross-validation, or with those of other pictures.
    """
    require_boxes(spec, "--weights doubts boxes")
    truths, left_out = _truths(spec)
    if not truths:
        return DoubtedLabels(shown_path(weights), [], 0, left_out)
    if weights.is_dir():
        answers, names = _held_out(weights, spec)
        notes = [*left_out, f"every picture was judged by a model that has not seen it ({weights})"]
    else:
        answers, names = _asked(weights, spec, {name: truth for name, (_, truth) in truths.items()}, progress)
        notes = [*left_out, FLATTERED]
    judged = [name for name in truths if name in answers]
    if not judged:
        raise UserError("holds no findings in the pictures of this data set", path=weights)
    if len(judged) < len(truths):
        notes.append(f"{counted(len(truths) - len(judged), 'picture')} could not be judged")
    known = [name in names for name in spec.classes]
    if not all(known):
        unknown = ", ".join(name for name, there in zip(spec.classes, known, strict=True) if not there)
        notes.append(f"not doubted, because the model does not know them: {unknown}")
    doubts = label_doubts([truths[name][1] for name in judged], [answers[name] for name in judged], known)
    first = [_told(doubt, judged[doubt.picture], truths, answers, spec) for doubt in doubts[:most]]
    return DoubtedLabels(shown_path(weights), first, len(doubts), notes)


def _truths(spec: DatasetSpec) -> tuple[dict[str, tuple[str, Annotation]], list[str]]:
    """The split and the labels of each picture by its name; and a note on each split that cannot be read."""
    truths: dict[str, tuple[str, Annotation]] = {}
    notes = []
    for split in spec.splits:
        try:
            found = read_split(spec, split, on_error="skip")[0]
        except UserError as error:
            notes.append(f"the split '{split}' was left out: {error}")
            continue
        for truth in found:
            truths.setdefault(below_root(truth.image, spec.root), (split, truth))
    return truths, notes


def _asked(
    weights: Path, spec: DatasetSpec, truths: Mapping[str, Annotation], progress: Callable[[int, int], None]
) -> tuple[Answers, tuple[str, ...]]:
    """What the model finds, in the data set's order of classes; classes that the set has not are left out."""
    require_detector(weights, "labels are doubted by a detector")
    predictor = load(weights, confidence=LOWEST_SCORE, no_promise=True)
    names = tuple(predictor.names)
    if not set(names) & set(spec.classes):
        raise UserError(f"has no class in common with the data set ({', '.join(names)})", path=weights)
    order = np.array([spec.classes.index(name) if name in spec.classes else -1 for name in names], np.int64)
    called = {truth.image: name for name, truth in truths.items()}
    answers: dict[str, Detections] = {}
    done = 0
    pictures = PicturesForModel(spec, predictor.preprocessing.bit_depth, weights)
    for chunk, images in decoded(list(truths.values()), BATCH, pictures):
        good = [(truth, image) for truth, image in zip(chunk, images, strict=True) if not isinstance(image, UserError)]
        found = predictor.batch([image for _, image in good]) if good else []
        for (truth, _), each in zip(good, found, strict=True):
            answers[called[truth.image]] = _renamed(each, order, spec.classes)
        done += len(chunk)
        progress(done, len(truths))
    return answers, names


def _renamed(found: Detections, order: IntArray, classes: tuple[str, ...]) -> Detections:
    labels = order[found.labels]
    kept = labels >= 0
    return Detections(found.boxes[kept], found.scores[kept], labels[kept], classes, found.size)


def _held_out(folder: Path, spec: DatasetSpec) -> tuple[Answers, tuple[str, ...]]:
    """What the models of a cross-validation found in the pictures that they have not seen."""
    folds = read_folds(folder / FOLDS_NAME)
    try:
        before = json.loads((folder / PLAN_NAME).read_text(encoding="utf-8"))["data"]["classes"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError("is not the folder of a cross-validation", path=folder) from None
    if before != list(spec.classes):
        raise UserError("this cross-validation was made with other classes than the data set's", path=folder)
    answers: dict[str, Detections] = {}
    for number in range(len(folds.pictures)):
        path = folder / f"fold{number + 1}" / FILE_NAME
        try:
            with safe_open(path, framework="numpy") as file:
                names = json.loads(file.metadata()["kept"])["pictures"]
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
            found = DETECTION.folding.unpacked(arrays, spec.classes)
            answers.update(zip(names, found, strict=True))
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            message = "cannot be read: finish the cross-validation of a detector with its command first"
            raise UserError(message, path=path) from None
    return answers, spec.classes


def _told(
    doubt: Doubt,
    name: str,
    truths: Mapping[str, tuple[str, Annotation]],
    answers: Answers,
    spec: DatasetSpec,
) -> LabelDoubt:
    split, truth = truths[name]
    found = answers[name].above(LOWEST_SCORE)
    answer = None
    if doubt.answer is not None:
        x1, y1, x2, y2 = found.boxes[doubt.answer].tolist()
        answer = (x1, y1, x2, y2), int(found.labels[doubt.answer]), float(found.scores[doubt.answer])
    line = truth.lines[doubt.box] if doubt.box is not None and truth.lines else 0
    return LabelDoubt(
        kind=doubt.kind,
        doubt=doubt.doubt,
        message=_message(doubt, truth, found, spec.classes),
        split=split,
        image=truth.image,
        name=name,
        source=truth.source,
        line=line or None,
        boxes=truth.boxes,
        labels=truth.labels,
        box=doubt.box,
        answer=answer,
    )


def _message(doubt: Doubt, truth: Annotation, found: Detections, classes: tuple[str, ...]) -> str:
    label = "" if doubt.box is None else classes[int(truth.labels[doubt.box])]
    if doubt.answer is None or doubt.box is None:
        if doubt.answer is None:
            return f"nothing is found in this box of '{label}'"
        other = classes[int(found.labels[doubt.answer])]
        return f"no box where '{other}' is found with score {found.scores[doubt.answer]:.2f}"
    other, score = classes[int(found.labels[doubt.answer])], found.scores[doubt.answer]
    if doubt.kind == "class":
        return f"the box of '{label}' is '{other}' with score {score:.2f}"
    shared = overlaps(found.boxes[[doubt.answer]], truth.boxes[[doubt.box]])[0, 0]
    return f"the box of '{label}' sits badly: found with score {score:.2f}, it overlaps that by {shared:.2f} only"
