"""A model against another one on the same pictures: ``lightdet val --against OLD``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.card import peek_model_card
from lightdet.data.audit.pictures import check_pictures
from lightdet.data.spec import DatasetSpec
from lightdet.data.splits import alike_groups
from lightdet.errors import UserError
from lightdet.evaluation.paired import Paired, compare_paired
from lightdet.files import file_hash
from lightdet.inference.open_exported import read_card
from lightdet.missing import require_file
from lightdet.model_kind import is_export
from lightdet.runs.found import Found
from lightdet.runs.trained_on import check_unlearned
from lightdet.tasks import task_of_model

if TYPE_CHECKING:
    from lightdet.tasks import Task


def check_pair(new: Path, old: Path, task: Task) -> None:
    """Refuse two models that cannot be compared.

    Raises:
        UserError: `old` is missing, the same model, or of another task than `task`, that of `new`.
    """
    require_file(old)
    if new.is_file() and file_hash(new) == file_hash(old):
        raise UserError(f"is the same model as {new}: there is nothing to compare", path=old)
    other = task_of_model(old)
    if other is not task:
        raise UserError(f"is a {other.noun}, and {new} is a {task.noun}: compare two models of a kind", path=old)


def some_classes(new: Path, old: Path, spec: DatasetSpec) -> tuple[str, ...] | None:
    """Return the classes that two models and a data set have in common, in the data set's order; None: all of them.

    Raises:
        UserError: there is none.
    """
    known = [set(_names(path, spec)) for path in (new, old)]
    names = tuple(name for name in spec.classes if all(name in each for each in known))
    if not names:
        shown = "; ".join(f"{path}: {', '.join(_names(path, spec))}" for path in (new, old))
        raise UserError(f"no class is common to the data set ({', '.join(spec.classes)}) and both models ({shown})")
    return None if all(each == set(spec.classes) for each in known) else names


def _names(path: Path, spec: DatasetSpec) -> Sequence[str]:
    """A model's classes; those of `spec` for a file whose fault is told when it is loaded."""
    card = None if is_export(path) else peek_model_card(path)
    if card is not None:
        return card.names
    return read_card(path).names if is_export(path) else spec.classes


def left_out(new: Path, old: Path, spec: DatasetSpec, common: Sequence[str]) -> str:
    """Say which classes are compared, which are not, and who has those."""
    holders = {"the new model": _names(new, spec), "the old model": _names(old, spec), "the data set": spec.classes}
    others = dict.fromkeys(name for names in holders.values() for name in names if name not in common)
    parts = [f"{name} (only {' and '.join(k for k, v in holders.items() if name in v)})" for name in others]
    return f"compared on {', '.join(common)}; left out: {', '.join(parts)}"


def check_unseen(weights: Path, pictures: Sequence[Path]) -> list[str]:
    """Return what a person should know of the training of a model and `pictures`, at most one line.

    Raises:
        UserError: it has learned from some of them.
    """
    seen = check_unlearned(weights, pictures, "compare on a test set that neither model has seen")
    if seen is None:
        return [f"{weights.parent} does not say which pictures {weights.name} was trained on; they must not be these"]
    return [f"{seen.val} of the pictures chose the best epoch of {weights}, which favours it"] if seen.val else []


def compare_found(new: Found, old: Found, names: Sequence[str]) -> Paired:
    """Compare what two models found in the same pictures; `names` are the classes by label.

    Raises:
        UserError: they were not looked at alike, or show no box.
    """
    same = len(new.truths) == len(old.truths) and all(
        a.image == b.image and len(a) == len(b) for a, b in zip(new.truths, old.truths, strict=True)
    )
    if not same:
        raise UserError("the two models look at other zones of the pictures: give the same for both with --zones")
    groups = alike_groups(list(check_pictures([truth.image for truth in new.truths])))
    paired = compare_paired(new.predictions, old.predictions, new.truths, len(names), groups)
    if paired is None:
        raise UserError("the pictures show no box of a class that is compared: there is nothing to measure")
    return paired


def lines(paired: Paired, notes: Sequence[str]) -> list[str]:
    """The comparison in lines of text."""
    drawn = f"{paired.pictures} pictures" + (
        f" in {paired.groups} groups of look-alikes" if paired.groups < paired.pictures else ""
    )
    told = [f"{paired.resamples} resamples of {drawn}, intervals with {paired.confidence:.0%} confidence"]
    for each in paired.differences:
        told.append(
            f"{each.name}: new {each.new:.3f}, old {each.old:.3f}, difference {each.new - each.old:+.3f} "
            f"({each.low:+.3f} to {each.high:+.3f})"
        )
    return [*notes, *told, f"the new model is {_said(paired)}: {paired.reason}"]


def _said(paired: Paired) -> str:
    return "not shown to be better or worse" if paired.verdict == "no difference shown" else paired.verdict


def facts(paired: Paired, notes: Sequence[str], old: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """What the report says of the comparison, for people and for the JSON."""
    shown = {
        each.name: f"{each.new:.3f}, against {each.old:.3f}: {each.new - each.old:+.3f} "
        f"({each.low:+.3f} to {each.high:+.3f}), {each.verdict}"
        for each in paired.differences
    }
    notes_shown = {"note": "; ".join(notes)} if notes else {}
    heading = {"old model": str(old), **shown, "the new model": f"{_said(paired)}: {paired.reason}", **notes_shown}
    return heading, {"old": str(old), **paired.as_dict(), "notes": list(notes)}
