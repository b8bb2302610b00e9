"""The application for labelling a folder: its page, its addresses, and who may ask."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI

from lightdet import __version__
from lightdet.labelling.proposals import Proposals
from lightdet.labelling.routes import label_routes
from lightdet.labelling.store import Store
from lightdet.web.errors import answer_in_our_words
from lightdet.web.guard import POLICY, Guard
from lightdet.web.pages import page_routes

_PAGE_HEADERS = {"content-security-policy": f"{POLICY}; style-src-attr 'unsafe-inline'"}
"""Annotorious colours each box by a style attribute. Scripts and style sheets stay our own alone."""


def create_app(
    store: Store, proposals: Proposals | None = None, *, bit_depth: int = 16, hosts: Sequence[str] = ()
) -> FastAPI:
    """Return the application.

    Args:
        store: the folder's labels.
        proposals: what a model finds, None without a model.
        bit_depth: significant bits of 16-bit pictures.
        hosts: names under which it may be reached, besides this computer's own and numeric addresses.
    """
    app = FastAPI(title="lightdet label", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(label_routes(store, proposals, bit_depth))
    app.include_router(page_routes("lightdet.labelling", {"/": "label.html"}, _PAGE_HEADERS))
    answer_in_our_words(app)
    app.add_middleware(Guard, hosts=hosts)
    return app
