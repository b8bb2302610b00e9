"""``lightdet records`` as a user runs it."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="records need pip install 'lightdet[service]'")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "service"))

from test_migrations import write_first
from test_store import NOON, inspection

from lightdet.cli.app import main
from lightdet.service.records.store import Store
from lightdet.service.records.tables import SCHEMA


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = main(["records", *(str(arg) for arg in args)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = str(tmp_path / "i.sqlite3")
    store = Store(path)
    store.insert([inspection(NOON + i * 1000, *(["dent"] if i % 2 else []), name=f"=part {i}") for i in range(20)])
    store.close()
    return path


def test_verify(capsys: pytest.CaptureFixture[str], database: str, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "verify", "--database", database, "--json", tmp_path / "v.json")
    assert code == 0 and out.startswith("whole: rows 1 to 20, hash ")
    assert json.loads((tmp_path / "v.json").read_text())["faults"] == 0
    chain = tmp_path / "chain"
    chain.write_text(f"2026-01-01T12:00:00.000Z 20 {'0' * 64}\n")
    code, out, _ = run(capsys, "verify", "--database", database, "--chain-file", chain)
    assert code == 1 and "is not the one that was published" in out
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE inspections SET decision = 'OK' WHERE seq = 2")
    code, out, _ = run(capsys, "verify", "--database", database)
    assert code == 1 and out.startswith("row 2 (inspection ") and "FAULTS: 1: rows 1 to 20" in out


def test_backup_while_records_are_written_and_restore(
    capsys: pytest.CaptureFixture[str], database: str, tmp_path: Path
) -> None:
    copy, store, done = tmp_path / "copy.sqlite3", Store(database), threading.Event()

    def write() -> None:
        while not done.is_set():
            store.insert([inspection(NOON + 10**6)])

    thread = threading.Thread(target=write)
    thread.start()
    code, out, _ = run(capsys, "backup", "--database", database, "-o", copy)
    done.set()
    thread.join()
    assert code == 0 and "up to row" in out
    code, out, _ = run(capsys, "verify", "--database", copy)
    assert code == 0 and out.startswith("whole: rows 1 to ")
    assert "is there already" in run(capsys, "backup", "--database", database, "-o", copy)[2]
    assert "give --replace" in run(capsys, "restore", copy, "--database", database)[2]
    assert "is in use; stop the service first" in run(capsys, "restore", copy, "--database", database, "--replace")[2]
    store.close()
    code, out, _ = run(capsys, "restore", copy, "--database", database, "--replace")
    assert code == 0 and "what was there is now" in out
    assert run(capsys, "verify", "--database", database)[0] == 0
    aside = Path(out.splitlines()[0].removeprefix("what was there is now "))
    assert run(capsys, "verify", "--database", aside)[0] == 0


def test_restore_refuses_what_is_damaged(capsys: pytest.CaptureFixture[str], database: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    assert run(capsys, "backup", "--database", database, "-o", copy)[0] == 0
    whole = copy.read_bytes()
    copy.write_bytes(whole[:5000] + bytes(8000) + whole[13000:])
    code, _, err = run(capsys, "restore", copy, "--database", tmp_path / "new.sqlite3")
    assert code == 2 and err.count("\n") == 1 and str(copy) in err
    copy.write_bytes(b"no database at all, but long enough to be looked at" * 20)
    code, _, err = run(capsys, "restore", copy, "--database", tmp_path / "new.sqlite3")
    assert code == 2 and err.count("\n") == 1
    assert not (tmp_path / "new.sqlite3").exists()


def test_export(capsys: pytest.CaptureFixture[str], database: str, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    code, out, _ = run(capsys, "export", "--database", database, "-o", target, "--since", "2026-01-01T12:00:05Z")
    assert code == 0 and out == f"{target}: 15 inspections\n"
    text = target.read_text(encoding="utf-8-sig")
    assert all(line.startswith('"') and line.endswith('"') for line in text.splitlines())
    rows = list(csv.DictReader(text.splitlines()))
    assert rows[0]["name"] == "'=part 5" and rows[0]["station"] == "S 1"
    assert "write a day as" in run(capsys, "export", "--database", database, "-o", target, "--since", "2026")[2]
    assert "name the file .csv or .parquet" in run(capsys, "export", "--database", database, "-o", "a.xlsx")[2]


def test_parquet_without_its_package(
    capsys: pytest.CaptureFixture[str], database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    _, _, told = run(capsys, "export", "--database", database, "-o", tmp_path / "out.parquet")
    assert "pip install 'lightdet[parquet]'" in told and not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("rows", ["inspections", "detections"])
def test_parquet(capsys: pytest.CaptureFixture[str], database: str, tmp_path: Path, rows: str) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs pip install 'lightdet[parquet]'")
    code, out, _ = run(capsys, "export", "--database", database, "-o", tmp_path / "out.parquet", "--rows", rows)
    assert (
        code == 0
        and out == f"{tmp_path / 'out.parquet'}: {'the detections of ' * (rows == 'detections')}20 inspections\n"
    )


def test_migrate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(tmp_path / "old.sqlite3")
    write_first(path)
    code, out, _ = run(capsys, "migrate", "--database", path)
    assert code == 0 and "migrated from tables 1 to" in out and "1 row in the chain" in out
    assert "is of this version" in run(capsys, "migrate", "--database", path)[1]


@pytest.mark.parametrize("number", [1, SCHEMA - 1, SCHEMA + 1])
def test_only_migrate_changes_the_tables_of_another_version(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, database: str, number: int
) -> None:
    if number == 1:
        database = str(tmp_path / "old.sqlite3")
        write_first(database)
    else:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("UPDATE lightdet_about SET schema_version = ?", (number,))
    new = tmp_path / "out"
    before = dump(database)
    for args in (
        ("records", "verify", "--database", database),
        ("records", "export", "--database", database, "-o", f"{new}.csv"),
        ("records", "purge", "--database", database, "--rows", "1"),
        ("data", "collect", "--records", database, "-o", str(new)),
    ):
        assert main(list(args)) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and database in err and f"number {number}, " in err
        assert ("lightdet records migrate" in err) == (number < SCHEMA)
    assert dump(database) == before and not list(tmp_path.glob("out*"))
    if number < SCHEMA:
        assert run(capsys, "migrate", "--database", database)[0] == 0
        assert run(capsys, "verify", "--database", database)[0] == 0


def dump(database: str) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [str(row) for row in connection.execute("SELECT * FROM sqlite_master, lightdet_about")]


def test_purge(capsys: pytest.CaptureFixture[str], database: str) -> None:
    assert "say what to keep" in run(capsys, "purge", "--database", database)[2]
    code, out, _ = run(capsys, "purge", "--database", database, "--rows", 5)
    assert code == 0 and out == "deleted the oldest 15 rows; 5 rows left\n"
    code, out, _ = run(capsys, "verify", "--database", database)
    assert code == 0 and "rows 1 to 15 were deleted by retention" in out


def test_a_database_that_is_not_there_is_not_made(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for verb in (
        ("verify",),
        ("backup", "-o", tmp_path / "c"),
        ("export", "-o", tmp_path / "c.csv"),
        ("migrate",),
        ("purge", "--rows", 1),
    ):
        code, _, err = run(capsys, *verb, "--database", tmp_path / "none.sqlite3")
        assert code == 2 and "no such file" in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert "pg_dump" in run(capsys, "backup", "-o", tmp_path / "c", "--database", "postgresql://u@h/d")[2]
    shutil.rmtree(tmp_path)
