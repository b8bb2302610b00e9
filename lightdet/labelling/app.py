"""The application for labelling a folder: its page, its addresses, and who may ask."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

from fastapi import FastAPI

from lightdet import __version__
from lightdet.labelling.proposals import Source
from lightdet.labelling.routes import label_routes
from lightdet.labelling.store import Store
from lightdet.web.errors import RefusalError, answer_in_our_words
from lightdet.web.guard import Admit, Guard, shown_key
from lightdet.web.pages import page_routes

KEY = "key"
"""Where the page's address has the key; the page keeps it in the cookie `_COOKIE`."""
_COOKIE = "lightdet-label-key"


def create_app(
    store: Store,
    proposals: Source | None = None,
    *,
    bit_depth: int = 16,
    hosts: Sequence[str] = (),
    key: str | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        store: the folder's labels.
        proposals: what a model finds, None without a model.
        bit_depth: significant bits of 16-bit pictures.
        hosts: names under which it may be reached, besides this computer's own and numeric addresses; any with a key.
        key: what a browser must show; None: nothing.
    """
    app = FastAPI(title="lightdet label", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(label_routes(store, proposals, bit_depth))
    app.include_router(page_routes("lightdet.labelling", {"/": "label.html"}, drawn_on=("/",)))
    answer_in_our_words(app)
    # A foreign page under a name of its own has no key.
    app.add_middleware(Guard, hosts=hosts if key is None else ("*",), admit=None if key is None else _admission(key))
    return app


def _admission(key: str) -> Admit:
    def admit(headers: Mapping[bytes, str]) -> None:
        shown = shown_key(headers) or _from_cookie(headers.get(b"cookie", ""))
        if not hmac.compare_digest(shown.encode(), key.encode()):
            message = "open the whole address that 'lightdet label' shows where it runs: it ends in the key"
            raise RefusalError(401, "wrong_key" if shown else "no_key", message)

    return admit


def _from_cookie(text: str) -> str:
    named = (part.strip().partition("=") for part in text.split(";"))
    return next((value for name, _, value in named if name == _COOKIE), "")
