"""Ray, connected: on this computer alone, or a cluster that was started."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightdet.errors import UserError
from lightdet.missing import how_to_install


def ray_module() -> Any:
    """Import Ray, which reports nothing about its use.

    Raises:
        UserError: it is missing.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # noqa: PLC0415 - an extra
    except ImportError:
        raise UserError(f"--engine ray needs Ray: {how_to_install('ray')}") from None
    return ray


@contextmanager
def connected(ray: Any, address: str | None, processors: int | None = None) -> Iterator[None]:
    """Connect to Ray; its own handlers of signals, which would end this process at once, are taken back.

    Args:
        ray: `ray_module()`.
        address: of a cluster that was started; None: Ray is started on this computer, for itself alone, and ended
            afterwards. Where this process is connected to Ray already, that is used.
        processors: how many a Ray that is started here has; None: all.

    Raises:
        UserError: no cluster is there, or Ray cannot be started.
    """
    if ray.is_initialized():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if address is None:
            ray.init(num_cpus=processors, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        where = "Ray cannot be started here" if address is None else f"no cluster of Ray at '{address}'"
        raise UserError(f"{where}: {str(error).splitlines()[0][:200]}") from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)
    try:
        yield
    finally:
        ray.shutdown()
