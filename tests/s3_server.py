"""A real S3 server on loopback, moto's, in a thread of this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

SIGN_IN = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "gEhEiM",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def s3_server() -> Iterator[Any]:
    """Yield fsspec's file system on the server, with an empty bucket ``lake``; the environment leads there."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name, value in SIGN_IN.items():
            patch.setenv(name, value)
        system = empty_bucket("lake")
        try:
            yield system
        finally:
            system.invalidate_cache()
            type(system).clear_instance_cache()
            server.stop()


def empty_bucket(name: str) -> Any:
    """Make it where the environment leads, and return the file system."""
    from lightdet.storage.filesystem import filesystem

    known, _ = filesystem(f"s3://{name}")
    type(known).clear_instance_cache()  # one that leads elsewhere
    system, _ = filesystem(f"s3://{name}")
    if system.exists(name):  # moto's servers share what they hold
        system.rm(name, recursive=True)
    system.mkdir(name)
    return system


class CutOff:
    """An S3 server that can be stopped, and started again with all that it holds; its URL has a folder ``kept``."""

    url = "s3://line/kept"

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        self._make, self.port = ThreadedMotoServer, 0
        self.start()

    def start(self) -> None:
        self._server = self._make(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()

    def stop(self) -> None:
        self._server.stop()


@contextmanager
def s3_server_to_cut_off() -> Iterator[CutOff]:
    """Yield a server of its own, with an empty bucket ``line``; the environment leads there meanwhile."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = CutOff()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
        for name, value in SIGN_IN.items():
            patch.setenv(name, value)
        system = empty_bucket("line")
        try:
            yield server
        finally:
            type(system).clear_instance_cache()
            server.stop()
