"""Labelling a folder from its options to Ctrl-C."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from lightdet.data.proposal_file import read_proposals
from lightdet.errors import UserError
from lightdet.files import make_folder, run_name, write_json
from lightdet.labelling.app import KEY, create_app
from lightdet.labelling.open_folder import HIDDEN, open_folder
from lightdet.labelling.proposals import Proposals, Source, StoredProposals, load_proposer
from lightdet.labelling.store import Store
from lightdet.lock_file import lock_file
from lightdet.web.listening import BACKLOG, listen, signals_end_quietly, url_of
from lightdet.web.protocol import guarded_protocol

_HEAD_SECONDS, _CONNECTIONS = 15.0, 200


@dataclass(frozen=True)
class LabelSettings:
    """What is labelled and how it is served; the fields are the options of ``lightdet label``."""

    path: Path
    form: str | None = None
    classes: tuple[str, ...] = ()
    weights: Path | None = None
    device: str = "cpu"
    imgsz: int | None = None
    order: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8010
    hosts: tuple[str, ...] = field(default=())
    json: Path | None = None


def run(settings: LabelSettings, say: Callable[[str], None], loader: Callable[..., Any] = load_proposer) -> None:
    """Serve the page until SIGTERM or SIGINT.

    Args:
        settings: the options.
        say: shows a line to the person who started it.
        loader: returns the predictor of a model file.

    Raises:
        UserError: the folder, the model or the address cannot be used, or the folder is being labelled already.
    """
    if settings.weights is not None:
        say(f"loading {settings.weights}")
    predictor = (
        None if settings.weights is None else loader(settings.weights, device=settings.device, imgsz=settings.imgsz)
    )
    kept = read_proposals(settings.path) if predictor is None and settings.path.is_dir() else None
    names = tuple(predictor.names) if predictor is not None else () if kept is None else kept.classes
    listener = listen(settings.host, settings.port)
    try:
        url = url_of(settings.host, listener)
        folder, history = open_folder(settings.path, settings.form, settings.classes, settings.order, usual=names)
        with _alone(folder.root / HIDDEN, url):
            store = Store(folder, history)
            proposals: Source | None = None if kept is None else StoredProposals(kept, folder.classes)
            if predictor is not None and settings.weights is not None:
                proposals = Proposals(predictor, run_name(settings.weights), folder.classes)
            for line in (*folder.notes, *_facts(store, names)):
                say(line)
            key = None if settings.host in ("127.0.0.1", "localhost", "::1") else secrets.token_urlsafe(16)
            shown = url if key is None else f"{url}?{KEY}={key}"
            if settings.json is not None:
                write_json(settings.json, {"url": shown, "pid": os.getpid(), "folder": str(folder.root)})
            say(f"label at {shown} (Ctrl-C ends it; every change is saved at once)")
            if key is not None:
                say(
                    "other computers reach it by this computer's name or address; who has the key can change the labels"
                )
            _serve(create_app(store, proposals, hosts=settings.hosts, key=key), listener)
    finally:
        listener.close()


def _facts(store: Store, proposed: Sequence[str]) -> Iterator[str]:
    states, _ = store.counts()
    listed = ", ".join(f"{states[state]} {state}" for state in ("unlabelled", "labelled", "doubtful"))
    yield f"{len(store.folder.pictures)} pictures: {listed}; classes: {', '.join(store.folder.classes) or 'none yet'}"
    faults = [picture for picture in store.folder.pictures if picture.fault]
    if faults:
        yield f"{len(faults)} pictures cannot be labelled; the first: {faults[0].fault}"
    if store.history.unread:
        yield f"{store.history.path}: lines that cannot be read are left out: {store.history.unread}"
    foreign = [name for name in proposed if name not in store.folder.classes]
    if foreign:
        yield f"boxes that the model proposes for {', '.join(foreign)} are left out: the folder has no such class"


@contextmanager
def _alone(hidden: Path, url: str) -> Iterator[None]:
    """Hold the folder, so that no second server writes to it.

    Raises:
        UserError: another one does.
    """
    make_folder(hidden)

    def taken(where: str) -> UserError:
        return UserError(f"is being labelled already at {where or 'another address'}; open that", path=hidden.parent)

    with lock_file(hidden / "lock", url, taken):
        yield


def _serve(app: Any, listener: Any) -> None:
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        http=guarded_protocol(_HEAD_SECONDS, _CONNECTIONS),
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        backlog=BACKLOG,
    )
    with signals_end_quietly():
        uvicorn.Server(config).run(sockets=[listener])
