"""The options of ``lightdet serve`` for what is kept: records, pictures; and for alarms."""

# Annotations are no strings here: cyclopts would look for their names in the module that inherits these options.
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from lightdet.options.base import AnyPath, Options
from lightdet.options.ranges import between
from lightdet.options.shared import DATABASE, Database, KeepFolder

RECORDS = Group("Records", sort_key=3)
PICTURES = Group("Pictures", sort_key=4)
ALARMS = Group("Alarms", sort_key=5)


@dataclass(frozen=True, kw_only=True)
class RecordOptions(Options):
    """Records, kept pictures, alarms."""

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
