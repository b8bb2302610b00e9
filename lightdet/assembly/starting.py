"""The starting weights of a training: the package's own pretrained weights, a model file, or random values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.addresses import shown_address
from lightdet.card import peek_model_card
from lightdet.config import RunConfig, YamlFile, validate
from lightdet.errors import UserError
from lightdet.files import with_home
from lightdet.missing import require_file
from lightdet.storage.kept import local_file, shown_path
from lightdet.storage.urls import as_url

if TYPE_CHECKING:
    from lightdet.config.classification import ClassifyConfig

FOLDER = Path(__file__).parents[1] / "pretrained"
"""The package's own weights, one file per network (docs/pretrained.md)."""
PRETRAINED, CHANCE = "pretrained", "chance"
_USUAL = "detect"
"""The task of a configuration or a card that names none."""
_SHAPELESS = {"anchors", "output", "dropout", "heads_at"}
"""Keys that change no tensor, or one that depends on the data set anyway; or that add parts to the same rest."""
FACT = "start"
"""Key in the facts of a run and of a trained model."""


@dataclass(frozen=True)
class Start:
    """The starting weights of a training.

    Attributes:
        file: the weights; None: random.
        kind: ``pretrained``, ``chance`` or the file's name, for tables and cards.
        note: one line for the log; empty if copying the weights reports it.
    """

    file: Path | None
    kind: str
    note: str = ""

    @property
    def called(self) -> str:
        """The name of the weights in messages."""
        return "lightdet's own pretrained weights" if self.kind == PRETRAINED else self.kind


def start_of(config: RunConfig | ClassifyConfig, weights: Path | None = None) -> Start:
    """Choose the starting weights of a training.

    Args:
        config: its configuration; ``train.start`` may choose them.
        weights: a model file given separately (``--weights``).

    Raises:
        UserError: two starts are given, the file is missing, or the package has no weights for this network.
    """
    chosen = config.train.start
    if weights is not None:
        if chosen is not None:
            raise UserError(
                f"--weights {shown_path(weights)} and train.start={shown_address(chosen)} are two starts; leave one out"
            )
        return Start(weights, shown_path(weights))
    if chosen is None:
        found = pretrained_for(config.model)
        if found is None:
            return Start(None, CHANCE, "starts from random weights: there are no pretrained weights for this network")
        return Start(found, PRETRAINED)
    if chosen == CHANCE:
        return Start(None, CHANCE, "starts from random weights, as set by train.start")
    if chosen == PRETRAINED:
        found = pretrained_for(config.model)
        if found is None:
            known = ", ".join(networks(getattr(config, "task", _USUAL)))
            raise UserError(
                f"train.start: there are no pretrained weights for this network, only for {known} "
                "with nothing changed under 'model'. Use train.start=chance, or a model file"
            )
        return Start(found, PRETRAINED)
    file = with_home(local_file(chosen))
    require_file(
        file, give="the .safetensors in it", note="; 'train.start' names it: pretrained, chance or a model file"
    )
    return Start(file, chosen if as_url(chosen) is None else shown_path(file))


def networks(task: str | None = None) -> list[str]:
    """The names of the networks whose pretrained weights are in the package; with `task`, of that one alone."""
    tasks = {
        path.stem: card.model.get("task", _USUAL)
        for path in sorted(FOLDER.glob("*"))
        if (card := peek_model_card(path))
    }
    return [name for name, kind in tasks.items() if task in (None, kind)]


def pretrained_for(model: Any) -> Path | None:
    """The package's weights for a network (the configuration's ``model``), if every key that shapes it matches."""
    path = FOLDER / f"{model.name}.safetensors"
    card = peek_model_card(path)
    if card is None:
        return None
    values = {key: value for key, value in card.model.items() if key != "task"}
    theirs = validate(type(model), YamlFile(values, path))
    return path if _shape(theirs) == _shape(model) else None


def start_in(weights: Path) -> str | None:
    """The starting weights of a model's training, from its card; None if not given."""
    card = peek_model_card(weights)
    kind = card.facts.get(FACT) if card is not None and isinstance(card.facts, dict) else None
    return kind if isinstance(kind, str) else None


def _shape(model: Any) -> dict[str, Any]:
    values: dict[str, Any] = model.model_dump(mode="json")
    return {key: value for key, value in values.items() if key not in _SHAPELESS}
