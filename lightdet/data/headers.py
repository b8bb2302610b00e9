"""The header of a picture for training or scoring: it can be read, and the file holds one picture."""

from __future__ import annotations

from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.images import picture_facts, several_pages
from lightdet.data.picture_header import PictureFacts
from lightdet.errors import UserError


def checked_facts(path: Path) -> PictureFacts:
    """Read the header of `path`.

    Raises:
        DataError: it cannot be read, or the file holds several pictures: labels do not say which one they are for.
    """
    try:
        facts = picture_facts(path)
    except UserError as error:
        raise DataError(error.message, "picture", path=error.path) from None
    if facts.pages > 1:
        raise DataError(several_pages(facts), "pages", path=path)
    return facts
