"""The content of each split as tables, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lightdet.data.audit.statistics import SIDE_LIMITS, BoxStatistics, SplitStatistics

Statistics = TypeVar("Statistics", bound=SplitStatistics)


@dataclass(frozen=True)
class Table:
    """A table of texts; the columns in `words` are not numbers."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    words: frozenset[int] = frozenset({0})


def split_table(
    splits: Mapping[str, Statistics],
    more: tuple[str, ...] = (),
    numbers: Callable[[Statistics], tuple[str, ...]] = lambda split: (),
) -> Table:
    """Pictures by split, with sizes and kinds; `numbers` fills the columns `more`."""
    rows = []
    for name, split in splits.items():
        sizes = [f"{width} x {height}" for (width, height), _ in split.sizes.most_common()]
        kinds = [kind for kind, _ in split.modes.most_common()]
        rows.append((name, f"{split.pictures:,}", *numbers(split), _first(sizes, 2), _first(kinds, 3)))
    width = 2 + len(more)
    return Table("pictures", ("split", "pictures", *more, "sizes", "kinds"), rows, frozenset({0, width, width + 1}))


def class_table(
    title: str,
    splits: Mapping[str, Statistics],
    classes: Sequence[str],
    held: Callable[[Statistics, int], str] = lambda split, label: "",
) -> Table:
    """The counts by class, and their share of the split; `held` is appended to the number."""
    rows = []
    for label, name in enumerate(classes):
        cells = [
            text
            for split in splits.values()
            for text in (
                f"{split.counts[label]:,}{held(split, label)}",
                f"{split.counts[label] / max(1, int(split.counts.sum())):.0%}",
            )
        ]
        rows.append((str(label), name, *cells))
    columns = (text for name in splits for text in (name, "share"))
    return Table(title, ("id", "class", *columns), rows, frozenset({0, 1}))


def side_table(splits: Mapping[str, BoxStatistics], imgsz: int) -> Table:
    """How large the boxes are at the network's input."""
    limits = (f"< {SIDE_LIMITS[0]}", *(f"- {limit}" for limit in SIDE_LIMITS[1:]), f"> {SIDE_LIMITS[-1]}")
    rows = []
    for name, split in splits.items():
        shares = [f"{share:.1%}" if share else "-" for share in split.side_shares()]
        rows.append((name, *shares, *([f"{value:.0f}" for value in split.side_percentiles().values()] or ["-"] * 3)))
    title = f"sides of the boxes, sqrt(area), in pixels at --imgsz {imgsz}"
    return Table(title, ("split", *limits, "5 %", "median", "95 %"), rows)


def _first(texts: Sequence[str], most: int) -> str:
    """The first ones, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
