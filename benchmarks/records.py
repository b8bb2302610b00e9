"""Millions of records: how long searches, statistics, purge, backup and verification take, and whether inserts wait.

    python benchmarks/records.py FOLDER --rows 3000000
    python benchmarks/records.py FOLDER --rows 3000000 --database postgresql://…

Records of one year, without small pictures, are written into FOLDER/records.sqlite3 (or the PostgreSQL, where COPY is
used), chained and counted by the service's own code; the indices are made at the end. An interrupted run continues. The
seconds count from the begin to the end, whatever else the computer does. Every search is done three times, and the
slowest counts. While the records are verified, copied (PostgreSQL: by pg_dump, which must be on the PATH) and purged by
half (for `--purge-minutes` at most), another process writes a record every tenth of a second and measures each of its
waits. FOLDER/*.json has the results.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import multiprocessing
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from lightdet.service.inspection import Inspection, ModelIdentity, Origin, new_id
from lightdet.service.keep import Keep
from lightdet.service.records.backup import backup
from lightdet.service.records.chain import Chain
from lightdet.service.records.hours import HOUR_MS, count
from lightdet.service.records.retention import give_back
from lightdet.service.records.rows import detection_rows, inspection_row
from lightdet.service.records.span import Span
from lightdet.service.records.store import Store, Wanted
from lightdet.service.records.tables import detections, inspections
from lightdet.service.records.text_index import make_text_index
from lightdet.service.records.write import write_inspections
from lightdet.service.samples import read_samples

START = 1_735_689_600_000  # 2025-01-01
YEAR = 365 * 24 * HOUR_MS
BATCH = 4000
CLASSES = ("scratch", "dent", "stain", "crack", "burr")
MODELS = [ModelIdentity(name, digit * 12, digit * 64) for name, digit in (("line", "a"), ("line", "b"), ("mold", "c"))]
RULE = {"threshold": 0.25, "thresholds": {}, "min_size": 0, "min_sizes": {}}


def main() -> None:
    """Fill, measure, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--database", help="a PostgreSQL, in place of the file")
    parser.add_argument(
        "--only", nargs="*", choices=list(WORKS), default=list(WORKS), help="what is done beside the inserts"
    )
    parser.add_argument("--purge-minutes", type=float, default=10.0)
    args = parser.parse_args()
    works = WORKS | {"purge": partial(purge, seconds=60 * args.purge_minutes)}
    args.folder.mkdir(parents=True, exist_ok=True)
    database = args.database or str(args.folder / "records.sqlite3")
    kind = "postgresql" if args.database else "sqlite"
    found: dict[str, Any] = {"rows": args.rows, "fill_seconds": fill(database, args.rows)}
    with closing(Store(database)) as store:
        found["searches"] = {name: slowest(store, span, want) for name, (span, want) in searches(args.rows).items()}
        found["statistics"] = statistics(store)
    tell(args.folder / f"{kind}.json", found)
    for name in args.only:
        found[name] = beside(database, lambda name=name: works[name](database, args.folder))
        tell(args.folder / f"{kind}.json", found)


def tell(file: Path, found: dict[str, Any]) -> None:
    """Show and keep what was found so far."""
    name, last = list(found.items())[-1]
    print(f"{name}: {json.dumps(last)}", flush=True)
    file.write_text(json.dumps(found, indent=2))


def nothing(database: str, folder: Path) -> None:
    """Wait, to see how long inserts take by themselves."""
    time.sleep(30)


def verify(database: str, folder: Path) -> int:
    """Go along the chain; returns how many faults were found."""
    with closing(Store(database, patient=True)) as store:
        return store.verify().faults


def copy(database: str, folder: Path) -> int:
    """Copy all of it; returns the copy's MiB."""
    target = folder / "copy"
    target.unlink(missing_ok=True)
    if "://" in database:
        subprocess.run(["pg_dump", "--format=custom", f"--file={target}", f"--dbname={database}"], check=True)
    else:
        backup(database, target)
    return target.stat().st_size >> 20


def purge(database: str, folder: Path, seconds: float = 600.0) -> int:
    """Delete the older half of the rows, or as many as these seconds allow; returns how many."""
    end = time.monotonic() + seconds
    with closing(Store(database, patient=True)) as store:
        done = store.purge(Keep(rows=store.head()[0].seq // 2), stop=lambda: time.monotonic() > end)
        give_back(store.database)
        return done.rows


WORKS: dict[str, Callable[[str, Path], Any]] = {
    "quiet": nothing, "verify": verify, "backup": copy, "purge": purge, "verify the rest": verify,
}  # fmt: skip
EVERY = 0.1
"""Seconds between the inserts beside them."""


def record(number: int, rows: int) -> Inspection:
    """One record of the year; the same number gives nearly the same record."""
    chance = random.Random(number)
    time_ms = START + number * YEAR // rows
    defects = [{"name": chance.choice(CLASSES), "label": 0, "score": 0.8, "box": [10.5, 20, 30, 40], "defect": True}]
    weak = [{"name": "stain", "label": 2, "score": 0.12, "box": [1, 2, 3, 4.25], "defect": False}]
    bad = number % 50 == 0
    return Inspection(
        id=new_id(time_ms), time_ms=time_ms, name=f"part {number:08d}-{chance.randrange(10**6):06d}",
        sha256=hashlib.sha256(str(number).encode()).hexdigest(), length=120_000, size=(640, 480),
        model=MODELS[number * 3 // rows % 3], rule=RULE, detections=(defects if bad else []) + weak * (number % 4 == 0),
        decision="NG" if bad else "OK", milliseconds={"network": 10.125, "total": 14.5},
        origin=Origin("line", "integrator", f"Station {number % 4 + 1}", f"A{number // 500:06d}"),
    )  # fmt: skip


def fill(database: str, rows: int) -> float:
    """Write what is missing, its indices last; returns the seconds it took."""
    began = time.perf_counter()
    store = Store(database)
    done = store.head()[0].seq
    if done >= rows:
        return 0.0
    indices = [index for table in (inspections, detections) for index in table.indexes]
    with store.database.writing() as connection:
        for index in indices:
            index.drop(connection, checkfirst=True)
        if store.database.file is None:
            connection.exec_driver_sql("DROP INDEX IF EXISTS inspections_by_text")
    for start in range(done, rows, BATCH):
        entries = [record(number, rows) for number in range(start, min(start + BATCH, rows))]
        with store.database.extending() as (connection, chain):
            if store.database.file is None:
                copy_inspections(connection, chain, entries)
            else:
                connection.exec_driver_sql("PRAGMA cache_size=-800000")
                write_inspections(connection, chain, entries)
        if start // BATCH % 25 == 0:
            print(f"{start + len(entries)} rows, {time.perf_counter() - began:.0f} s", flush=True)
    with store.database.writing() as connection:
        for index in indices:
            index.create(connection)
        make_text_index(connection)
        connection.exec_driver_sql("ANALYZE")
    store.close()
    return round(time.perf_counter() - began, 1)


def copy_inspections(connection: Connection, chain: Chain, entries: Sequence[Inspection]) -> None:
    """Do as `write_inspections`, with PostgreSQL's COPY: one row at a time takes an hour for 3 million."""
    rows, found = [], []
    for entry in entries:
        row, mine = inspection_row(entry), list(detection_rows(entry))
        chain.extend("inspection", row, mine)
        rows.append(row)
        found += mine
    for table, values in ((inspections, rows), (detections, found)):
        names = [column.name for column in table.columns]
        lines = "".join("\t".join(copied(each[name]) for name in names) + "\n" for each in values)
        cursor = connection.connection.cursor()
        cursor.execute(f"COPY {table.name} ({', '.join(names)}) FROM STDIN", stream=io.BytesIO(lines.encode()))
    count(connection, rows, found)


def copied(value: object) -> str:
    """A value as COPY reads it."""
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def searches(rows: int) -> dict[str, tuple[Span, Wanted]]:
    """Hits among the oldest records, which are the last to be looked at, and misses, of every kind."""
    old = record(rows // 20, rows)
    everything, first_month = Span(), Span(START, START + YEAR // 12)
    return {
        "latest": (everything, Wanted()),
        "picture, hit": (everything, Wanted(sha256=old.sha256)),
        "picture, miss": (everything, Wanted(sha256="f" * 64)),
        "class, hit": (everything, Wanted(defect="crack")),
        "class, miss": (everything, Wanted(defect="nothing like it")),
        "class in the first month": (first_month, Wanted(defect="crack")),
        "model, hit": (everything, Wanted(model="a" * 64)),
        "model, miss": (everything, Wanted(model="d" * 12)),
        "station, hit": (everything, Wanted(station="Station 3")),
        "station, miss": (everything, Wanted(station="Station 9")),
        "order, hit": (everything, Wanted(order=old.origin.order)),
        "order, miss": (everything, Wanted(order="B1")),
        "text, hit": (everything, Wanted(text=old.name[5:13])),
        "text, miss": (everything, Wanted(text="99999999-9")),
        "text that many hold, rare ending": (everything, Wanted(text="station 3x")),
        "NG, first month": (first_month, Wanted(decision="NG")),
        "NG and station and class": (everything, Wanted(decision="NG", station="Station 1", defect="burr")),
        "two that are common and never meet": (everything, Wanted(model="a" * 12, defect="burr", order="A005900")),
        "station and model that never meet": (Span(START + YEAR // 2), Wanted(model="a" * 12, station="Station 1")),
    }


def slowest(store: Store, span: Span, wanted: Wanted) -> dict[str, float]:
    """Search for at most 50."""
    return slowest_of(lambda: len(store.history(span, wanted, limit=50)))


def slowest_of(work: Callable[[], int]) -> dict[str, float]:
    """The slowest of three, what this process worked on it (SQLite: all of it), and the result."""
    times, worked = [], []
    for _ in range(3):
        began, before = time.perf_counter(), time.process_time()
        result = work()
        times.append(time.perf_counter() - began)
        worked.append(time.process_time() - before)
    return {"ms": round(max(times) * 1e3, 1), "processor_ms": round(max(worked) * 1e3, 1), "found": result}


def statistics(store: Store) -> dict[str, dict[str, float]]:
    """The slowest of three of all that the page asks for, over several times."""
    end = START + YEAR
    spans = {
        "all": Span(), "a week that begins within an hour": Span(end - 7 * 24 * HOUR_MS + 1234, end),
        "ten hours, by the quarter": Span(end - 10 * HOUR_MS, end),
    }  # fmt: skip
    return {name: slowest_of(lambda span=span: count_all(store, span)) for name, span in spans.items()}


def count_all(store: Store, span: Span) -> int:
    inspected, _, first, last = store.totals(span)
    store.by_class(span)
    store.overridden(span)
    assert first is not None and last is not None
    read_samples(store, span, first, last, START + 2 * YEAR, 40)
    return inspected


def beside(database: str, work: Callable[[], Any]) -> dict[str, Any]:
    """Do something while another process writes; returns its seconds, its result, and how long inserts waited."""
    stop, waits = multiprocessing.Event(), multiprocessing.Queue()
    writer = multiprocessing.Process(target=write_on, args=(database, stop, waits))
    writer.start()
    waits.get()  # it has begun
    began, before = time.perf_counter(), time.process_time()
    result = work()
    seconds, worked = time.perf_counter() - began, time.process_time() - before
    stop.set()
    times = sorted(waits.get())
    writer.join()
    return {
        "seconds": round(seconds, 1), "processor_seconds": round(worked, 1), "result": result, "inserts": len(times),
        "median_ms": round(times[len(times) // 2] * 1e3, 1), "p99_ms": round(times[len(times) * 99 // 100] * 1e3, 1),
        "longest_ms": [round(each * 1e3) for each in times[-5:]],
    }  # fmt: skip


def write_on(database: str, stop: Event, waits: Any) -> None:
    """Insert a record every tenth of a second, as a worker does."""
    store, times, number = Store(database), [], 10**8
    store.insert([record(number, 10**8)])
    waits.put("begun")
    while not stop.is_set() or not times:
        number += 1
        entry = record(number, 10**8)
        began = time.perf_counter()
        store.insert([entry])
        times.append(time.perf_counter() - began)
        time.sleep(EVERY)
    store.close()
    waits.put(times)


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
