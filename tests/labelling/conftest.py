"""The labelling server really listening, in this process; a browser."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the page needs pip install 'lightdet[service]'")
pytest.importorskip("httpx", reason="the tests of the page need httpx")

import httpx
import numpy as np
import uvicorn
from label_folders import bare_folder, open_store
from label_page import Page
from page_browser import Open, axe, browser, open_page  # noqa: F401 - fixtures

from lightdet.data.images import read_image
from lightdet.labelling.app import create_app
from lightdet.labelling.proposals import Proposals
from lightdet.labelling.store import Store
from lightdet.structures import Detections
from lightdet.web.listening import listen


@dataclass
class Labelling:
    """A server on a free port."""

    url: str
    store: Store
    client: httpx.Client
    server: uvicorn.Server
    thread: threading.Thread

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def of(self, number: int, what: str = "") -> str:
        """The address of a picture, by its number in the list."""
        return f"/api/pictures/{self.get('/api/folder')['pictures'][number]['id']}{what}"

    def stop(self) -> None:
        self.client.close()
        self.server.should_exit = True
        self.thread.join(30)
        assert not self.thread.is_alive()


def find_patches(path: Path) -> Detections:
    """In place of a detector: the red patch as scratch, the green one as dent, and a weak box that is wrong."""
    image = read_image(path).astype(int)
    boxes, labels, scores = [], [], []
    for label in (0, 1):
        y, x = np.nonzero(image[..., label] - image[..., 2] > 100)
        if len(x):
            boxes.append([float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1)])
            labels.append(label)
            scores.append(0.9 - 0.1 * label)
    boxes, labels, scores = [*boxes, [2.0, 2.0, 12.0, 12.0]], [*labels, 0], [*scores, 0.2]
    return Detections(
        boxes=np.array(boxes, np.float32),
        scores=np.array(scores, np.float32),
        labels=np.array(labels, np.int64),
        names=("scratch", "dent"),
    )


def serve(store: Store, *, model: bool = False, port: int = 0) -> Labelling:
    listener = listen("127.0.0.1", port)
    proposals = Proposals(find_patches, "patches", store.folder.classes) if model else None
    config = uvicorn.Config(create_app(store, proposals), ws="none", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    return Labelling(url, store, httpx.Client(base_url=url, timeout=30), server, thread)


@pytest.fixture
def start() -> Iterator[Callable[..., Labelling]]:
    """Serve a folder; ended after the test."""
    opened: list[Labelling] = []

    def begin(
        folder: Path, form: str | None = None, classes: tuple[str, ...] = (), order: Path | None = None, **more: Any
    ) -> Labelling:
        opened.append(serve(open_store(folder, form, classes, order), **more))
        return opened[-1]

    yield begin
    for served in reversed(opened):
        served.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return bare_folder(tmp_path / "new", 4)


@pytest.fixture
def label(start: Callable[..., Labelling], open_page: Open, folder: Path) -> Page:  # noqa: F811
    return Page(open_page(start(folder, form="yolo", classes=("scratch", "dent")).url))
