"""One inspected picture, as it is returned and recorded."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lightdet import __version__
from lightdet.addresses import shown_name
from lightdet.decisions import Verdict
from lightdet.decisions.promise import Promise

NAME_LENGTH = 200
FIELD_LENGTH = 100
"""Characters of a station or an order number."""


@dataclass(frozen=True)
class ModelIdentity:
    """The model that decides: its name (`lightdet.files.run_name`), its SHA-256, and the first twelve digits of it."""

    name: str
    version: str
    sha256: str = ""


@dataclass(frozen=True)
class Origin:
    """The origin of a picture, as given by the caller; "" for what was not given.

    Attributes:
        key: name of the API key.
        role: its role.
        station: where the picture was taken.
        order: batch or order number of the part.
    """

    key: str = ""
    role: str = ""
    station: str = ""
    order: str = ""


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found in one picture.

    Attributes:
        id: 32 hexadecimal digits that sort by time; the first twelve are milliseconds since 1970.
        time_ms: when it was inspected, milliseconds since 1970 UTC.
        name: the caller's name for the part or picture; "" if it has none.
        sha256: of the bytes received.
        length: number of these bytes.
        size: ``(width, height)`` of the picture.
        model: the model that decided.
        rule: the rule that decided, plain values.
        promise: what it promises, plain values (`lightdet.decisions.promise.Promise.as_dict`).
        overridden: the rule is the caller's own instead of the service's.
        zones: digest of the zones in which was looked; "": there were none.
        detections: ``{"name", "label", "score", "box", "defect"}`` each, with zones also ``"zones"``; best score first.
        decision: OK or NG.
        origin: who sent it, and from where.
        software: lightdet's version.
        milliseconds: by stage; ``total`` from the whole request to the end of the work.
        uncertain: the verdict would change if every threshold were a little lower or higher; never recorded.
        original: where the picture is kept as it came (`lightdet.service.picture_folder`); None: it is not.
        not_kept: why it was to be kept and is not; None: it is kept, or was not to be.
        data: the bytes received, until they are kept or not; never recorded.
        thumbnail: a small JPEG, or None.
        picture: a JPEG or PNG as asked for (plain or marked up), or None; never recorded.
    """

    id: str
    time_ms: int
    name: str
    sha256: str
    length: int
    size: tuple[int, int]
    model: ModelIdentity
    rule: dict[str, Any]
    detections: list[dict[str, Any]]
    decision: Verdict
    milliseconds: dict[str, float]
    promise: dict[str, Any] = field(default_factory=lambda: Promise(why_not="not said").as_dict())
    overridden: bool = False
    zones: str = ""
    origin: Origin = Origin()
    software: str = __version__
    uncertain: bool = False
    original: str | None = None
    not_kept: str | None = None
    data: bytes | None = field(default=None, repr=False)
    thumbnail: bytes | None = field(default=None, repr=False)
    picture: bytes | None = field(default=None, repr=False)

    @property
    def defects(self) -> int:
        """How many detections count as defects."""
        return sum(bool(each["defect"]) for each in self.detections)


def new_id(time_ms: int) -> str:
    """Return an id that sorts by time and that nobody can guess."""
    return f"{time_ms:012x}{secrets.token_hex(10)}"


def first_id(time_ms: int) -> str:
    """Return a string that sorts before every id of this time and after every earlier one."""
    return f"{min(max(time_ms, 0), (1 << 48) - 1):012x}"


def iso_time(time_ms: int) -> str:
    """Return ``2026-01-31T12:00:00.000Z``."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clean_name(name: str | None) -> str:
    """Return a picture's file name, safe for records: no folder, password or control characters, not too long."""
    return _printable(shown_name(name or ""))


def part_name(name: str | None) -> str:
    """Return what a caller calls a part: as `clean_name`, but slashes stay, or L12/0042 and L13/0042 would be one."""
    return _printable(shown_name(name or "", folders=True))


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else " " for c in name).strip()[:NAME_LENGTH]
