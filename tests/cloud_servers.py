"""Servers that speak as Google's and Azure's stores do, on loopback: gcp-storage-emulator and Azurite.

They need what is not installed for tests: ``pip install 'lightdet[cloud]' gcp-storage-emulator`` and
``npm install azurite``, whose ``azurite-blob`` is on the path or named by ``LIGHTDET_AZURITE``.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

ACCOUNT, KEY = "plant", "Z0VoRWlN"
"""Of Azurite: any name, and any bytes as base64."""


@contextmanager
def google_server() -> Iterator[str]:
    """Yield the scheme of its bucket ``lake``; the environment leads there meanwhile."""
    for module in ("gcsfs", "gcp_storage_emulator"):
        pytest.importorskip(module, reason="needs pip install 'lightdet[cloud]' gcp-storage-emulator")
    port = free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host=127.0.0.1", f"--port={port}"]
    environment = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
        "FSSPEC_GS_TOKEN": "anon",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # it asks by gRPC, which this server does not speak
    }
    with _running([*command, "--in-memory", "--default-bucket=lake"], port, environment):
        yield "gs"


@contextmanager
def azure_server() -> Iterator[str]:
    """Yield the scheme of its container ``lake``; the environment leads there meanwhile."""
    pytest.importorskip("adlfs", reason="needs pip install 'lightdet[cloud]'")
    program = os.environ.get("LIGHTDET_AZURITE") or shutil.which("azurite-blob")
    if program is None:
        pytest.skip("needs Azurite: npm install azurite, and LIGHTDET_AZURITE=node_modules/.bin/azurite-blob")
    port = free_port()
    options = ["--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), *options]
    endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
    environment = {
        "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}",
        "AZURE_STORAGE_CONNECTION_STRING": f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};",
    }
    with _running(command, port, environment):
        from lightdet.storage.filesystem import filesystem

        filesystem("az://lake")[0].mkdir("lake")
        yield "az"


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


@contextmanager
def _running(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[None]:
    """A server that answers on its port, in this environment; file systems that lead elsewhere are forgotten."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait(process, port)
            yield
        finally:
            process.terminate()
            process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the server did not start: {process.args}")
