"""Listening, serving and stopping, in one worker process (`workers` starts them)."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from collections.abc import Callable

import uvicorn

from lightdet.errors import UserError
from lightdet.service.app import create_app
from lightdet.service.settings import Settings
from lightdet.service.state import Service
from lightdet.web.listening import BACKLOG, signals_end_quietly
from lightdet.web.protocol import guarded_protocol

log = logging.getLogger("lightdet.service")

_KEEP_ALIVE = 15
"""Seconds that an idle connection is held for its next request."""
_SWITCH = 0.0005
"""Seconds after which a Python thread yields to others. The network asks for the interpreter between its operations,
and would wait Python's usual 5 ms each time that the other threads are busy with requests."""


def serve_here(
    service: Service,
    listener: socket.socket,
    when_ready: Callable[[], None],
    hear_stop: Callable[[Callable[[], None]], None] = lambda _: None,
) -> None:
    """Serve in this process until SIGTERM, SIGINT or the parent ends it; started requests are finished first.

    Args:
        service: from `lightdet.service.app.assemble`.
        listener: from `listen`; closed at the end.
        when_ready: is called when requests are taken.
        hear_stop: receives a function that ends the service, from any thread.
    """
    sys.setswitchinterval(_SWITCH)
    settings, limits = service.settings, service.settings.limits
    config = uvicorn.Config(
        create_app(service, when_ready=when_ready),
        http=guarded_protocol(limits.header_timeout, limits.connections),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # the guard writes its own log
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=round(limits.timeout + limits.body_timeout + 5),
        backlog=BACKLOG,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    server = uvicorn.Server(config)
    hear_stop(lambda: setattr(server, "should_exit", True))
    with signals_end_quietly():
        server.run(sockets=[listener])


def check_tls(settings: Settings) -> None:
    """Refuse a certificate and key that cannot be used.

    Raises:
        UserError: damaged, encrypted, or not belonging to each other.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError):
        message = "this certificate and key cannot be used together; give PEM files, the key without a password"
        raise UserError(message, path=settings.tls_cert) from None


def set_up_logging(access_log: bool) -> None:
    """Send the service's log to stderr, without uvicorn's routine messages."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name, level in (("lightdet", logging.INFO), ("uvicorn.error", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
    logging.getLogger("lightdet.access").setLevel(logging.INFO if access_log else logging.WARNING)
