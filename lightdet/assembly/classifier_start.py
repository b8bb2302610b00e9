"""A classifier's training that starts from a trained one's weights; see also `lightdet.assembly.fine_tuning`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from lightdet.assembly.class_rows import ClassRows
from lightdet.assembly.classifier import build_classifier, load_classifier
from lightdet.assembly.fine_tuning import fitting, some_of
from lightdet.config.classification import ClassifyConfig
from lightdet.errors import UserError
from lightdet.structures import Preprocessing
from lightdet.wording import counted


def begin_classifier(
    weights: Path, network: nn.Module, names: Sequence[str], config: ClassifyConfig, *, called: str = ""
) -> tuple[Preprocessing, str]:
    """Copy what fits of the model file `weights` into `network`, which has the classes `names`; the rest is unchanged.

    Where the file's classes are not `names`, in that order, the weights that tell classes apart are copied by name.
    `called` names the weights in the note; default: the path.

    Returns:
        The preprocessing of that network, and a note that says how many tensors were copied.

    Raises:
        UserError: as `lightdet.assembly.classifier.load_classifier`; or nothing fits.
    """
    donor, _, card = load_classifier(weights)
    theirs, own = donor.state_dict(), network.state_dict()
    fits, why = fitting(theirs, own, names, card.names, lambda: _tells_apart(network, len(names), config))
    if not fits:
        raise UserError("none of its tensors fits this network", path=weights)
    for name in fits:
        own[name].copy_(theirs[name])
    copied = f"starts from {called or weights}: copies {len(fits)} of {counted(len(own), 'tensor')}"
    rows = ClassRows(names, card.names)
    fresh = [name for name in own if name not in fits]
    left = [name for name in fresh if not rows.copy(own[name], theirs.get(name))]
    if left:
        return card.preprocessing, f"{copied}; {why}: {some_of(left)}"
    return card.preprocessing, f"{copied}; {rows.summary()}" if fresh else copied


def _tells_apart(network: nn.Module, num_classes: int, config: ClassifyConfig) -> set[str]:
    """Return the names of the tensors whose shape would change with one more class."""
    state = torch.random.get_rng_state()
    model = config.model.model_copy(update={"output": "softmax"})  # one logit tells two classes apart, no more
    more = build_classifier(model, num_classes + 1, config.imgsz).state_dict()
    torch.random.set_rng_state(state)
    return {name for name, value in network.state_dict().items() if more[name].shape != value.shape}
