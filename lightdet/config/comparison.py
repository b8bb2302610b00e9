"""The YAML list of models for ``lightdet compare --models``: every key on one page."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from lightdet.config.dataset import FileName
from lightdet.config.section import Section

Seed = Annotated[int, Field(ge=0, lt=2**31)]


def check_row_name(name: str) -> None:
    """Raise a ValueError for a name that cannot be a folder's name."""
    if not re.fullmatch(r"\w[\w .+-]{0,99}", name) or name.endswith((".", " ")):
        raise ValueError(f"'{name}' cannot name a row: use letters, digits, spaces and . + - _")


class ListedModel(Section):
    """One row of the comparison: exactly one of `config`, `weights` and `predictions`. Files: relative to the YAML."""

    config: FileName | None = None
    """A configuration to train."""
    weights: tuple[FileName, ...] | None = None
    """A trained model, or several: runs of one model."""
    predictions: FileName | None = None
    """Another program's detections as COCO JSON."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] | None = None
    """Seeds to train with; default: those of the command line."""
    overrides: tuple[str, ...] = ()
    """``key.path=value`` for this model only; they override those of the command line."""

    @field_validator("weights", "overrides", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> ListedModel:
        given = [name for name in ("config", "weights", "predictions") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"needs one of config, weights and predictions, got {' and '.join(given) or 'none'}")
        for name in ("seeds", "overrides"):
            if getattr(self, name) and given != ["config"]:
                raise ValueError(f"has '{name}', which belongs to 'config': there is nothing to train")
        return self


class ModelList(Section):
    """The list."""

    models: Annotated[dict[str, ListedModel], Field(min_length=1)]
    """By row name, in the order of the rows."""

    @field_validator("models")
    @classmethod
    def _check_names(cls, models: dict[str, ListedModel]) -> dict[str, ListedModel]:
        for name in models:
            check_row_name(name)
        return models
