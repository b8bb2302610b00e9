"""A service that really listens, in this process, with a network that finds coloured patches."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from colors import ColorRuntime, color_predictor

from lightdet.service.app import assemble, create_app
from lightdet.service.engine import Engine
from lightdet.service.settings import Settings
from lightdet.service.state import Service
from lightdet.web.listening import listen
from lightdet.web.protocol import guarded_protocol


@dataclass
class Running:
    """A service on a free port."""

    url: str
    port: int
    service: Service
    runtime: ColorRuntime
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=30)

    @property
    def engine(self) -> Engine:
        """Of the only model."""
        return self.service.models.choose(None).engine

    def detect(self, data: bytes, **query: Any) -> httpx.Response:
        return self.client.post("/api/detect", content=data, params=query, headers={"content-type": "image/png"})

    def metric(self, line: str) -> float:
        """The value of a metric, 0 where it has none."""
        text = self.client.get("/metrics").text
        return next((float(each.rpartition(" ")[2]) for each in text.splitlines() if each.startswith(line + " ")), 0.0)


@contextmanager
def running(settings: Settings, delay: float = 0.0) -> Iterator[Running]:
    runtime = ColorRuntime(delay)
    service = assemble(settings, lambda each: color_predictor(runtime, each))
    runtime.calls = 0
    listener = listen(settings.host, settings.port)
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        create_app(service),
        http=guarded_protocol(settings.limits.header_timeout, settings.limits.connections),
        ws="none",
        log_config=None,
        server_header=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    # A loop of its own that is closed at the end: nothing is left open to warn about.
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    running = Running(f"http://127.0.0.1:{port}", port, service, runtime)
    try:
        yield running
    finally:
        running.client.close()
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
