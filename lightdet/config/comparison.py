"""The YAML list of models for ``lightdet compare --models``: every key on one page."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from lightdet.config.dataset import FileName, Name
from lightdet.config.schema import Section

Seed = Annotated[int, Field(ge=0, lt=2**31)]


class ListedModel(Section):
    """One row of the comparison: exactly one of `config`, `weights` and `predictions`. Files: relative to the YAML."""

    config: FileName | None = None
    """A configuration to train."""
    weights: tuple[FileName, ...] | None = None
    """A trained model, or several: runs of one model."""
    predictions: FileName | None = None
    """Detections from elsewhere as COCO JSON."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] | None = None
    """Seeds to train with; default: those of the command line."""
    overrides: tuple[str, ...] = ()
    """``key.path=value`` for this model alone, over those of the command line."""

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

    models: Annotated[dict[Name, ListedModel], Field(min_length=1)]
    """By the name of its row, in the order of the rows."""
