"""A service from its settings to its end."""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path

from lightdet.files import check_writable, write_json
from lightdet.service.control import Loaded
from lightdet.service.loading import Loader, load_model
from lightdet.service.server import check_tls, set_up_logging
from lightdet.service.settings import Settings
from lightdet.service.workers import Workers
from lightdet.web.listening import listen, url_of

log = logging.getLogger("lightdet.service")


def run(settings: Settings, json: Path | None = None, loader: Loader = load_model) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: what to serve, and how.
        json: a file that is written when requests are taken: ``url``, ``pid``, ``workers``, ``models``, and of the
            first of them ``model``, ``version`` and ``classes``.
        loader: returns the predictor of a model.

    Raises:
        UserError: the address, the certificate, the database or the model cannot be used.
    """
    set_up_logging(settings.access_log)
    if json is not None:
        check_writable(json.parent)
    if settings.chain_file is not None:
        check_writable(settings.chain_file.parent)
    check_tls(settings)
    listener = listen(settings.host, settings.port)
    told = partial(_tell, settings, url_of(settings.host, listener, tls=settings.tls_cert is not None), json)
    try:
        Workers(settings, listener, told, loader).run()
    finally:
        listener.close()
    log.info("ended")


def _tell(settings: Settings, url: str, json: Path | None, ready: Loaded) -> None:
    for each in ready.models:
        log.info("%s (version %s) is ready at %s", each.name, each.version, url)
    if not settings.is_local and not settings.accepted_keys:
        log.warning("other computers reach this service, and it asks for no API key (LIGHTDET_API_KEY)")
    log.info("%s", settings.keep.describe())
    log.info("%s", settings.pictures.describe())
    if json is None:
        return
    models = [{"model": e.name, "version": e.version, "classes": list(e.classes)} for e in ready.models]
    write_json(json, {"url": url, "pid": os.getpid(), "workers": settings.workers, **models[0], "models": models})
