"""Comes before everything else: who may ask, what a browser may do with the answer, how long it took."""

from __future__ import annotations

import base64
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from lightdet.web.errors import GoneError, RefusalError

log = logging.getLogger("lightdet.service")
access = logging.getLogger("lightdet.access")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Admit = Callable[[Mapping[bytes, str]], object]

OPEN_PATHS = ("/health", "/ready")
"""Addresses that a load balancer or a container may ask without a key."""
CLOSED_PREFIXES = ("/api/", "/metrics")
_LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}


class Books(Protocol):
    """Counts requests."""

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered, or its caller hung up (499)."""

    def refuse(self, code: str) -> None:
        """It was refused."""

    def gone(self) -> None:
        """Its caller hung up while sending."""


class Guard:
    """ASGI middleware around the whole application.

    Args:
        app: the application to guard.
        books: counts every request.
        admit: returns who asks, by the headers, for what needs a key, or raises a `RefusalError`; None: anybody may.
        hosts: names under which it may be reached; ``*`` allows any. Numeric addresses are always allowed: only with
            a name can a foreign web page turn a browser of this network against it (DNS rebinding).
    """

    def __init__(
        self, app: App, *, hosts: Iterable[str], books: Books | None = None, admit: Admit | None = None
    ) -> None:
        self._app, self._books, self._admit = app, books, admit
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(send)
        began = time.perf_counter()
        try:
            await self._serve(scope, receive, exchange)
        finally:
            self._count(scope, exchange.status, time.perf_counter() - began)

    async def _serve(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self._check(scope, headers)
            await self._app(scope, receive, exchange)
        except GoneError:
            if self._books is not None:
                self._books.gone()
            exchange.status = 499  # as others count it; nobody sees this
            if not exchange.started:  # the server wants an answer for its books
                await exchange.refuse(RefusalError(400, "hung_up", "the request was incomplete"))
                exchange.status = 499
        except RefusalError as refusal:
            if self._books is not None:
                self._books.refuse(refusal.code)
            await exchange.refuse(refusal)
        except Exception:
            log.exception("%s %s failed", scope["method"], _printable(scope["path"]))
            if exchange.started:
                return  # the server closes unfinished answers
            await exchange.refuse(RefusalError(500, "internal", "something went wrong here; see the log"))

    def _check(self, scope: Scope, headers: dict[bytes, str]) -> None:
        path, method = scope["path"], scope["method"]
        host = headers.get(b"host", "")
        if not self._knows(host) and path not in OPEN_PATHS:
            message = "this service is not known under this name; start it with --allow-host NAME, or with an API key"
            raise RefusalError(421, "unknown_host", message)
        if method not in ("GET", "HEAD") and not _same_site(host, headers):
            raise RefusalError(403, "cross_site", "requests from other web pages are refused")
        if self._admit is not None and path.startswith(CLOSED_PREFIXES):
            scope["lightdet.caller"] = self._admit(headers)

    def _knows(self, host: str) -> bool:
        if "*" in self._hosts:
            return True
        name = _host_name(host)
        if name in self._hosts or name in _LOOPBACK_NAMES:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        if self._books is not None:
            route = getattr(scope.get("route"), "path", None) or "other"
            method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"
            self._books.answered(method, route, status, seconds)
        if access.isEnabledFor(logging.INFO):
            client = (scope.get("client") or ("-",))[0]
            access.info("%s %s %s %d %.1f ms", client, method, _printable(scope["path"]), status, seconds * 1e3)


class _Exchange:
    """Passes an answer on and adds the headers that every answer has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            present = {name for name, _ in message["headers"]}
            added = [(k.encode(), v.encode()) for k, v in _HEADERS.items() if k.encode() not in present]
            if b"cache-control" not in present:
                added.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*message["headers"], *added]}
        await self._send(message)

    async def refuse(self, refusal: RefusalError) -> None:
        body = refusal.body()
        headers = refusal.headers() | {"content-length": str(len(body))}
        if refusal.status == 401:
            headers["www-authenticate"] = "Bearer"
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self({"type": "http.response.start", "status": refusal.status, "headers": encoded})
        await self({"type": "http.response.body", "body": body})


def shown_key(headers: Mapping[bytes, str]) -> str:
    """Return the key in a request's headers, "" if there is none."""
    kind, _, given = headers.get(b"authorization", "").partition(" ")
    found = {"bearer": given, "basic": _password(given)}.get(kind.lower(), "")
    return (headers.get(b"x-api-key") or found).strip()


def _password(given: str) -> str:
    """The password of a basic authorization, which some programs can only send; its user name says nothing here."""
    try:
        return base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")[2]
    except ValueError:
        return ""


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def _same_site(host: str, headers: dict[bytes, str]) -> bool:
    """Whether a request that changes something comes from a program, or from our own page."""
    if headers.get(b"sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get(b"origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # no origin that a browser sends
        return False


def _printable(path: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in path)[:200]
