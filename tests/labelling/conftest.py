"""The labelling server really listening, in this process; a browser."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the page needs pip install 'lightdet[service]'")
pytest.importorskip("httpx", reason="the tests of the page need httpx")

import httpx
import numpy as np
import uvicorn
from label_folders import open_store
from page_browser import axe, browser, open_page  # noqa: F401 - fixtures

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

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


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


@contextmanager
def labelling(store: Store, *, model: bool = False) -> Iterator[Labelling]:
    listener = listen("127.0.0.1", 0)
    proposals = Proposals(find_patches, "patches", store.folder.classes) if model else None
    config = uvicorn.Config(create_app(store, proposals), ws="none", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with httpx.Client(base_url=url, timeout=30) as client:
        yield Labelling(url, store, client)
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def start() -> Iterator[Callable[..., Labelling]]:
    """Serve a folder; ended after the test."""
    opened: list[Any] = []

    def begin(folder: Path, *, form: str | None = None, classes: tuple[str, ...] = (), **more: bool) -> Labelling:
        manager = labelling(open_store(folder, form, classes), **more)
        opened.append(manager)
        return manager.__enter__()

    yield begin
    for manager in reversed(opened):
        manager.__exit__(None, None, None)
