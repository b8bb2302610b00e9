"""Keep what was freed: a training asks for the same gigabyte again in every step, a network for the same maps."""

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
    """Tell glibc's allocator not to give freed memory back to the system; True where that could be told.

    Each large tensor is otherwise mapped anew and its pages are cleared by the system at the first touch, in every
    step of a training: a tenth to a fifth of the time on one thread. At 608 pixels the same takes an eighth of an
    inference on one thread, a third on two. All threads share one heap: what one freed serves
    the others. Elsewhere (Windows, macOS, musl) nothing is done.
    """
    library = _glibc()
    if library is None:
        return False
    global _keeping  # noqa: PLW0603 - the allocator is one for the process, too
    _keeping = True
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGE), (_TOP_PAD, _PAD), (_ARENA_MAX, 1))
    told = [library.mallopt(name, value) for name, value in settings]  # each of them, whatever the others say
    return all(told)


def return_freed_memory() -> None:
    """Give kept memory back all the same: what comes next needs other sizes, and must not pile up on it."""
    library = _glibc()
    if library is not None and _keeping:
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """GNU's C library; other ones have neither these settings nor this name."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "gnu_get_libc_version") else None
    except OSError:
        return None
