"""SQL over the Parquet of an archive: it reads this one output, and cannot reach anything else."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightdet.errors import UserError
from lightdet.missing import how_to_install
from lightdet.processors import available_processors
from lightdet.runs.archive.table import parts_of, schema

MEMORY = "2GB"
"""What a query may hold; a larger one continues in a temporary file."""
TEMPORARY = "64GB"
"""What that file may hold."""
FETCHED = 1000
"""Rows that are taken at once."""
DAY = "(?:^|[^0-9])(20[0-9]{2})[-_/]?(0[1-9]|1[0-2])[-_/]?(0[1-9]|[12][0-9]|3[01])(?:[^0-9]|$)"
"""As `lightdet.runs.archive.table.partition_of` finds a day, in the words of RE2."""
_DAY_OF_NAME = (
    f"CASE WHEN regexp_matches(source, '{DAY}') THEN "
    + " || '-' || ".join(f"regexp_extract(source, '{DAY}', {group})" for group in (1, 2, 3))
    + " ELSE 'unknown' END"
)
_BOXES = """
CREATE VIEW boxes AS
SELECT day, source, page, model, decision, box.x1 AS x1, box.y1 AS y1, box.x2 AS x2, box.y2 AS y2,
       box.score AS score, box.class AS class
FROM (SELECT *, unnest(detections) AS box FROM archive)
"""


@dataclass(frozen=True)
class Answer:
    """The columns of an answer, and its rows, which can be taken once."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


class Answers:
    """An output of ``archive run``, open for questions; to be closed, or used in a ``with``.

    The views: ``archive`` has a row for each picture and model, with the columns of `lightdet.runs.archive.table` and
    ``day`` and ``prefix``; ``boxes`` has a row for each detection. The day is that of the partition, otherwise that of
    the picture's name, otherwise ``unknown``.

    Raises:
        UserError: a package is missing, or nothing is in the folder.
    """

    def __init__(self, folder: Path) -> None:
        columns = schema()
        duckdb = _duckdb()
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import dataset  # noqa: PLC0415

        files = [path.absolute() for path in parts_of(folder)]
        if not files:
            raise UserError("holds no results; give the --output of 'lightdet archive run'", path=folder)
        parts = pa.schema([("day", pa.string()), ("prefix", pa.string())])
        rows = dataset.dataset(
            [str(path) for path in files],
            schema=pa.schema([*columns, *parts]),
            format="parquet",
            partitioning=dataset.partitioning(parts, flavor="hive"),
            partition_base_dir=str(folder.absolute()),
        )
        self.files = len(files)
        self._error = duckdb.Error
        self._open = ExitStack()
        spill = self._open.enter_context(tempfile.TemporaryDirectory(prefix="lightdet-"))
        self._connection = self._open.enter_context(duckdb.connect(":memory:"))
        self._connection.register("stored", rows)
        by_day = all(re.fullmatch("day=.*", path.parent.name) for path in files)
        day = "" if by_day else f" EXCLUDE (day), coalesce(day, {_DAY_OF_NAME}) AS day"
        self._run(f"CREATE VIEW archive AS SELECT *{day} FROM stored")  # noqa: S608 - constants
        self._run(_BOXES)
        for setting in _limits(spill):
            self._run(f"SET {setting}")

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free what is held."""
        self._open.close()

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> Answer:
        """Return the answer to one SELECT; only one answer can be read at a time.

        Raises:
            UserError: it is something else, or wrong, or needs more memory than there is; here, or when rows are taken.
        """
        try:
            statements = self._connection.extract_statements(sql)
        except self._error as error:
            raise _told(error) from None
        if len(statements) != 1 or statements[0].type.name != "SELECT":
            raise UserError("one SELECT can be asked, and nothing else; the tables are 'archive' and 'boxes'")
        self._run(sql, parameters)
        return Answer(tuple(column[0] for column in self._connection.description), self._rows())

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        try:
            self._connection.execute(sql, list(parameters))
        except (OSError, self._error) as error:
            raise _told(error) from None

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        while True:
            try:
                rows = self._connection.fetchmany(FETCHED)
            except (OSError, self._error) as error:
                raise _told(error) from None
            if not rows:
                return
            yield from rows


def _duckdb() -> Any:
    try:
        import duckdb  # noqa: PLC0415 - an extra
    except ImportError:
        raise UserError(f"archives are queried by DuckDB: {how_to_install('archive')}") from None
    return duckdb


def _limits(spill: str) -> Iterator[str]:
    """The settings: bounded memory, and no other file, network or extension; they cannot be changed by a query."""
    quoted = spill.replace("'", "''")
    yield from (f"memory_limit = '{MEMORY}'", f"max_temp_directory_size = '{TEMPORARY}'")
    yield from (f"threads = {available_processors()}", f"temp_directory = '{quoted}'")
    yield from ("autoinstall_known_extensions = false", "autoload_known_extensions = false")
    yield from ("allow_community_extensions = false", "python_enable_replacements = false")
    yield from ("enable_external_access = false", "lock_configuration = true")


def _told(error: Exception) -> UserError:
    """What DuckDB says, without its drawing of the place."""
    text = re.split(r"\n\s*LINE \d+:", str(error))[0]
    return UserError(" ".join(text.split())[:400])
