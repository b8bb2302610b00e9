"""A classifier's configuration → its network, with the weights it starts from; a model file → a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.card import ModelCard, check_task
from lightdet.config.classification import (
    ClassifierConfig,
    CnnConfig,
    DnnConfig,
    MixerConfig,
    TorchvisionClassifierConfig,
    load_classifier_config,
)
from lightdet.config.yaml_file import YamlFile
from lightdet.errors import UserError

if TYPE_CHECKING:
    from torch import nn


def build_classifier(config: ClassifierConfig, num_classes: int, imgsz: int) -> nn.Module:
    """Return a network with random weights for `num_classes` and inputs of `imgsz` pixels.

    Raises:
        UserError: a single class, or one logit for more than two.
    """
    from lightdet.classification import networks  # noqa: PLC0415 - torch only when a network is wanted

    outputs = logits_for(config, num_classes)
    if isinstance(config, TorchvisionClassifierConfig):
        own = {} if config.dropout is None else {"dropout": config.dropout}
        return getattr(networks, config.name)(outputs, hidden=config.hidden, **own)  # type: ignore[no-any-return]
    if isinstance(config, CnnConfig):
        return networks.BasicCNN(outputs, imgsz, **config.model_dump(exclude={"name", "output"}))
    if isinstance(config, DnnConfig):
        return networks.DenseNet(outputs, imgsz, hidden=config.hidden, dropout=config.dropout)
    if isinstance(config, MixerConfig):
        return networks.MLPMixer(outputs, imgsz, **config.model_dump(exclude={"name", "output"}))
    raise TypeError(f"no network is known for a {type(config).__name__}")


def logits_for(config: ClassifierConfig, num_classes: int) -> int:
    """How many logits the network has for `num_classes`: one per class, or a single one.

    Raises:
        UserError: a single class, or one logit for more than two.
    """
    if num_classes < 2:
        raise UserError("a classifier needs at least two classes, such as good and bad; the data set has one")
    if config.output == "sigmoid" and num_classes != 2:
        raise UserError(f"model.output=sigmoid is for two classes and the data set has {num_classes}: use softmax")
    return 1 if config.output == "sigmoid" else num_classes


def start_weights(network: nn.Module, config: ClassifierConfig) -> tuple[bool, str]:
    """Load the weights named by ``model.pretrained`` into `network`.

    Returns:
        Whether it starts from trained weights, and one line about it (empty if none were requested).

    Raises:
        UserError: weights that are not available or do not fit; with ``auto`` only the line says so.
    """
    if not isinstance(config, TorchvisionClassifierConfig) or config.pretrained is False:
        return False, ""
    from lightdet.classification import networks  # noqa: PLC0415

    if isinstance(config.pretrained, str) and config.pretrained != "auto":
        return True, f"starts from {networks.load_backbone(network, config.pretrained)}"
    try:
        return True, f"starts from {networks.download_backbone(network, config.name)}"
    except UserError as error:
        if config.pretrained != "auto":
            raise
        return False, f"starts from scratch: {error}"


def fixed_size(config: ClassifierConfig) -> bool:
    """Whether the network takes only inputs of its training's size."""
    pooled = isinstance(config, CnnConfig) and config.pool != "flatten"
    return not (pooled or isinstance(config, TorchvisionClassifierConfig))


def card_config(card: ModelCard, path: str | Path) -> ClassifierConfig:
    """The configuration in a classifier's card.

    Raises:
        UserError: it is not valid.
    """
    values = {key: value for key, value in card.model.items() if key != "task"}
    return load_classifier_config(YamlFile(values, Path(path)))


def classifier_card(config: ClassifierConfig) -> dict[str, Any]:
    """The card's ``model`` section: the task, and the network as plain values (without its starting weights)."""
    return {"task": "classify", **config.model_dump(mode="json", exclude={"pretrained"})}


def load_classifier(path: str | Path) -> tuple[nn.Module, ClassifierConfig, ModelCard]:
    """Rebuild the network of a model file on the CPU, in evaluation mode, with its configuration and card.

    Raises:
        UserError: a missing, truncated or foreign file, a detector's, a card and weights that do not fit each other.
    """
    from lightdet.models.weights import load_model, rebuilt  # noqa: PLC0415

    weights, card = load_model(path)
    check_task(card, "classify", path)
    config = card_config(card, path)
    names, side = card.names, card.preprocessing.imgsz
    network = rebuilt(lambda: build_classifier(config, len(names), side), weights, path)
    return network.eval(), config, card
