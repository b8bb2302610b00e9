"""Bodies that are no pictures, read within the service's bounds before the framework reads them, which has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastapi import Request

from lightdet.service.settings import MIB, Limits
from lightdet.service.uploads import Memory, read_body
from lightdet.web.guard import App, Message, Receive, Scope, Send

MOST_JSON = 4 * MIB
"""Bytes of a body that is no picture: JSON takes many times its bytes when it is read."""
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")


class Bodies:
    """ASGI middleware that reads each body, and refuses what is too large, too slow or too much at the same time.

    Args:
        app: gets the body in one piece.
        limits: `max_bytes`, at most `MOST_JSON`, and `body_timeout` are obeyed here.
        memory: counts the bytes until the answer is given.
        besides: the beginnings of addresses that read their bodies themselves.
    """

    def __init__(self, app: App, *, limits: Limits, memory: Memory, besides: Sequence[str]) -> None:
        self._app, self._memory, self._besides = app, memory, tuple(besides)
        self._limits = replace(limits, max_bytes=min(limits.max_bytes, MOST_JSON))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            RefusalError, GoneError: see `read_body`.
        """
        if scope["type"] != "http" or scope["method"] in _WITHOUT_BODY or scope["path"].startswith(self._besides):
            await self._app(scope, receive, send)
            return
        with self._memory.account() as account:
            body = await read_body(Request(scope, receive), self._limits, account)
            await self._app(scope, _replayed(body, receive), send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body first, and then what else comes: that the caller hung up."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message
