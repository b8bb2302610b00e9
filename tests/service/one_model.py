"""Settings of a service with one model, with the values of both in one call."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lightdet.service.model_settings import ModelSettings
from lightdet.service.settings import Settings

OF_MODEL = {field.name for field in fields(ModelSettings)} - {"threads"}


def one_model(model: Path, **values: Any) -> Settings:
    return changed(Settings((ModelSettings(model),)), **values)


def changed(settings: Settings, **values: Any) -> Settings:
    """These settings with other values; those of a model are its first one's."""
    own = {name: value for name, value in values.items() if name in OF_MODEL}
    others = {name: value for name, value in values.items() if name not in own}
    first, *rest = settings.models
    return replace(settings, **({"models": (replace(first, **own), *rest)} | others))
