"""Results in the records of ``lightdet serve``: an inspection for each model, in the chain."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from lightdet.line.ledger import Waiting
from lightdet.line.sinks.sink import BATCH, AwayError, RefusedError
from lightdet.service.inspection import Inspection, ModelIdentity, Origin, clean_name
from lightdet.service.records.store import AwayError as DatabaseAwayError
from lightdet.service.records.store import Store

log = logging.getLogger("lightdet.line")


class RecordsSink:
    """Writes to the records' database.

    A picture without a verdict is recorded as NG, never as OK, by the rule ``{"none": reason}``; as it is no verdict of
    the model's own rule, it is left out of every count, like those by a caller's own rule.

    Args:
        database: a SQLite file, or the address of PostgreSQL.

    Raises:
        UserError: it cannot be opened.
    """

    batch = BATCH

    def __init__(self, database: str) -> None:
        self._store = Store(database)

    def take(self, results: list[Waiting]) -> None:
        """Write these; what is on record already is left as it is.

        Raises:
            AwayError, RefusedError: not now; never.
        """
        try:
            self._store.insert([each for result in results for each in inspections(result.body)])
        except DatabaseAwayError as error:
            raise AwayError(f"the database cannot be written: {error}") from None
        except Exception as error:
            log.exception("the records refuse a result")
            raise RefusedError(f"the database refuses it: {type(error).__name__}") from None

    def close(self) -> None:
        """Close the database."""
        self._store.close()


def record_id(identity: str, model: str) -> str:
    """Return the id of what one model says of a picture: the same time, and always the same."""
    return identity[:12] + hashlib.sha256(f"{identity} {model}".encode()).hexdigest()[:20]


def inspections(body: dict[str, Any]) -> list[Inspection]:
    """Return a result (`lightdet.line.work.result_of`) as inspections, one for each model."""
    return [_inspection(body, name, said) for name, said in body["models"].items()]


def _inspection(body: dict[str, Any], name: str, said: dict[str, Any]) -> Inspection:
    judged = said["verdict"] != "none"
    promise = said.get("promise")
    return Inspection(
        id=record_id(body["id"], name),
        time_ms=body["time_ms"],
        name=clean_name(body["picture"]),
        sha256=body["sha256"],
        length=body["bytes"],
        size=(body["width"], body["height"]),
        model=ModelIdentity(said.get("model", name), said.get("version", ""), said.get("sha256", "")),
        rule=said["rule"] if judged else {"none": said["reason"]},
        detections=said["findings"],
        decision=said["verdict"] if judged else "NG",
        milliseconds={**said["milliseconds"], "total": round(body["seconds"] * 1e3, 3)},
        overridden=not judged,
        zones=said.get("zones") or "",
        origin=Origin(station=body["source"]),
        software=body["software"],
        **({} if promise is None else {"promise": promise}),
    )
