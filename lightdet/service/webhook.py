"""Sends alarms to another program: signed, with the time, again and again until it has them."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import logging
import queue
import secrets
import threading
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from lightdet import __version__
from lightdet.addresses import ascii_url
from lightdet.service.alarms import Alarm

log = logging.getLogger("lightdet.service")

WAITS = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 600.0)
"""Seconds before each further try; half an hour in all."""
_TIMEOUT = 10.0
_MOST_WAITING = 100
_AGAIN = (408, 425, 429)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what a receiver compares: ``sha256=`` and HMAC-SHA-256 of ``timestamp + "." + body``, hexadecimal."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Another address than the one that was given gets nothing."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Poster:
    """Posts signed JSON to one address.

    Args:
        url: where to; letters in it need not be ASCII.
        secret: see `signature`.

    Attributes:
        shown: the address, without what may be a secret of its own.

    Raises:
        ValueError: see `ascii_url`.
    """

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._secret = ascii_url(url), secret
        self.shown = f"{urlsplit(url).scheme}://{urlsplit(url).netloc.rpartition('@')[2]}"
        self._opener = urllib.request.build_opener(_NoRedirect)

    def post(self, body: bytes, delivery: str) -> tuple[str, bool]:
        """Return what was wrong, empty if nothing, and whether another try is of no use."""
        timestamp = str(int(time.time()))  # of this try: a receiver may refuse what is old
        request = urllib.request.Request(  # noqa: S310 - http or https alone, see AlarmRules
            self._url,
            data=body,
            method="POST",
            headers={
                "Content-Type": "application/json",
                "User-Agent": f"lightdet/{__version__}",
                "X-Lightdet-Delivery": delivery,
                "X-Lightdet-Timestamp": timestamp,
                "X-Lightdet-Signature": signature(self._secret, timestamp, body),
            },
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT):
                return "", False
        except urllib.error.HTTPError as error:
            error.close()
            return f"answers {error.code}", error.code < 500 and error.code not in _AGAIN
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            return f"cannot be reached ({' '.join(str(reason).split())[:120] or type(reason).__name__})", False


class Webhook:
    """Sends in a thread of its own, one after the other, so that alarms arrive in their order.

    Args:
        url: where to.
        secret: see `signature`.
        waits: see `WAITS`.
    """

    def __init__(self, url: str, secret: str, waits: tuple[float, ...] = WAITS) -> None:
        self._poster, self._waits = Poster(url, secret), waits
        self._queue: queue.Queue[Alarm | None] = queue.Queue(_MOST_WAITING)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    def send(self, alarm: Alarm) -> None:
        """Send it soon; where a hundred wait already, it is given up and told in the log."""
        try:
            self._queue.put_nowait(alarm)
        except queue.Full:
            log.error("alarm not sent to %s, as a hundred wait already: %s", self._poster.shown, alarm.text)

    def close(self) -> None:
        """Try what waits once more, and end."""
        self._ending.set()
        self._thread.join(2 * _TIMEOUT)

    def _run(self) -> None:
        while not (self._ending.is_set() and self._queue.empty()):
            try:
                alarm = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            if alarm is None:
                continue
            try:
                self._deliver(alarm)
            except Exception as error:
                # Whatever it is, the next alarm may get through. The error's own words may hold the address.
                log.error("alarm given up, as sending failed (%s): %s", type(error).__name__, alarm.text)

    def _deliver(self, alarm: Alarm) -> None:
        body = json.dumps(alarm.as_dict() | {"sender": f"lightdet {__version__}"}, ensure_ascii=False).encode()
        delivery = secrets.token_hex(16)
        for number, wait in enumerate((*self._waits, None), start=1):
            problem, final = self._poster.post(body, delivery)
            if not problem:
                return
            if final or wait is None:
                log.error("alarm given up, as %s %s: %s", self._poster.shown, problem, alarm.text)
                return
            log.warning("alarm not yet sent (try %d), as %s %s", number, self._poster.shown, problem)
            if self._ending.wait(wait):
                problem, _ = self._poster.post(body, delivery)
                if problem:
                    log.error("alarm not sent before the end, as %s %s: %s", self._poster.shown, problem, alarm.text)
                return
