"""Checks for the parameters of every address: one that would be misread is refused, not ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Request
from pydantic import AfterValidator, BeforeValidator, Field

from lightdet.web.errors import RefusalError


async def refuse_unknown(request: Request) -> None:
    """Refuse parameters that an address does not know: a misspelt threshold would be another decision.

    Raises:
        RefusalError: one that is unknown, or given more than once (422).
    """
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    given = [name for name, _ in request.query_params.multi_items()]
    if any(name not in known for name in given):
        told = f"known here: {', '.join(known)}" if known else "none is known here"
        raise RefusalError(422, "bad_parameter", f"a parameter is unknown; {told}")
    for name in known:
        if given.count(name) > 1:
            raise RefusalError(422, "bad_parameter", f"{name}: given more than once")


def _no_number(value: Any) -> Any:
    """A number would be taken for seconds since 1970: 2026 for half past midnight on its first day."""
    try:
        float(value)
    except (TypeError, ValueError):
        return value
    raise ValueError("write a day as 2026-11-22, or a time as 2026-11-22T06:30:00Z")


def _no_null(value: str) -> str:
    """PostgreSQL has no text with a null character, so that nothing on record can match it."""
    if "\0" in value:
        raise ValueError("holds a null character; leave it out")
    return value


Moment = Annotated[datetime, BeforeValidator(_no_number)]
"""A time in ISO 8601."""
Text = Annotated[str, AfterValidator(_no_null), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
"""Text that a database can search for."""
