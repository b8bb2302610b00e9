"""The options of ``lightdet serve``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from lightdet.options.base import AnyPath, Options, Then
from lightdet.options.ranges import between
from lightdet.options.shared import (
    DATABASE,
    Agnostic,
    Database,
    Device,
    Imgsz,
    Iou,
    Json,
    KeepFolder,
    MaxDetections,
    NoPromise,
    Overlap,
    Precision,
    Rect,
    Threads,
    Tile,
    ZonesFile,
)
from lightdet.storage.kept import local_file

DECISION = Group("What is NG", sort_key=1)
REACH = Group("Who reaches it", sort_key=2)
RECORDS = Group("Records", sort_key=3)
PICTURES = Group("Pictures", sort_key=4)
ALARMS = Group("Alarms", sort_key=5)
BOUNDS = Group("Bounds (of each worker)", sort_key=6)


@dataclass(frozen=True)
class ServeOptions(Options):
    """The options of ``lightdet serve``."""

    model: Annotated[
        AnyPath, Parameter(name="MODEL", help="Model file or its URL, as for lightdet.load."), Then(local_file)
    ]
    _: KW_ONLY
    threshold: Annotated[
        float | None,
        Parameter(
            metavar="P",
            validator=between(0.0, 1.0),
            group=DECISION,
            env_var="LIGHTDET_THRESHOLD",
            help="Lowest score of a defect; default: the model's calibrated rule, else 0.25.",
        ),
    ] = None
    class_threshold: Annotated[
        Sequence[str], Parameter(metavar="NAME=P", group=DECISION, help="The same for one class; may be repeated.")
    ] = ()
    min_size: Annotated[
        float | None,
        Parameter(
            metavar="PIXELS",
            validator=between(0.0),
            group=DECISION,
            env_var="LIGHTDET_MIN_SIZE",
            help="Shortest defect: the longer side of its box, in pixels of the picture.",
        ),
    ] = None
    class_min_size: Annotated[
        Sequence[str], Parameter(metavar="NAME=PIXELS", group=DECISION, help="The same for one class; may be repeated.")
    ] = ()
    allow_override: Annotated[
        bool,
        Parameter(
            group=DECISION,
            env_var="LIGHTDET_ALLOW_OVERRIDE",
            help="Let requests give a threshold of their own; their records say so and are left out of the statistics.",
        ),
    ] = False
    confidence: Annotated[
        float | None,
        Parameter(
            metavar="P",
            validator=between(0.0, 1.0),
            group=DECISION,
            help="Lowest score reported at all; default 0.1, or the lowest threshold where that is lower.",
        ),
    ] = None
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
    database: Annotated[Database, Parameter(group=RECORDS)] = DATABASE
    station: Annotated[
        str,
        Parameter(
            metavar="NAME",
            group=RECORDS,
            env_var="LIGHTDET_STATION",
            help="Station in the records of requests that name none (X-Station).",
        ),
    ] = ""
    durable: Annotated[
        bool,
        Parameter(
            group=RECORDS,
            env_var="LIGHTDET_DURABLE",
            help="Write to the disk before saying 'recorded': a power failure loses no record. Slower (SQLite).",
        ),
    ] = False
    chain_file: Annotated[
        AnyPath | None,
        Parameter(
            metavar="FILE",
            group=RECORDS,
            env_var="LIGHTDET_CHAIN_FILE",
            help="Write the end of the chain of records into this file every hour, besides the log.",
        ),
    ] = None
    thumbnails: Annotated[
        bool, Parameter(group=RECORDS, negative="--no-thumbnails", help="Keep a small copy of each picture.")
    ] = True
    keep_days: Annotated[
        float,
        Parameter(
            metavar="N",
            validator=between(0.0),
            group=RECORDS,
            env_var="LIGHTDET_KEEP_DAYS",
            help="Keep the records of the last N days, counted from the newest; 0: of any age.",
        ),
    ] = 0.0
    keep_rows: Annotated[
        int,
        Parameter(
            metavar="N",
            validator=between(0),
            group=RECORDS,
            env_var="LIGHTDET_KEEP_ROWS",
            help="Keep the newest N records; 0: any number.",
        ),
    ] = 0
    keep_gib: Annotated[
        float,
        Parameter(
            metavar="N",
            validator=between(0.0),
            group=RECORDS,
            env_var="LIGHTDET_KEEP_GIB",
            help="Keep the newest records that fit into N GiB of database; 0: any size.",
        ),
    ] = 20.0
    keep: Annotated[
        Sequence[str],
        Parameter(
            metavar="all|ng|uncertain|sample=P",
            group=PICTURES,
            env_var="LIGHTDET_KEEP",
            help="Keep these pictures as they came, with their record; may be repeated. Default: none.",
        ),
    ] = ()
    keep_folder: Annotated[KeepFolder, Parameter(group=PICTURES)] = None
    keep_band: Annotated[
        float,
        Parameter(
            metavar="P",
            validator=between(0.0001, 1.0),
            group=PICTURES,
            env_var="LIGHTDET_KEEP_BAND",
            help="A verdict is uncertain if moving every threshold by this much changes it.",
        ),
    ] = 0.1
    keep_picture_days: Annotated[
        float,
        Parameter(
            metavar="N",
            validator=between(0.0),
            group=PICTURES,
            env_var="LIGHTDET_KEEP_PICTURE_DAYS",
            help="Keep the pictures of the last N days, counted from the newest record; 0: of any age.",
        ),
    ] = 0.0
    keep_picture_gib: Annotated[
        float,
        Parameter(
            metavar="N",
            validator=between(0.0),
            group=PICTURES,
            env_var="LIGHTDET_KEEP_PICTURE_GIB",
            help="Keep the newest pictures that fit into N GiB; 0: any size.",
        ),
    ] = 20.0
    keep_free_gib: Annotated[
        float,
        Parameter(
            metavar="N",
            validator=between(0.0),
            group=PICTURES,
            env_var="LIGHTDET_KEEP_FREE_GIB",
            help="Keep no picture that would leave less than N GiB free on the disk.",
        ),
    ] = 2.0
    alarm_row: Annotated[
        int | None,
        Parameter(
            metavar="N",
            validator=between(1, 1000),
            group=ALARMS,
            env_var="LIGHTDET_ALARM_ROW",
            help="Alarm after N bad parts in a row; default: never.",
        ),
    ] = None
    alarm_share: Annotated[
        float | None,
        Parameter(
            metavar="P",
            validator=between(0.0, 1.0),
            group=ALARMS,
            env_var="LIGHTDET_ALARM_SHARE",
            help="Alarm at a larger share of bad parts among the last ones; default: never.",
        ),
    ] = None
    alarm_parts: Annotated[
        int,
        Parameter(
            metavar="N",
            validator=between(1, 10000),
            group=ALARMS,
            env_var="LIGHTDET_ALARM_PARTS",
            help="How many last parts that share is taken of.",
        ),
    ] = 50
    alarm_url: Annotated[
        str | None,
        Parameter(
            metavar="URL",
            group=ALARMS,
            env_var="LIGHTDET_ALARM_URL",
            help="Where alarms are sent, also that the service is not ready; they are on its page as well.",
        ),
    ] = None
    alarm_secret_file: Annotated[
        AnyPath | None,
        Parameter(metavar="FILE", group=ALARMS, help="File with what signs them; or set LIGHTDET_ALARM_SECRET."),
    ] = None
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
    imgsz: Imgsz = None
    iou: Iou = None
    agnostic: Agnostic = False
    max_detections: MaxDetections = None
    rect: Rect = False
    tile: Tile = None
    overlap: Overlap = None
    zones: ZonesFile = None
    no_promise: NoPromise = False
    device: Device = "auto"
    precision: Precision = None
    threads: Annotated[
        Threads,
        Parameter(help="Threads that compute per worker; default: all cores but one, or the workers' share."),
    ] = None
    access_log: Annotated[bool, Parameter(help="One line per request on stderr.")] = False
    json: Json = None
