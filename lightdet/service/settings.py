"""The settings of a service; plain values, so that worker processes get the same."""

from __future__ import annotations

import ipaddress
import math
import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from lightdet.errors import UserError
from lightdet.missing import require_file
from lightdet.service.alarms import AlarmRules
from lightdet.service.inspection import FIELD_LENGTH
from lightdet.service.keep import Keep
from lightdet.service.keep_pictures import KeepPictures
from lightdet.service.keys import Key, single_key
from lightdet.service.model_settings import ModelSettings
from lightdet.service.plain_text import is_line

MIB = 1 << 20
LOWEST_SCORE = 0.1
"""Detections with lower scores are not reported, unless the rule or the user asks for them."""


@dataclass(frozen=True)
class Limits:
    """Limits of one worker process; requests beyond one are refused with a status and a reason.

    Attributes:
        max_bytes: largest request body (413).
        max_pixels: largest picture, from its header, before it is decoded (413).
        max_parts: most pictures in one request (413).
        concurrency: pictures in work at the same time; the network itself takes one after the other.
        queue: requests that may wait in addition; more are refused (503 with Retry-After).
        timeout: seconds from a whole request to its answer (503 with Retry-After).
        decode_timeout: seconds that decoding one file may take if it may be slow (413).
        body_timeout: seconds that sending the body may take (408).
        header_timeout: seconds that sending the head may take; then the connection is closed (408).
        connections: open connections; more are refused (503 with Retry-After).
        memory: bytes of all request bodies that are held at the same time (503 with Retry-After).

    Raises:
        UserError: a value that is not positive (`queue` may be 0).
    """

    max_bytes: int = 64 * MIB
    max_pixels: int = 50_000_000
    max_parts: int = 16
    concurrency: int = 2
    queue: int = 32
    timeout: float = 30.0
    decode_timeout: float = 10.0
    body_timeout: float = 20.0
    header_timeout: float = 10.0
    connections: int = 500
    memory: int = 512 * MIB

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            least = 0 if each.name == "queue" else 1e-9
            if not math.isfinite(value) or value < least:
                raise UserError(f"the limit '{each.name}' must be more than 0, got {value}")
        if self.memory < self.max_bytes:
            raise UserError(
                f"the memory for request bodies ({self.memory // MIB} MiB) must hold the largest one "
                f"({self.max_bytes // MIB} MiB)"
            )


@dataclass(frozen=True)
class Settings:
    """The settings of a service.

    Attributes:
        models: one or more, with different names.
        allow_override: a request may give a threshold of its own; its record says so and is left out of the statistics.
        threads: processor threads that compute in each worker; None: see `compute_threads`.
        host: address to listen on.
        port: port to listen on; 0 chooses a free one.
        workers: processes; each loads the model.
        database: a SQLite file, or a URL (``postgresql://user:password@host/name``).
        durable: a record is on the disk before the answer says that it is recorded (SQLite).
        chain_file: the end of the chain of records is written into this file every hour; None: into the log alone.
        thumbnails: keep a small copy of each picture with its record.
        keep_days, keep_rows, keep_gib: delete the oldest records beyond this; 0 sets no bound.
        pictures: which pictures are kept as they came, see `KeepPictures`.
        picture_wait: seconds that an answer waits for its pictures to be kept.
        record_wait: seconds that an answer waits for its record.
        api_key: the key that callers must send, instead of `keys`; empty: none.
        keys: callers must send one of these; empty: none.
        label_studio_folder: the folder whose pictures Label Studio may name; None: it must send them.
        station: the station in records, if a request does not name one.
        allowed_hosts: names under which a browser may reach it; ``*`` allows any. Empty: those of this
            computer, or any if others can reach it and it requires a key.
        tls_cert, tls_key: PEM files; with them it uses HTTPS.
        access_log: one line per request in the log.
        limits: see `Limits`.
        alarms: see `AlarmRules`.

    Raises:
        UserError: a value out of range, or values that contradict each other.
    """

    models: tuple[ModelSettings, ...]
    allow_override: bool = False
    threads: int | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    database: str = "runs/serve/inspections.sqlite3"
    durable: bool = False
    chain_file: Path | None = None
    thumbnails: bool = True
    keep_days: float = 0.0
    keep_rows: int = 0
    keep_gib: float = 20.0
    pictures: KeepPictures = field(default_factory=KeepPictures)
    picture_wait: float = 0.5
    record_wait: float = 2.0
    api_key: str = field(default="", repr=False)
    keys: tuple[Key, ...] = ()
    label_studio_folder: Path | None = None
    station: str = ""
    allowed_hosts: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    access_log: bool = False
    limits: Limits = field(default_factory=Limits)
    alarms: AlarmRules = field(default_factory=AlarmRules)

    def __post_init__(self) -> None:
        names = [each.called for each in self.models]
        if not names:
            raise UserError("there is no model to serve")
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UserError(f"two models are called '{twice}'; give each a name of its own")
        if not 0 <= self.port <= 65535:
            raise UserError(f"the port must lie in 0-65535, got {self.port}")
        if self.workers < 1:
            raise UserError(f"at least one worker is needed, got {self.workers}")
        for name in ("keep_days", "keep_rows", "keep_gib"):
            value = getattr(self, name)
            if value < 0 or not math.isfinite(value):
                raise UserError(f"{name} must be 0 or more, got {value}")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UserError("HTTPS needs both a certificate and its key")
        for path in (self.tls_cert, self.tls_key):
            if path is not None:
                require_file(path)
        if self.api_key and not (self.api_key.isascii() and self.api_key.isprintable() and " " not in self.api_key):
            raise UserError("the API key must be plain ASCII without spaces, as it travels in a header")
        if self.api_key and self.keys:
            raise UserError("there is a file of keys and a single API key (LIGHTDET_API_KEY, --api-key-file); give one")
        folder = self.label_studio_folder
        if folder is not None and not folder.is_dir():
            raise UserError("no such folder; --label-studio-folder names the one with the pictures", path=folder)
        if len(self.station) > FIELD_LENGTH or not is_line(self.station):
            raise UserError(f"the station must have up to {FIELD_LENGTH} characters that can be shown")

    def named(self, name: str) -> ModelSettings:
        """Return the settings of the model of this name."""
        return next(each for each in self.models if each.called == name)

    def with_model(self, changed: ModelSettings) -> Settings:
        """Return these settings with one of the models changed, by its name."""
        return replace(self, models=tuple(changed if e.called == changed.called else e for e in self.models))

    @property
    def accepted_keys(self) -> tuple[Key, ...]:
        """The keys of which callers must send one; empty: none is required."""
        return (single_key(self.api_key),) if self.api_key else self.keys

    @property
    def keep(self) -> Keep:
        """Which records are kept."""
        return Keep(self.keep_days, self.keep_rows, round(self.keep_gib * 1024 * MIB))

    @property
    def is_local(self) -> bool:
        """Whether only this computer can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def compute_threads(self) -> int:
        """Return how many threads compute in each worker.

        If it is not set, one core stays free for requests and records, because the network's threads wait for the
        slowest of them; several workers share all cores.
        """
        if self.threads is not None:
            return self.threads
        cores = os.cpu_count() or 1
        return max(1, cores - 1 if self.workers == 1 else cores // self.workers)
