"""The file of zones that the service was started with, and may write."""

from __future__ import annotations

from lightdet.assembly.zones import read_zones, zones_text
from lightdet.decisions.zones import Zones
from lightdet.errors import UserError
from lightdet.files import write_text
from lightdet.service.model_settings import ModelSettings


def zones_now(settings: ModelSettings) -> Zones | None:
    """Return the zones in the settings' file as it is now; None: there is no file.

    Raises:
        UserError: a fault in it.
    """
    return None if settings.zones_file is None else read_zones(settings.zones_file)


def write_zones(settings: ModelSettings) -> None:
    """Write the settings' zones into their file, unless it holds them already: then it keeps its comments.

    Raises:
        UserError: it cannot be written.
    """
    zones, file = settings.zones, settings.zones_file
    if zones is None or file is None:
        return
    try:
        if read_zones(file) == zones:
            return
    except UserError:  # damaged meanwhile
        pass
    write_text(file, zones_text(zones))
