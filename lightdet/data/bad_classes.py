"""Which classes of a picture mean a bad part: as given, as in the data set, or by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lightdet.data.dataset import DatasetSpec
from lightdet.errors import UserError

_GOOD_WORDS = (
    "accept accepted clean conform correct fine flawless good healthy intact normal ok okay pass passed perfect "
    "sound undamaged undefective unbroken"
)
_BAD_WORDS = (
    "abnormal anomalous anomaly bad break broken burr crack cracked damage damaged def defect defected defective "
    "defects dent dented fail failed fault faulty flaw flawed hole ill incorrect ng nok nonconform pore reject "
    "rejected scrap scratch scratched wrong"
)
GOOD, BAD = frozenset(_GOOD_WORDS.split()), frozenset(_BAD_WORDS.split())
NOT = frozenset({"no", "non", "not", "without"})
FREE = "free"
"""As in ``defect free``."""


def bad_classes(spec: DatasetSpec, asked: Sequence[str] = ()) -> tuple[tuple[str, ...], str]:
    """Return the names of the bad classes in the data set's order, and in a few words where they come from.

    Args:
        spec: a data set with one class per picture.
        asked: names from the command line; each may hold several, separated by commas.

    Raises:
        UserError: a name that is not a class, every class named, or no way to tell good from bad.
    """
    names = [part.strip() for text in asked for part in ([text] if text in spec.classes else text.split(","))]
    for name in names:
        if name not in spec.classes:
            raise UserError(f"--bad {name}: there is no such class; the data set has {', '.join(spec.classes)}")
    if names:
        if set(names) == set(spec.classes):
            raise UserError("--bad names every class of the data set; one at least must be good")
        return tuple(name for name in spec.classes if name in names), "as asked"
    if spec.bad:
        return tuple(name for name in spec.classes if name in spec.bad), "as the data set says"
    told = {name: _is_good(name) for name in spec.classes}
    good = [name for name, is_good in told.items() if is_good]
    if not good and len(told) == 2 and list(told.values()).count(False) == 1:
        good = [name for name, is_good in told.items() if is_good is None]
    # A class with a neutral name beside one called good is a kind of defect.
    bad = tuple(name for name in spec.classes if name not in good)
    if not good or not bad:
        raise UserError(
            f"the names of the classes do not tell which are bad ({', '.join(spec.classes)}): say --bad NAME, or add "
            "'bad: [NAME]' to the data set",
            path=spec.path,
        )
    return bad, "by their names"


def _is_good(name: str) -> bool | None:
    """Whether a class's name means good parts; None if it is neutral."""
    words = [word for word in re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()) if word]
    found: bool | None = None
    for index, word in enumerate(words):
        if word not in GOOD | BAD:
            continue
        good = word in GOOD
        denied = index > 0 and words[index - 1] in NOT
        freed = not good and index + 1 < len(words) and words[index + 1] == FREE
        good = good != (denied or freed)
        found = good if found is None else found and good
    return found
