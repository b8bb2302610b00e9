"""Python warnings from decoders, silenced: large size (limited elsewhere) and odd EXIF (harmless)."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Silencing warnings affects the whole process, so only one thread at a time does it, while it reads a header.
_header_lock = threading.Lock()


def _renew_lock() -> None:
    global _header_lock  # noqa: PLW0603 - a forked child must not inherit a lock that a thread of its parent holds
    _header_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@contextmanager
def quiet_warnings() -> Iterator[None]:
    """Silence them; only while reading a header, because other threads wait."""
    with _header_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
