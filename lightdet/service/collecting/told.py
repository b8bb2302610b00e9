"""What was planned and written, in words and as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightdet.service.collecting.plan import LeftOut, Plan, Reason, Taken
from lightdet.service.collecting.write import Collected
from lightdet.wording import counted

_SHOWN = 3
_REASONS: Mapping[Reason, str] = {
    "not kept": "never kept ('serve --keep')",
    "deleted": "deleted by retention",
    "missing": "not in the folder of kept pictures",
    "changed": "changed since, not what was inspected",
    "unusable": "not usable",
}


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield what will be written, and what is left out and why, a line each."""
    gathered = plan.gathered
    yield f"records: {counted(gathered.inspections, 'inspection')}, {gathered.corrected:,} corrected"
    if gathered.classified:
        yield f"left out: {counted(gathered.classified, 'inspection')} by a classifier, which draws no boxes"
    if gathered.not_found:
        what = counted(len(gathered.not_found), "picture")
        yield f"listed, but in none of these records: {what}: {first_few(gathered.not_found)}"
    boxes = [len(each.truth.boxes or ()) for each in plan.labelled]
    if plan.labelled:
        yield (
            f"labelled: {counted(len(boxes), 'picture')} with {counted(sum(boxes), 'box')}, {boxes.count(0):,} of them "
            f"without any; classes: {', '.join(plan.classes) or 'none'}"
        )
    if plan.to_label:
        said = sum(each.truth.corrected for each in plan.to_label)
        why = [f"{said:,} said to be NG, without boxes" if said else "", _plain(len(plan.to_label) - said)]
        yield f"to be labelled: {counted(len(plan.to_label), 'picture')} ({', '.join(filter(None, why))})"
    for reason, text in _REASONS.items():
        found = plan.out(reason)
        if found:
            yield f"left out: {counted(len(found), 'picture')} {text}: {_names(found)}"
    contradicting = [each for each in plan.taken if each.truth.contradicting]
    if contradicting:
        what = counted(len(contradicting), "picture")
        yield f"corrected in contradicting ways: {what}, the newest correction holds: {_names(contradicting)}"
    again = sum(each.seen.chosen - 1 for each in plan.taken)
    if again:
        yield f"inspected more than once, taken once: {counted(again, 'further inspection')}"
    if plan.beyond:
        yield f"beyond the limit: {counted(plan.beyond, 'picture')}"


def collected_lines(done: Collected) -> Iterator[str]:
    """Yield what was written, and what to do with it."""
    yield from done.notes
    if done.yaml is not None:
        splits = ", ".join(
            f"{name} {counted(len(pictures), 'picture')} with {counted(done.boxes[name], 'box')}"
            for name, pictures in done.splits.items()
        )
        yield f"data set: {done.yaml} ({splits})"
    if done.to_label is not None:
        yield f"label the others: lightdet label {done.to_label}"


def as_dict(plan: Plan, done: Collected | None) -> dict[str, Any]:
    """Return plain values for JSON; without `done`, nothing was written."""
    return {
        "inspections": plan.gathered.inspections,
        "corrected": plan.gathered.corrected,
        "classes": list(plan.classes),
        "labelled": [_picture(each) for each in plan.labelled],
        "to_label": [_picture(each) for each in plan.to_label],
        "left_out": [{**_inspection(each), "reason": each.reason, "message": each.message} for each in plan.left_out],
        "beyond": plan.beyond,
        "not_found": plan.gathered.not_found,
        "written": None
        if done is None
        else {
            "yaml": None if done.yaml is None else str(done.yaml),
            "splits": done.splits,
            "to_label": None if done.to_label is None else str(done.to_label),
            "notes": done.notes,
        },
    }


def _plain(count: int) -> str:
    return f"{count:,} not corrected" if count else ""


def _picture(each: Taken) -> dict[str, Any]:
    return {
        **_inspection(each),
        "file": each.name,
        "boxes": each.truth.boxes,
        "corrected": each.truth.corrected,
        "contradicting": each.truth.contradicting,
    }


def _inspection(each: Taken | LeftOut) -> dict[str, Any]:
    return {"id": each.seen.record["id"], "name": each.seen.record["name"], "sha256": each.seen.sha256}


def _names(found: list[Taken] | list[LeftOut]) -> str:
    """The first few, by their names and ids."""
    return first_few([_name(each) for each in found])


def first_few(names: Sequence[str]) -> str:
    """The first few of `names`, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _name(each: Taken | LeftOut) -> str:
    identity, name = each.seen.record["id"], each.seen.record["name"]
    why = f": {each.message}" if isinstance(each, LeftOut) and each.reason == "unusable" else ""
    return f"{name} ({identity}{why})" if name else f"{identity}{why}"
