"""Keep freed memory: training asks for the same gigabyte in every step, inference for the same feature maps."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# From malloc.h of glibc.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
_LARGE = 2**31 - 1
_PAD = 64 << 20

_keeping = False


def keep_freed_memory() -> bool:
    """Tell glibc's allocator not to return freed memory to the system; True if that worked.

    Otherwise each large tensor is mapped again and the system clears its pages on first touch, in every training
    step: a tenth to a fifth of the time on one thread. At 608 pixels this takes an eighth of an inference on one
    thread, a third on two. All threads share one heap: what one thread frees is available to
    the others. Elsewhere (Windows, macOS, musl) nothing is done.
    """
    library = _glibc()
    if library is None:
        return False
    global _keeping  # noqa: PLW0603 - the allocator is one for the process, too
    _keeping = True
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGE), (_TOP_PAD, _PAD), (_ARENA_MAX, 1))
    accepted = [
        library.mallopt(name, value) for name, value in settings
    ]  # call each of them, whatever the others return
    return all(accepted)


def return_freed_memory() -> None:
    """Return kept memory after all: the next step needs other sizes, which must not come on top of it."""
    library = _glibc()
    if library is not None and _keeping:
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """GNU's C library; others have neither these settings nor this name."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "gnu_get_libc_version") else None
    except OSError:
        return None
