"""Which pictures are kept as they came, where, and how many of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lightdet.addresses import shown_address
from lightdet.errors import UserError
from lightdet.service.inspection import Inspection

GIB = 1 << 30
_WORDS = "all, ng, uncertain or sample=SHARE, such as sample=0.05"


@dataclass(frozen=True)
class Choice:
    """Which pictures; those that any of these asks for.

    Attributes:
        everything: all of them.
        rejected: those of NG parts.
        uncertain: those whose verdict would change if every threshold were a little lower or higher.
        share: so many of all, drawn at random, in [0, 1].
    """

    everything: bool = False
    rejected: bool = False
    uncertain: bool = False
    share: float = 0.0

    def __bool__(self) -> bool:
        """Whether any is kept."""
        return self.everything or self.rejected or self.uncertain or self.share > 0

    def wants(self, entry: Inspection) -> bool:
        """Whether the picture of this inspection is to be kept; it is drawn by the random digits of its id."""
        drawn = int(entry.id[-8:], 16) < self.share * (1 << 32)
        return (
            self.everything
            or (self.rejected and entry.decision == "NG")
            or (self.uncertain and entry.uncertain)
            or drawn
        )


def read_choice(words: Iterable[str]) -> Choice:
    """Return what ``all``, ``ng``, ``uncertain`` and ``sample=0.05`` ask for together.

    Raises:
        UserError: another word, a share outside (0, 1], or two shares.
    """
    given = list(words)
    shares = [word for word in given if word.startswith("sample=")]
    unknown = next((word for word in given if word not in ("all", "ng", "uncertain", *shares)), None)
    if unknown is not None:
        raise UserError(f"--keep '{unknown}': give {_WORDS}")
    if len(set(shares)) > 1:
        raise UserError(f"--keep {shares[0]} and --keep {shares[1]}: give one share")
    return Choice("all" in given, "ng" in given, "uncertain" in given, _share(shares[0]) if shares else 0.0)


def _share(word: str) -> float:
    try:
        share = float(word.removeprefix("sample="))
    except ValueError:
        share = math.nan
    if not 0.0 < share <= 1.0:
        raise UserError(f"--keep {word}: the share must be more than 0 and at most 1, such as sample=0.05")
    return share


@dataclass(frozen=True)
class KeepPictures:
    """What is kept of pictures; 0 sets no bound.

    Attributes:
        choice: which.
        folder: the folder of this computer that they are written to; None: nowhere.
        url: the folder of a store that they are sent to from there; None: they stay.
        band: a verdict is uncertain if it would change with every threshold lower or higher by up to this.
        days: of pictures, back from the newest record.
        size: bytes of all pictures together.
        free: bytes that stay free on the disk: nothing is kept that would leave less.

    Raises:
        UserError: a value out of range, or a folder for nothing.
    """

    choice: Choice = Choice()
    folder: Path | None = None
    band: float = 0.1
    days: float = 0.0
    size: int = 0
    free: int = 2 * GIB
    url: str | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.band <= 1.0:
            raise UserError(f"the band of uncertain scores must be more than 0 and at most 1, got {self.band}")
        for name, value in (("days", self.days), ("bytes", self.size), ("free bytes", self.free)):
            if value < 0 or not math.isfinite(value):
                raise UserError(f"the {name} of pictures that are kept must be 0 or more, got {value}")
        if self.choice and self.folder is None:
            raise UserError(
                "say where pictures are kept: --keep-folder FOLDER|URL (by default beside a SQLite database; a "
                "PostgreSQL has no such place)"
            )

    def __bool__(self) -> bool:
        """Whether any picture is kept."""
        return bool(self.choice)

    def describe(self) -> str:
        """Return which pictures are kept, where and how long, in words."""
        if not self:
            return "no pictures are kept (--keep)"
        choice = self.choice
        which = [
            "all pictures" if choice.everything else "",
            "those of NG parts" if choice.rejected else "",
            f"those within {self.band:g} of another verdict" if choice.uncertain else "",
            f"{choice.share:.4g} of all, drawn at random" if choice.share else "",
        ]
        bounds = [
            f"the last {self.days:g} days (--keep-picture-days)" if self.days else "",
            f"up to {self.size / GIB:g} GiB (--keep-picture-gib)" if self.size else "",
            f"while {self.free / GIB:g} GiB stay free (--keep-free-gib)" if self.free else "",
        ]
        kept = which[0] or ", ".join(filter(None, which))
        where = str(self.folder) if self.url is None else f"{shown_address(self.url)} by way of {self.folder}"
        return f"pictures kept in {where}: {kept}; {', '.join(filter(None, bounds)) or 'without a bound'}"
