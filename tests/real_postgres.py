"""A real PostgreSQL for tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

LOCAL = "127.0.0.1"


class Postgres:
    """A cluster of its own in a temporary folder, on a free port, that a test may stop and start.

    Args:
        folder: where it is made.
        tools: the folder of ``initdb`` and ``pg_ctl``.
        inside: what comes before each command, to run it on another host.
        address: that it listens on; other addresses of the same network may sign in.
    """

    def __init__(self, folder: Path, tools: Path, *, inside: tuple[str, ...] = (), address: str = LOCAL) -> None:
        self.data, self.tools, self.address = folder / "data", tools, address
        # PostgreSQL does not run as root; Debian's package brings a user for it.
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        self._before = [*inside, *user]
        if user:
            shutil.chown(folder, "postgres", "postgres")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        password = folder / "password"
        password.write_text("se:cret/ pass@word")
        if user:
            shutil.chown(password, "postgres")
        self._run("initdb", "-D", self.data, "-U", "lightdet", "-A", "scram-sha-256", f"--pwfile={password}", "-N")
        if address != LOCAL:
            with (self.data / "pg_hba.conf").open("a") as file:
                file.write("host all all samenet scram-sha-256\n")
        self.start()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://lightdet:se%3Acret%2F%20pass%40word@{self.address}:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses={self.address} -c unix_socket_directories= -c fsync=off"
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
        command = [*self._before, str(self.tools / tool), *map(str, args)]
        result = subprocess.run(
            command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120
        )
        assert result.returncode == 0, result.stdout


def postgres_tools() -> Path:
    """The folder of PostgreSQL's commands; skips the test where there is none."""
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(found) for found in [shutil.which("initdb")] if found
    ]
    if not tools:
        pytest.skip("no PostgreSQL here: apt install postgresql")
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv to run it as another user")
    return tools[-1].parent


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Postgres]:
    tools = postgres_tools()
    # Not under pytest's own folder: that belongs to the user who runs the tests alone.
    folder = Path(tempfile.mkdtemp(prefix="lightdet-postgres-"))
    cluster = Postgres(folder, tools)
    yield cluster
    cluster.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_cluster: Postgres, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database."""
    return postgres_cluster.new_database(f"test_{abs(hash(request.node.nodeid)) % 10**12}_{time.monotonic_ns()}")
