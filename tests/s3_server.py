"""A real S3 server on loopback, moto's, in a thread of this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def s3_server() -> Iterator[Any]:
    """Yield fsspec's file system on the server, with an empty bucket ``lake``; the environment leads there."""
    from moto.server import ThreadedMotoServer

    from lightdet.storage.filesystem import filesystem

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "gEhEiM")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        system, _ = filesystem("s3://lake")
        system.mkdir("lake")
        try:
            yield system
        finally:
            system.invalidate_cache()
            type(system).clear_instance_cache()
            server.stop()
