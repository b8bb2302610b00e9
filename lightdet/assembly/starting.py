"""Where a training begins: from the package's own pretrained weights, from a model file, or from chance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightdet.card import peek_model_card
from lightdet.config import RunConfig, YamlFile, load_network_config
from lightdet.errors import UserError
from lightdet.files import with_home

FOLDER = Path(__file__).parents[1] / "pretrained"
"""The package's own weights, one file per network (docs/pretrained.md)."""
PRETRAINED, CHANCE = "pretrained", "chance"
FACT = "start"
"""Key of a run's facts, and of a trained model's."""


@dataclass(frozen=True)
class Start:
    """Where a training begins.

    Attributes:
        file: the weights; None: chance.
        kind: ``pretrained``, ``chance`` or the file's name, for tables and cards.
        told: one line for the log; empty where the copying of the weights says it.
    """

    file: Path | None
    kind: str
    told: str = ""

    @property
    def called(self) -> str:
        """What messages call the weights."""
        return "lightdet's own pretrained weights" if self.kind == PRETRAINED else str(self.file)


def start_of(config: RunConfig, weights: Path | None = None) -> Start:
    """Decide where a training begins.

    Args:
        config: its configuration; ``train.start`` may say.
        weights: a model file named beside it (``--weights``).

    Raises:
        UserError: two starts are named, the file is missing, or the package has no weights for this network.
    """
    said = config.train.start
    if weights is not None:
        if said is not None:
            raise UserError(f"--weights {weights} and train.start={said} name two starts; leave one out")
        return Start(weights, str(weights))
    if said is None:
        found = pretrained_for(config.model)
        if found is None:
            return Start(None, CHANCE, "begins from chance: there are no pretrained weights for this network")
        return Start(found, PRETRAINED)
    if said == CHANCE:
        return Start(None, CHANCE, "begins from chance, as train.start says")
    if said == PRETRAINED:
        found = pretrained_for(config.model)
        if found is None:
            raise UserError(
                f"train.start: no weights are kept for this network; there are for {', '.join(networks())} "
                "with nothing changed under 'model'. Take train.start=chance, or a model file"
            )
        return Start(found, PRETRAINED)
    file = with_home(said)
    if not file.is_file():
        what = "is a folder; train.start takes the .safetensors in it" if file.is_dir() else "no such file"
        raise UserError(f"{what}; 'train.start' names it: pretrained, chance or a model file", path=said)
    return Start(file, said)


def networks() -> list[str]:
    """The names of the networks whose pretrained weights are in the package."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def pretrained_for(model: Any) -> Path | None:
    """The package's weights for a network (the configuration's ``model``), if every key but the anchors is theirs."""
    path = FOLDER / f"{model.name}.safetensors"
    card = peek_model_card(path)
    if card is None:
        return None
    theirs = load_network_config(YamlFile(card.model, path))
    return path if _shape(theirs) == _shape(model) else None


def start_in(weights: Path) -> str | None:
    """Where the training of a model began, as its card has it; None where that is not told."""
    card = peek_model_card(weights)
    told = card.facts.get(FACT) if card is not None and isinstance(card.facts, dict) else None
    return told if isinstance(told, str) else None


def _shape(model: Any) -> dict[str, Any]:
    values: dict[str, Any] = model.model_dump(mode="json")
    values.pop("anchors", None)  # scaled to the input, and fitted to the data
    return values
