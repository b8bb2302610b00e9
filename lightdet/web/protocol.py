"""The HTTP connection of uvicorn and h11, with limits on idle senders and on open connections."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from lightdet.web.errors import RefusalError, busy

ENDING = "lightdet.ending"
"""Set in the scope of a request whose connection is to end."""
_GRACE = 0.5
"""Seconds in which a connection without a request may still send one, when the worker ends."""


class Guarded(H11Protocol):
    """Limits the wait for a request's head and the number of open connections (`guarded_protocol`)."""

    header_timeout: float
    most_connections: int

    _head_timer: asyncio.TimerHandle | None = None
    _ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse the connection if there are too many; otherwise wait for a head."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self._end(busy("connections", "too many open connections; try again later"))
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Wait for the next head, or stop waiting."""
        if self._head_timer is None and not self._in_request():
            self._await_head()
        super().data_received(data)
        if self._in_request():
            self._stop_timer()
            if self._ending:
                self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """End what is idle; who has just connected has a request under way, and who listens without end is let go."""
        if self._in_request():
            scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # ours to add to
            scope[ENDING] = True
        if self.cycle is None and not self._ending:
            self._ending = True
            self.loop.call_later(_GRACE, self._end_idle)
        else:
            super().shutdown()

    def _end_idle(self) -> None:
        if not self._in_request() and not self.transport.is_closing():
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer in our own format."""
        refusal = RefusalError(400, "bad_request", "this is no HTTP request that can be read")
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self._answering():
            self._write(refusal)
        self.transport.close()

    def _in_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _answering(self) -> bool:
        return self._in_request() and self.cycle.response_started

    def _await_head(self) -> None:
        self._stop_timer()
        self._head_timer = self.loop.call_later(self.header_timeout, self._too_slow)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self._in_request() and not self.transport.is_closing():
            self._end(RefusalError(408, "too_slow", f"no request came within {self.header_timeout:g} s"))

    def _end(self, refusal: RefusalError) -> None:
        self._write(refusal)
        self.transport.close()

    def _write(self, refusal: RefusalError) -> None:
        body = refusal.body()
        headers: dict[str, Any] = {**refusal.headers(), "content-length": len(body), "connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"HTTP/1.1 {refusal.status} \r\n{head}\r\n".encode() + body)


def guarded_protocol(header_timeout: float, connections: int) -> type[H11Protocol]:
    """Return a protocol class for `uvicorn.Config`.

    Args:
        header_timeout: seconds for a request's head; uvicorn itself waits for it without end.
        connections: most open connections; more get 503 and are closed.
    """
    return type("Guarded", (Guarded,), {"header_timeout": header_timeout, "most_connections": connections})
