"""What systemd is told (sd_notify(3)): ready, still well, ending. Without systemd, nothing is."""

from __future__ import annotations

import logging
import os
import socket
import time

log = logging.getLogger("lightdet.service")


class Systemd:
    """The socket that systemd listens on, if it started this process."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every = _watchdog_seconds() / 2
        self._next = 0.0

    def tell(self, state: str) -> None:
        """Send one state, such as ``READY=1``."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.setblocking(False)  # a systemd that does not listen must not stop the service
                line.connect(self._address)
                line.sendall(state.encode())
        except OSError as error:
            log.debug("systemd was not told: %s", error)

    def ping(self) -> None:
        """Say that all is well, twice in each of systemd's intervals; called more often, it does nothing."""
        now = time.monotonic()
        if self._every and now >= self._next:
            self._next = now + self._every
            self.tell("WATCHDOG=1")


def _watchdog_seconds() -> float:
    """How long systemd waits for a ping from this process; 0: it does not."""
    meant = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    given = os.environ.get("WATCHDOG_USEC", "")
    return int(given) / 1e6 if given.isdecimal() and meant == str(os.getpid()) else 0.0
