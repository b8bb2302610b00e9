"""What people call the splits of a data set: in the names of folders and files, and in the columns of tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

SPLITS = {
    "train": ("train", "training", "trainset", "trainval"),
    "val": ("val", "valid", "validate", "validation", "valset"),
    "test": ("test", "testing", "testset"),
}
"""The words for each split, in lower case; ``trainval`` is what Pascal VOC and COCO call all that is not ``test``."""
VAL_ALIASES = ("valid", "validate", "validation", "vall", "eval", "dev")
"""Names in a YAML that probably mean ``val``."""
_NONE = {"", "unassigned", "default"}
_SPLIT_OF = {word: split for split, words in SPLITS.items() for word in words}
_WORD, _HUMP = re.compile(r"[^\W\d_]+"), re.compile(r"(?<=[a-z])(?=[A-Z])")
_PLAIN = {"set", "sets", "data", "dataset", "images", "image", "imgs", "img", "pictures", "split"}
"""Words that say nothing beside that of a split: ``train_images``."""


def split_cell(text: str) -> str | None:
    """What a cell says; None if it is empty, or what AutoML and CVAT write for a picture without a split."""
    return None if text.strip().lower() in _NONE else text.strip()


def split_of_cell(text: str) -> str | None:
    """The split that a cell of a table, or an attribute, names in any spelling; None if it is none of `SPLITS`."""
    return _SPLIT_OF.get(text.strip().lower())


def is_split(word: str | None, split: str) -> bool:
    """Whether a cell puts its picture into `split`, which may have any name."""
    return word is not None and split.casefold() in (word.strip().casefold(), split_of_cell(word))


def no_split(word: str | None, known: Iterable[str]) -> str | None:
    """Why a cell puts its picture into no split, to follow the picture's name; None if it is one of `known` or usual.

    Args:
        word: the cell; None if it is empty.
        known: the splits of the data set, by their names.
    """
    if word is None:
        return "is in no split, and others are; say in which it is, or remove it"
    if split_of_cell(word) is not None or any(is_split(word, name) for name in known):
        return None
    named = ", ".join(dict.fromkeys(known))
    told = f"is in '{word[:40]}', which is no split of the data set ({named})"
    return f"{told}; correct it, or name it as a split in the YAML"


def split_of_name(name: str) -> str | None:
    """The split that a name has among its words, as ``parts_train2017`` has; None for none, or for two."""
    words = _words(name)
    splits = {_SPLIT_OF[word] for word in words if word in _SPLIT_OF}
    return splits.pop() if len(splits) == 1 else None


def is_split_name(name: str) -> bool:
    """Whether a name is that of a split and nothing else, as ``Training_set 2`` is and ``test rig`` is not."""
    return split_of_name(name) is not None and all(word in _SPLIT_OF or word in _PLAIN for word in _words(name))


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(_HUMP.sub(" ", name))]
