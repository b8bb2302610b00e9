"""The flags of ``lightdet archive query`` as SQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from lightdet.errors import UserError
from lightdet.options.archive import QueryOptions

COLUMNS = (
    "day, source, page, model, model_sha256, decision, promise, class, score, detections, reason, width, height, sha256"
)


def question(options: QueryOptions, limit: int | None) -> tuple[str, list[Any]]:
    """Return a SELECT and its parameters: what the flags say, the highest score first.

    A detector's picture has a class if one of its boxes has it; ``--above`` is then of that box.

    Args:
        options: the flags; or its `sql`, which then stands alone.
        limit: the most rows that are needed; None: all.

    Raises:
        UserError: SQL and flags together, or a day that is none.
    """
    conditions = list(_conditions(options))
    if options.sql is not None:
        if conditions or options.limit is not None:
            raise UserError("give SQL or flags, not both; in SQL, write WHERE and LIMIT")
        return options.sql, []
    where = " AND ".join(text for text, _ in conditions) or "true"
    values = [value for _, given in conditions for value in given]
    order, of_order = "score", []
    if options.name is not None:
        order = "coalesce(list_max([box.score FOR box IN detections IF box.class = ?]), score)"
        of_order = [options.name]
    bound = "" if limit is None else f" LIMIT {limit}"
    by = f"{order} DESC NULLS LAST, source, page, model{bound}"
    return f"SELECT {COLUMNS} FROM archive WHERE {where} ORDER BY {by}", [*values, *of_order]  # noqa: S608 - constants


def _conditions(options: QueryOptions) -> Iterator[tuple[str, list[Any]]]:
    if options.since is not None:
        yield "day >= ? AND day <> 'unknown'", [_day(options.since, "--since")]
    if options.until is not None:
        yield "day < ?", [_day(options.until, "--until")]
    if options.name is not None:
        above = options.above or 0.0
        yield (
            "(class = ? AND score >= ? OR len([1 FOR box IN detections IF box.class = ? AND box.score >= ?]) > 0)",
            2 * [options.name, above],
        )
    elif options.above is not None:
        yield "score >= ?", [options.above]
    if options.decision is not None:
        yield "decision = ?", [options.decision]
    if options.source is not None:
        yield "contains(source, ?)", [options.source]
    if options.model is not None:
        yield "(model = ? OR starts_with(model_sha256, ?))", [options.model, options.model.lower()]
    if options.failed:
        yield "reason IS NOT NULL", []


def _day(text: str, flag: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UserError(f"{flag} '{text}': write a day as 2026-11-22") from None
