"""The rows of an archive's results in Parquet files, each written whole, in a folder for each partition."""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from lightdet.errors import UserError
from lightdet.files import atomic_path, make_folder
from lightdet.missing import how_to_install

By = Literal["day", "prefix"]
_DAY = re.compile(r"(?<![0-9])(20[0-9]{2})[-_/]?(0[1-9]|1[0-2])[-_/]?(0[1-9]|[12][0-9]|3[01])(?![0-9])")
COLUMNS = (
    "source", "sha256", "page", "model", "model_sha256", "width", "height", "decision", "promise", "class", "score",
    "detections", "reason",
)  # fmt: skip


def schema() -> Any:
    """Return the columns with their types; a missing value is null.

    Raises:
        UserError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
    except ImportError:
        raise UserError(f"archives are written as Parquet: {how_to_install('archive')}") from None
    box = pa.struct([*((side, pa.float32()) for side in ("x1", "y1", "x2", "y2", "score")), ("class", pa.string())])
    types = {"page": pa.int32(), "width": pa.int32(), "height": pa.int32(), "score": pa.float32()}
    types["detections"] = pa.list_(box)
    return pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])


def partition_of(source: str, place: str, by: By | None, local: Path | None) -> str:
    """The folder of the output for a picture: ``day=2026-11-27``, ``prefix=cam3``, or "" for one folder.

    A day is the first one in the picture's name or path (``2026-11-27``, ``20261127``, ``2026/11/27``); otherwise the
    day on which a local file was changed; otherwise ``unknown``. A prefix is the first folder below what was listed.
    """
    if by is None:
        return ""
    if by == "prefix":
        first, *rest = PurePosixPath(place).parts
        plain = re.sub(r"[^0-9A-Za-z_.-]", "_", first).lstrip(".")
        return f"prefix={plain or '_'}" if rest else "prefix=_"
    if found := _DAY.search(source):
        return f"day={'-'.join(found.groups())}"
    if local is not None:
        with suppress(OSError):
            return f"day={datetime.fromtimestamp(local.stat().st_mtime, UTC).date().isoformat()}"
    return "day=unknown"


def write_rows(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows into a new file of each of their partitions, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["partition"]].append(row)
    for partition, group in groups.items():
        table = pa.Table.from_pylist([{name: row.get(name) for name in COLUMNS} for row in group], schema=schema())
        target = make_folder(folder / partition) / f"part-{uuid.uuid4().hex}.parquet"
        with atomic_path(target) as temporary:
            parquet.write_table(table, temporary, compression="zstd")


def parts_of(folder: Path) -> Iterator[Path]:
    """Yield the finished files below `folder`."""
    yield from sorted(folder.rglob("part-*.parquet"))


class Finished:
    """Which pictures are in an output already, by name and model; kept in a temporary file, for there may be millions.

    Raises:
        UserError: a file of the output cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415

        self._table = sqlite3.connect("")  # a file of the system's that is gone with the connection
        self._table.execute("CREATE TABLE done (source TEXT, model TEXT, PRIMARY KEY (source, model)) WITHOUT ROWID")
        for path in parts_of(folder):
            try:
                with parquet.ParquetFile(path) as file:
                    for batch in file.iter_batches(columns=["source", "model_sha256"]):
                        pairs = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                        self._table.executemany("INSERT OR IGNORE INTO done VALUES (?, ?)", pairs)
            except (OSError, ArrowException) as error:
                raise UserError(f"is not a whole file of results ({str(error)[:80]}); delete it", path=path) from None

    def has(self, source: str, model_sha256: str) -> bool:
        """Whether there are rows for a picture."""
        asked = "SELECT 1 FROM done WHERE source = ? AND model = ?"
        return self._table.execute(asked, (source, model_sha256)).fetchone() is not None

    def __len__(self) -> int:
        return int(self._table.execute("SELECT count(*) FROM done").fetchone()[0])
