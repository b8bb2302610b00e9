"""What the commands share."""

from __future__ import annotations

from typing import Annotated, TypeVar

from cyclopts import Parameter

from lightdet.errors import UserError

T = TypeVar("T")

ALL = Parameter(name="*")
"""For a function's `options`: its fields are the command's options."""
Words = Annotated[str, Parameter(name="KEY.PATH=VALUE", help="Configuration values to replace, e.g. train.epochs=3.")]
SHOWN_SKIPPED = 20


def skipped_lines(reasons: list[str], where: str = "") -> list[str]:
    """Return what was skipped, one line each, and how many more there are."""
    if not reasons:
        return []
    more = len(reasons) - SHOWN_SKIPPED
    rest = [f"  … and {more} more{where}"] if more > 0 else []
    return [f"skipped {len(reasons)}:", *(f"  {reason}" for reason in reasons[:SHOWN_SKIPPED]), *rest]


def needed(options: T | None, flag: str) -> T:
    """Return `options`; None means that none were given, and `flag` is required.

    Raises:
        UserError: it was not.
    """
    if options is None:
        raise UserError(f"Missing option '{flag}'")
    return options
