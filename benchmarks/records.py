"""Millions of records: how long searches, statistics, purge, backup and verification take, and whether inserts wait.

    python benchmarks/records.py FOLDER --rows 3000000 --json records.json
    python benchmarks/records.py FOLDER --rows 3000000 --database postgresql://… --json records.json

Records of one year are written into FOLDER/records.sqlite3 (or the PostgreSQL), through the service's own code, without
small pictures; an interrupted run continues. Every search is done three times, and the slowest counts. While the
records are purged, copied and verified, another process writes one record every 20 ms and measures each of its waits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import random
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from lightdet.service.inspection import Inspection, ModelIdentity, Origin, new_id
from lightdet.service.keep import Keep
from lightdet.service.records.backup import backup
from lightdet.service.records.retention import HOUR_MS
from lightdet.service.records.span import Span
from lightdet.service.records.store import Store, Wanted
from lightdet.service.records.write import write_inspections

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
    parser.add_argument("--purged", type=int, default=200_000, help="rows that are purged")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    database = args.database or str(args.folder / "records.sqlite3")
    found: dict[str, Any] = {"rows": args.rows, "fill_seconds": fill(database, args.rows)}
    store = Store(database)
    found["searches"] = {name: slowest(store, span, wanted) for name, (span, wanted) in searches(args.rows).items()}
    found["statistics"] = statistics(store)
    works: dict[str, Callable[[], Any]] = {"verify": lambda: store.verify().faults}
    if store.database.file is not None:
        copy = args.folder / "copy.sqlite3"
        copy.unlink(missing_ok=True)
        works["backup"] = lambda: backup(database, copy).seq
    works["purge"] = lambda: store.purge(Keep(rows=store.head()[0].seq - args.purged)).rows
    found["quiet"] = beside(database, lambda: time.sleep(20))
    for name, work in works.items():
        found[name] = beside(database, work)
        print(name, found[name], flush=True)
    found["verify again"] = store.verify().faults
    if store.database.file is not None:
        found["mib"] = round(store.database.file.stat().st_size / (1 << 20))
    store.close()
    print(json.dumps(found, indent=2))
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


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
    """Write what is missing; returns the seconds it took."""
    began = time.perf_counter()
    store = Store(database)
    done = store.head()[0].seq
    for start in range(done, rows, BATCH):
        entries = [record(number, rows) for number in range(start, min(start + BATCH, rows))]
        with store.database.extending() as (connection, chain):
            if store.database.file is not None:
                connection.exec_driver_sql("PRAGMA cache_size=-800000")
            write_inspections(connection, chain, entries)
        if start // BATCH % 25 == 0:
            print(f"{start + len(entries)} rows, {time.perf_counter() - began:.0f} s", flush=True)
    store.close()
    return round(time.perf_counter() - began, 1)


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
    """The slowest of three, what the processor worked on it (SQLite: all of it), and how many were found of 50."""
    times, worked = [], []
    for _ in range(3):
        began, before = time.perf_counter(), time.process_time()
        count = len(store.history(span, wanted, limit=50))
        times.append(time.perf_counter() - began)
        worked.append(time.process_time() - before)
    return {"ms": round(max(times) * 1e3, 1), "processor_ms": round(max(worked) * 1e3, 1), "found": count}


def statistics(store: Store) -> dict[str, float]:
    """Milliseconds for all that the page asks for, over all records and over a week that begins within an hour."""
    week = Span(START + YEAR - 7 * 24 * HOUR_MS + 1234, START + YEAR)
    times = {}
    for name, span in {"all": Span(), "a week": week}.items():
        began, before = time.perf_counter(), time.process_time()
        store.totals(span)
        store.by_class(span)
        store.overridden(span)
        store.series(span, START, 24 * HOUR_MS)
        times[name] = round((time.perf_counter() - began) * 1e3, 1)
        times[f"{name}, processor"] = round((time.process_time() - before) * 1e3, 1)
    return times


def beside(database: str, work: Callable[[], Any]) -> dict[str, Any]:
    """Do something while another process writes; returns its seconds, its result, and how long inserts waited."""
    stop, waits = multiprocessing.Event(), multiprocessing.Queue()
    writer = multiprocessing.Process(target=write_on, args=(database, stop, waits))
    writer.start()
    waits.get()  # it has begun
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    stop.set()
    times = waits.get()
    writer.join()
    return {
        "seconds": round(seconds, 1), "result": result, "inserts": len(times),
        "median_ms": round(sorted(times)[len(times) // 2] * 1e3, 1), "longest_ms": round(max(times) * 1e3, 1),
    }  # fmt: skip


def write_on(database: str, stop: Event, waits: Any) -> None:
    """Insert a record every 20 ms, as a worker does."""
    store, times, number = Store(database), [], 10**8
    store.insert([record(number, 10**8)])
    waits.put("begun")
    while not stop.is_set() or not times:
        number += 1
        entry = record(number, 10**8)
        began = time.perf_counter()
        store.insert([entry])
        times.append(time.perf_counter() - began)
        time.sleep(0.02)
    store.close()
    waits.put(times)


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
