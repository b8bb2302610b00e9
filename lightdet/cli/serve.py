"""``lightdet serve``: a trained model behind HTTP, for other programs and for a person at a screen."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lightdet.cli.common import ALL
from lightdet.errors import UserError
from lightdet.missing import how_to_install, require_file
from lightdet.options.serve import ServeOptions
from lightdet.secret_file import read_secret

if TYPE_CHECKING:
    from lightdet.service.keep_pictures import KeepPictures
    from lightdet.service.settings import Settings

_NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "prometheus_client")


def serve(options: Annotated[ServeOptions, ALL]) -> None:
    """Answer over HTTP: OK or NG with boxes, a page for people at /, records, statistics, metrics.

    MODEL may be a YAML file that names several models, each with its rule (docs/service.md). Without --host, only
    this computer can reach it. Ctrl-C or SIGTERM ends it after the requests in progress.
    --json FILE is written when it is ready: its URL, process and model.
    """
    import importlib.util

    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise UserError(f"the service needs further packages: {how_to_install('service')}")
    _run(_settings(options), None if options.json is None else Path(options.json))


def _settings(options: ServeOptions) -> Settings:
    """The same for the service: sizes in bytes and pixels, numbers by class, the key itself."""
    from lightdet.cli.serve_models import model_settings
    from lightdet.service.alarms import AlarmRules
    from lightdet.service.keys import read_keys
    from lightdet.service.settings import MIB, Limits, Settings

    size = round(options.max_mib * MIB)
    limits = Limits(
        **_same(options, Limits),
        max_bytes=size,
        max_pixels=round(options.max_megapixels * 1e6),
        memory=max(512 * MIB, 4 * size),
    )
    keys = () if options.keys is None else read_keys(Path(options.keys))
    own: dict[str, Any] = {"keys": keys, "models": model_settings(options)}
    if options.label_studio_folder is not None:
        own["label_studio_folder"] = Path(options.label_studio_folder)
    return Settings(
        **{**_same(options, Settings), **own},
        api_key=_secret(options.api_key_file, "LIGHTDET_API_KEY", "API key"),
        allowed_hosts=tuple(options.allow_host),
        limits=limits,
        pictures=_pictures(options),
        alarms=AlarmRules(
            share=options.alarm_share,
            parts=options.alarm_parts,
            row=options.alarm_row,
            url=options.alarm_url or "",
            secret=_secret(options.alarm_secret_file, "LIGHTDET_ALARM_SECRET", "secret"),
        ),
    )


def _pictures(options: ServeOptions) -> KeepPictures:
    from lightdet.service.keep_pictures import GIB, KeepPictures, read_choice
    from lightdet.service.picture_place import places_of

    places = places_of(options.database, options.keep_folder)
    return KeepPictures(
        choice=read_choice(options.keep),
        folder=places.folder,
        url=places.url,
        band=options.keep_band,
        days=options.keep_picture_days,
        size=round(options.keep_picture_gib * GIB),
        free=round(options.keep_free_gib * GIB),
    )


def _same(options: ServeOptions, kind: type[Any]) -> dict[str, Any]:
    """Those of the options that `kind` has under the same name."""
    return {field.name: getattr(options, field.name) for field in fields(kind) if hasattr(options, field.name)}


def _secret(given: str | Path | None, variable: str, what: str) -> str:
    """Read it from its file, or from the environment; never from the command line, which all users see."""
    import os

    if given is None:
        return os.environ.get(variable, "").strip()
    return read_secret(Path(given), what)


def _run(settings: Settings, json: Path | None) -> None:
    for file in (each.model for each in settings.models):  # said before anything heavy is imported
        require_file(file, give="the model file in it")
    from lightdet.service.run import run

    run(settings, json)
