"""The options of ``lightdet serve``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from lightdet.options.base import AnyPath
from lightdet.options.ranges import between
from lightdet.options.serve_model import DECISION, ServedModelOptions
from lightdet.options.serve_records import RecordOptions
from lightdet.options.shared import Json, Threads

REACH = Group("Who reaches it", sort_key=2)
BOUNDS = Group("Bounds (of each worker)", sort_key=6)


@dataclass(frozen=True, kw_only=True)
class ServeOptions(RecordOptions, ServedModelOptions):
    """The options of ``lightdet serve``."""

    allow_override: Annotated[
        bool,
        Parameter(
            group=DECISION,
            env_var="LIGHTDET_ALLOW_OVERRIDE",
            help="Let requests give a threshold of their own; their records say so and are left out of the statistics.",
        ),
    ] = False
    host: Annotated[
        str,
        Parameter(
            metavar="ADDRESS",
            group=REACH,
            env_var="LIGHTDET_HOST",
            help="Where to listen; 0.0.0.0: on all networks, so that other computers can reach it.",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Parameter(
            metavar="N", validator=between(0, 65535), group=REACH, env_var="LIGHTDET_PORT", help="0: any free one."
        ),
    ] = 8000
    api_key_file: Annotated[
        AnyPath | None,
        Parameter(
            metavar="FILE", group=REACH, help="File with the key that callers must show; or set LIGHTDET_API_KEY."
        ),
    ] = None
    keys: Annotated[
        AnyPath | None,
        Parameter(
            metavar="FILE",
            group=REACH,
            env_var="LIGHTDET_KEYS",
            help="Several keys: NAME ROLE KEY per line; roles: operator, integrator, engineer.",
        ),
    ] = None
    allow_host: Annotated[
        Sequence[str],
        Parameter(
            metavar="NAME",
            group=REACH,
            env_var="LIGHTDET_ALLOW_HOST",
            help="A host name that it also answers to, besides numeric addresses; may be repeated.",
        ),
    ] = ()
    label_studio_folder: Annotated[
        AnyPath | None,
        Parameter(
            metavar="DIR",
            group=REACH,
            env_var="LIGHTDET_LABEL_STUDIO_FOLDER",
            help="Folder with the pictures of Label Studio's projects, for proposals; others must be sent whole.",
        ),
    ] = None
    tls_cert: Annotated[
        AnyPath | None, Parameter(metavar="FILE", group=REACH, help="Certificate (PEM): speak HTTPS.")
    ] = None
    tls_key: Annotated[AnyPath | None, Parameter(metavar="FILE", group=REACH, help="The certificate's key (PEM).")] = (
        None
    )
    workers: Annotated[
        int,
        Parameter(
            metavar="N",
            validator=between(1, 64),
            group=BOUNDS,
            env_var="LIGHTDET_WORKERS",
            help="Processes; each holds the model.",
        ),
    ] = 1
    concurrency: Annotated[
        int, Parameter(metavar="N", validator=between(1, 64), group=BOUNDS, help="Pictures worked on at the same time.")
    ] = 2
    queue: Annotated[
        int,
        Parameter(
            metavar="N",
            validator=between(0, 100000),
            group=BOUNDS,
            help="Requests that may wait; more are told to come back (503).",
        ),
    ] = 32
    max_mib: Annotated[
        float, Parameter(metavar="MIB", validator=between(0.001, 1024), group=BOUNDS, help="Largest request.")
    ] = 64
    max_megapixels: Annotated[
        float,
        Parameter(metavar="N", validator=between(0.001, 178), group=BOUNDS, help="Largest picture, in million pixels."),
    ] = 50
    max_parts: Annotated[
        int, Parameter(metavar="N", validator=between(1, 1000), group=BOUNDS, help="Most pictures per request.")
    ] = 16
    timeout: Annotated[
        float,
        Parameter(
            metavar="SECONDS", validator=between(0.1, 3600), group=BOUNDS, help="From a whole request to its answer."
        ),
    ] = 30.0
    body_timeout: Annotated[
        float,
        Parameter(metavar="SECONDS", validator=between(0.1, 3600), group=BOUNDS, help="For the sending of a request."),
    ] = 20.0
    decode_timeout: Annotated[
        float,
        Parameter(
            metavar="SECONDS",
            validator=between(0.1, 3600),
            group=BOUNDS,
            help="For decoding a picture of a kind or size that may take long.",
        ),
    ] = 10.0
    threads: Annotated[
        Threads,
        Parameter(help="Threads that compute per worker; default: all cores but one, or the workers' share."),
    ] = None
    access_log: Annotated[bool, Parameter(help="One line per request on stderr.")] = False
    json: Json = None
