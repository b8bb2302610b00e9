"""What is kept of a split, so that a command that continues notices other pictures or labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightdet.data.picture_digest import picture_digest
from lightdet.data.set_digest import set_digest

DIGEST = "sha256"


def with_digest(
    facts: Mapping[str, Any], labelled: Sequence[Any], pictures: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return `facts` of a split with a digest of its pictures and labels.

    Args:
        facts: counts and the like, to say what has changed.
        labelled: the split's annotations, or its pictures with one class each.
        pictures: `picture_digest` of each, if known already.

    Raises:
        UserError: a picture can no longer be read.
    """
    known = [picture_digest(each.image) for each in labelled] if pictures is None else pictures
    return {**facts, DIGEST: set_digest(labelled, known)}


def same_facts(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two facts are of the same split; of earlier versions, which kept no digest, as far as they tell."""
    return dict(before) == {key: value for key, value in now.items() if key != DIGEST or DIGEST in before}
