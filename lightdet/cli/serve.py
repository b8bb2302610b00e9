"""``lightdet serve``: a trained model behind HTTP, for other programs and for a person at a screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightdet.cli.common import Agnostic, Device, Imgsz, Json, Precision
from lightdet.errors import UserError

if TYPE_CHECKING:
    from lightdet.service.settings import Settings

_DECISION, _REACH, _RECORDS, _BOUNDS = "What is NG", "Who reaches it", "Records", "Bounds (of each worker)"
_NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "prometheus_client")


def _by_class(values: list[str] | None, option: str) -> dict[str, float]:
    """Turn ``--class-threshold scratch=0.4 …`` into numbers by class name."""
    found: dict[str, float] = {}
    for value in values or []:
        name, sign, number = value.rpartition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            sign = ""
        if not sign or not name.strip():
            raise UserError(f"{option} '{value}': write NAME=NUMBER, such as {option} scratch=0.4")
    return found


def serve(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Model file, as for lightdet.load.", show_default=False)
    ],
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0.0,
            max=1.0,
            metavar="P",
            rich_help_panel=_DECISION,
            envvar="LIGHTDET_THRESHOLD",
            show_default=False,
            help="Lowest score of a defect; default: the model's calibrated rule, else 0.25.",
        ),
    ] = None,
    class_threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--class-threshold",
            metavar="NAME=P",
            help="The same for one class; may be repeated.",
            rich_help_panel=_DECISION,
        ),
    ] = None,
    min_size: Annotated[
        float | None,
        typer.Option(
            "--min-size",
            min=0.0,
            metavar="PIXELS",
            rich_help_panel=_DECISION,
            envvar="LIGHTDET_MIN_SIZE",
            show_default=False,
            help="Shortest defect: the longer side of its box, in pixels of the picture.",
        ),
    ] = None,
    class_min_size: Annotated[
        list[str] | None,
        typer.Option(
            "--class-min-size",
            metavar="NAME=PIXELS",
            help="The same for one class; may be repeated.",
            rich_help_panel=_DECISION,
        ),
    ] = None,
    allow_override: Annotated[
        bool,
        typer.Option(
            "--allow-override",
            rich_help_panel=_DECISION,
            envvar="LIGHTDET_ALLOW_OVERRIDE",
            help="Let a request give a threshold of its own; its record says so and is in no statistics.",
        ),
    ] = False,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            min=0.0,
            max=1.0,
            metavar="P",
            rich_help_panel=_DECISION,
            show_default=False,
            help="Lowest score reported at all; default 0.1, or the lowest threshold where that is lower.",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            rich_help_panel=_REACH,
            envvar="LIGHTDET_HOST",
            help="Where to listen; 0.0.0.0: everywhere, so that other computers reach it.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            metavar="N",
            rich_help_panel=_REACH,
            envvar="LIGHTDET_PORT",
            help="0 takes a free one.",
        ),
    ] = 8000,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            "--api-key-file",
            metavar="FILE",
            rich_help_panel=_REACH,
            show_default=False,
            help="File with the key that callers must show; or set LIGHTDET_API_KEY.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            rich_help_panel=_REACH,
            envvar="LIGHTDET_ALLOW_HOST",
            help="A name under which it may be reached, besides addresses in numbers; may be repeated.",
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option("--tls-cert", metavar="FILE", help="Certificate (PEM): speak HTTPS.", rich_help_panel=_REACH),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key (PEM).", rich_help_panel=_REACH)
    ] = None,
    database: Annotated[
        str,
        typer.Option(
            "--database",
            metavar="FILE|URL",
            rich_help_panel=_RECORDS,
            envvar="LIGHTDET_DATABASE",
            help="A SQLite file, or postgresql://user:password@host/name.",
        ),
    ] = "runs/serve/inspections.sqlite3",
    thumbnails: Annotated[
        bool,
        typer.Option(
            "--thumbnails/--no-thumbnails", help="Keep a small copy of each picture.", rich_help_panel=_RECORDS
        ),
    ] = True,
    keep_days: Annotated[
        float,
        typer.Option(
            "--keep-days",
            min=0.0,
            metavar="N",
            rich_help_panel=_RECORDS,
            envvar="LIGHTDET_KEEP_DAYS",
            help="Delete older records; 0 keeps all.",
        ),
    ] = 0.0,
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            min=1,
            max=64,
            metavar="N",
            rich_help_panel=_BOUNDS,
            envvar="LIGHTDET_WORKERS",
            help="Processes; each holds the model.",
        ),
    ] = 1,
    concurrency: Annotated[
        int,
        typer.Option(
            "--concurrency",
            min=1,
            max=64,
            metavar="N",
            help="Pictures worked on at the same time.",
            rich_help_panel=_BOUNDS,
        ),
    ] = 2,
    queue: Annotated[
        int,
        typer.Option(
            "--queue",
            min=0,
            max=100_000,
            metavar="N",
            rich_help_panel=_BOUNDS,
            help="Requests that may wait; more are told to come back (503).",
        ),
    ] = 32,
    max_mib: Annotated[
        float,
        typer.Option("--max-mib", min=0.001, max=1024, metavar="MIB", help="Largest request.", rich_help_panel=_BOUNDS),
    ] = 64,
    max_megapixels: Annotated[
        float,
        typer.Option(
            "--max-megapixels",
            min=0.001,
            max=178,
            metavar="N",
            help="Largest picture, in million pixels.",
            rich_help_panel=_BOUNDS,
        ),
    ] = 50,
    max_parts: Annotated[
        int,
        typer.Option(
            "--max-parts", min=1, max=1000, metavar="N", help="Most pictures a request.", rich_help_panel=_BOUNDS
        ),
    ] = 16,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            min=0.1,
            max=3600,
            metavar="SECONDS",
            rich_help_panel=_BOUNDS,
            help="From a whole request to its answer.",
        ),
    ] = 30.0,
    body_timeout: Annotated[
        float,
        typer.Option(
            "--body-timeout",
            min=0.1,
            max=3600,
            metavar="SECONDS",
            rich_help_panel=_BOUNDS,
            help="For the sending of a request.",
        ),
    ] = 20.0,
    decode_timeout: Annotated[
        float,
        typer.Option(
            "--decode-timeout",
            min=0.1,
            max=3600,
            metavar="SECONDS",
            rich_help_panel=_BOUNDS,
            help="For decoding a picture of a kind or size that may take long.",
        ),
    ] = 10.0,
    imgsz: Imgsz = None,
    iou: Annotated[
        float | None, typer.Option("--iou", min=0.0, max=1.0, metavar="P", help="NMS threshold; default 0.55.")
    ] = None,
    agnostic: Agnostic = False,
    max_detections: Annotated[
        int | None,
        typer.Option("--max-detections", min=1, max=10_000, metavar="N", help="Most boxes of a picture; default 300."),
    ] = None,
    rect: Annotated[
        bool, typer.Option("--rect", help="Letterbox long pictures to rectangles instead of squares: less work.")
    ] = False,
    device: Device = "auto",
    precision: Annotated[
        Precision | None, typer.Option("--precision", help="Number format of the network.", show_default=False)
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            min=1,
            max=1024,
            metavar="N",
            help="Threads that compute, in each worker; default: all cores but one, or the workers' share.",
        ),
    ] = None,
    access_log: Annotated[bool, typer.Option("--access-log", help="One line a request on stderr.")] = False,
    json: Json = None,
) -> None:
    """Answer over HTTP: OK or NG with boxes, a page for people at /, records, statistics, metrics.

    Without --host only this computer reaches it. Ctrl-C or SIGTERM ends it after what has begun.
    --json FILE is written when it is ready: its URL, process and model.
    """
    import importlib.util

    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise UserError("the service needs further packages: pip install 'lightdet[service]'")
    from lightdet.service.settings import MIB, Limits, Settings

    limits = Limits(
        max_bytes=round(max_mib * MIB),
        max_pixels=round(max_megapixels * 1e6),
        max_parts=max_parts,
        concurrency=concurrency,
        queue=queue,
        timeout=timeout,
        body_timeout=body_timeout,
        decode_timeout=decode_timeout,
        memory=max(512 * MIB, 4 * round(max_mib * MIB)),
    )
    _run(
        Settings(
            model=model,
            threshold=threshold,
            thresholds=_by_class(class_threshold, "--class-threshold"),
            min_size=min_size,
            min_sizes=_by_class(class_min_size, "--class-min-size"),
            allow_override=allow_override,
            confidence=confidence,
            device=device,
            imgsz=imgsz,
            iou=iou,
            agnostic=agnostic or None,
            max_detections=max_detections,
            precision=None if precision is None else precision.value,
            threads=threads,
            rect=rect,
            host=host,
            port=port,
            workers=workers,
            database=database,
            thumbnails=thumbnails,
            keep_days=keep_days,
            api_key=_api_key(api_key_file),
            allowed_hosts=tuple(allow_host or ()),
            tls_cert=tls_cert,
            tls_key=tls_key,
            access_log=access_log,
            limits=limits,
        ),
        json,
    )


def _api_key(file: Path | None) -> str:
    """Read the key from its file, or from the environment; never from the command line, which all users see."""
    import os

    if file is None:
        return os.environ.get("LIGHTDET_API_KEY", "").strip()
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {getattr(error, 'strerror', None) or 'no text'}", path=file) from None
    if not key:
        raise UserError("the file is empty; write the API key into it", path=file)
    return key


def _run(settings: Settings, json: Path | None) -> None:
    if not settings.model.is_file():  # said before anything heavy is imported
        kind = "is a folder; give the model file in it" if settings.model.is_dir() else "no such file"
        raise UserError(kind, path=settings.model)
    from lightdet.service.run import run

    run(settings, json)
