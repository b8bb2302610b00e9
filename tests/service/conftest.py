"""A service that really listens, in this process, with a network that finds coloured patches; real databases."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_browser import axe, browser, open_page  # noqa: F401 - fixtures

pytest.importorskip("fastapi", reason="the service needs pip install 'lightdet[service]'")
pytest.importorskip("httpx", reason="the tests of the service need httpx")


from running_service import Running, running

from lightdet.service.settings import Limits, Settings


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "colors.safetensors"
    path.write_bytes(b"the network of the tests is no file")
    return path


@pytest.fixture
def settings(tmp_path: Path, model_file: Path) -> Settings:
    limits = Limits(header_timeout=5.0, body_timeout=5.0, timeout=20.0)
    return Settings(model_file, port=0, database=str(tmp_path / "records" / "i.sqlite3"), limits=limits)


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[..., Running]]:
    """Start a service with other settings or limits; stopped at the end of the test."""
    opened: list[Any] = []

    def begin(delay: float = 0.0, limits: dict[str, Any] | None = None, **changes: Any) -> Running:
        wanted = replace(settings, limits=replace(settings.limits, **(limits or {})), **changes)
        manager = running(wanted, delay)
        opened.append(manager)
        return manager.__enter__()

    yield begin
    for manager in reversed(opened):
        manager.__exit__(None, None, None)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    """One service for all tests that leave it as it was."""
    database = str(tmp_path_factory.mktemp("shared") / "i.sqlite3")
    with running(Settings(model_file, port=0, database=database)) as service:
        yield service


@pytest.fixture
def served(start: Callable[..., Running]) -> Running:
    return start()


# --- a real PostgreSQL ------------------------------------------------------------------------------------


class Postgres:
    """A cluster of its own in a temporary folder, on a free port, that a test may stop and start."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.data, self.tools = folder / "data", tools
        # PostgreSQL does not run as root; Debian's package brings a user for it.
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(folder, "postgres", "postgres")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        password = folder / "password"
        password.write_text("se:cret/ pass@word")
        if self._as:
            shutil.chown(password, "postgres")
        self._run("initdb", "-D", self.data, "-U", "lightdet", "-A", "scram-sha-256", f"--pwfile={password}", "-N")
        self.start()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://lightdet:se%3Acret%2F%20pass%40word@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._run("pg_ctl", "-D", self.data, "-w", "-o", options, "-l", self.data.parent / "log", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def new_database(self, name: str) -> str:
        import sqlalchemy

        engine = sqlalchemy.create_engine(
            self.url().replace("postgresql://", "postgresql+pg8000://"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(f'CREATE DATABASE "{name}"'))
        engine.dispose()
        return self.url(name)

    def _run(self, tool: str, *args: object) -> None:
        command = [*self._as, str(self.tools / tool), *map(str, args)]
        result = subprocess.run(
            command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120
        )
        assert result.returncode == 0, result.stdout


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Postgres]:
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(found) for found in [shutil.which("initdb")] if found
    ]
    if not tools:
        pytest.skip("no PostgreSQL here: apt install postgresql")
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv to run it as another user")
    # Not under pytest's own folder: that belongs to the user who runs the tests alone.
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="lightdet-postgres-"))
    cluster = Postgres(folder, tools[-1].parent)
    yield cluster
    cluster.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_cluster: Postgres, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database."""
    return postgres_cluster.new_database(f"test_{abs(hash(request.node.nodeid)) % 10**12}_{time.monotonic_ns()}")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return str(tmp_path / "records.sqlite3")
    url: str = request.getfixturevalue("postgres")
    return url
