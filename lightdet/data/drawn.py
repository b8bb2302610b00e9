"""A validation split drawn from a data set that has none: the same pictures every time, and no files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightdet.data.audit.pictures import check_pictures
from lightdet.data.dataset import split_records
from lightdet.data.paths import below_root
from lightdet.data.spec import DatasetSpec
from lightdet.data.splits import alike_groups, draw_share
from lightdet.wording import counted

SHARE, SEED = 0.2, 0


def with_validation(spec: DatasetSpec, share: float = SHARE, seed: int = SEED) -> DatasetSpec:
    """Return `spec` with a split ``val`` drawn from ``train``: classes spread evenly, similar pictures on one side.

    Pictures and labels that cannot be read stay in ``train``, where they are reported. With too few pictures there
    is no ``val``, which a note says.

    Raises:
        UserError: ``train`` is missing or empty.
    """
    records, _ = split_records(spec, "train")
    names = [below_root(record.image, spec.root) for record in records]
    faulty = {name for name, record in zip(names, records, strict=True) if record.problems}
    sound = [record for name, record in zip(names, records, strict=True) if name not in faulty]
    checks = check_pictures([record.image for record in sound])
    good = [(record, check) for record, check in zip(sound, checks, strict=True) if check.error is None]
    labels = [record.classes() for record, _ in good]
    chosen = draw_share(labels, alike_groups([c for _, c in good]), share, seed) if good else np.zeros(0, np.bool_)
    val = frozenset(below_root(t.image, spec.root) for (t, _), out in zip(good, chosen, strict=True) if out)
    rest = frozenset(names) - val
    if not val or not rest:
        note = f"no split for validation: {counted(len(val | rest), 'picture')}, too few or too alike to draw one"
        return replace(spec, notes=(*spec.notes, note))
    splits = {name: spec.chosen(["train"], only) for name, only in (("train", rest), ("val", val))}
    note = (
        f"no split for validation: {len(rest)} pictures to train on and {len(val)} to validate with are "
        f"drawn (seed {seed}), similar pictures on one side"
    )
    others = {name: place for name, place in spec.splits.items() if name != "train"}
    return replace(spec.put_together(splits | others), notes=(*spec.notes, note))
