"""The models of a service: which there are, and which one a request means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Query

from lightdet.drift.kept import Watched
from lightdet.service.engine import Engine
from lightdet.service.inspection import ModelIdentity
from lightdet.service.model_settings import ModelSettings
from lightdet.service.parameters import Text
from lightdet.web.errors import RefusalError

ModelName = Annotated[
    Text | None,
    Query(
        alias="model",
        max_length=200,
        description="The model's name; or its version or whole SHA-256, so that no other one answers. "
        "Needed where the service has several.",
    ),
]


@dataclass
class Served:
    """A model that is loaded.

    Attributes:
        settings: its settings.
        engine: inspects pictures with it.
        runtime: what it computes with.
        watched: how the watch over its promise stands.
    """

    settings: ModelSettings
    engine: Engine
    runtime: str
    watched: Watched = field(default_factory=Watched)

    @property
    def identity(self) -> ModelIdentity:
        """Name and SHA-256."""
        return self.engine.model

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, by label."""
        return tuple(self.engine.predictor.names)

    def is_meant_by(self, asked: str) -> bool:
        """Whether this is its name, version or SHA-256."""
        return asked in (self.identity.name, self.identity.version, self.identity.sha256)


class LineUp:
    """The models of a worker, in the order in which they were given.

    Args:
        served: one or more, with different names.
    """

    def __init__(self, served: Sequence[Served]) -> None:
        self._served = tuple(served)

    def __iter__(self) -> Iterator[Served]:
        return iter(self._served)

    @property
    def names(self) -> list[str]:
        """What requests call them."""
        return [each.identity.name for each in self]

    @property
    def classes(self) -> list[str]:
        """The class names of all models, each once."""
        return list(dict.fromkeys(name for each in self for name in each.classes))

    @property
    def stuck(self) -> bool:
        """Whether one of them has worked on a picture for far too long."""
        return any(each.engine.stuck for each in self)

    def choose(self, asked: str | None) -> Served:
        """Return the model that a request asks for; the only one need not be named.

        Raises:
            RefusalError: there are several and none is named (422), or none of this name (404).
        """
        if asked is None:
            if len(self._served) == 1:
                return self._served[0]
            raise RefusalError(422, "no_model", f"model: say which one; served here: {', '.join(self.names)}")
        found = [each for each in self if each.is_meant_by(asked)]
        if len(found) > 1:
            names = ", ".join(each.identity.name for each in found)
            raise RefusalError(422, "no_model", f"model: several are this file; say which one: {names}")
        if not found:
            message = f"there is no such model, or not in this version; served here: {', '.join(self.names)}"
            raise RefusalError(404, "unknown_model", message)
        return found[0]

    def named(self, name: str) -> Served | None:
        """Return the model of this name; None: it is not served."""
        return next((each for each in self if each.identity.name == name), None)

    def close(self) -> None:
        """Wait for the work that has begun."""
        for each in self:
            each.engine.close()
