"""A service that really listens, in this process, with a network that finds coloured patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_browser import axe, browser, open_page  # noqa: F401 - fixtures
from real_postgres import postgres, postgres_cluster  # noqa: F401 - fixtures

pytest.importorskip("fastapi", reason="the service needs pip install 'lightdet[service]'")
pytest.importorskip("httpx", reason="the tests of the service need httpx")


from one_model import changed, one_model
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
    return one_model(model_file, port=0, database=str(tmp_path / "records" / "i.sqlite3"), limits=limits)


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[..., Running]]:
    """Start a service with other settings or limits; stopped at the end of the test."""
    opened: list[Any] = []

    def begin(delay: float = 0.0, limits: dict[str, Any] | None = None, **changes: Any) -> Running:
        wanted = changed(settings, limits=replace(settings.limits, **(limits or {})), **changes)
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
    with running(one_model(model_file, port=0, database=database)) as service:
        yield service


@pytest.fixture
def served(start: Callable[..., Running]) -> Running:
    return start()


# --- databases --------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return str(tmp_path / "records.sqlite3")
    url: str = request.getfixturevalue("postgres")
    return url
