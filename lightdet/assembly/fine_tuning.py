"""A training that starts from a trained model: its card gives the network, its tensors the starting weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lightdet.assembly.class_rows import ClassRows
from lightdet.config import RunConfig, YamlFile, parse_overrides
from lightdet.config.yaml_file import merge
from lightdet.errors import UserError
from lightdet.missing import require_file
from lightdet.wording import counted

if TYPE_CHECKING:
    from torch import Tensor

    from lightdet.card import ModelCard
    from lightdet.models import DetectionNetwork

BOX_OUTPUTS = 5
"""x, y, w, h and objectness of an anchor, before its classes."""
SHOWN = 6
"""Most tensor names in a note."""


class Networks(Protocol):
    """The networks of a task; see `lightdet.tasks.training.Training`."""

    def network_of(self, card: ModelCard, weights: Path) -> dict[str, Any]:
        """The configuration of the network in a card."""

    def network_config(self, file: YamlFile) -> Any:
        """A checked ``model`` section."""


def config_from_card(weights: Path, file: YamlFile, overrides: Sequence[str], networks: Networks) -> YamlFile:
    """Put the network of the model file `weights` below the configuration `file`, and its input size if none is given.

    Args:
        weights: a trained model (``best.safetensors``).
        file: the given configuration, which may repeat the network of the model's card.
        overrides: ``key.path=value`` of the command line; they are checked, not applied.
        networks: of the task of `weights`.

    Raises:
        UserError: a missing or foreign model file, or a configuration that asks for another network.
    """
    require_file(weights, give="the .safetensors in it")  # said before torch is imported, which takes seconds
    from lightdet.models.weights import load_model  # noqa: PLC0415 - torch only when a model is read

    over = parse_overrides(overrides)
    asked = merge(file.values, over)
    below = networks.network_of(load_model(weights)[1], weights)
    wanted = asked.get("model") or {}
    if isinstance(wanted, Mapping):
        _check_same_network(weights, below["model"], wanted, file, over, networks.network_config)
    return YamlFile(merge(below, file.values), file.path, file.places)


def _check_same_network(
    weights: Path,
    kept: Mapping[str, Any],
    wanted: Mapping[str, Any],
    file: YamlFile,
    over: Mapping[str, Any],
    network_config: Callable[[YamlFile], Any],
) -> None:
    """Refuse a configuration that asks for another network than the card's, with the line that does."""
    try:
        name = wanted.get("name", kept["name"])
        base = kept if name == kept["name"] else {"name": name}
        asked = network_config(YamlFile(merge(base, wanted))).model_dump(mode="json")
    except UserError:
        return  # reported with its line when the whole configuration is read
    for key in ("name", *wanted):
        if key == "anchors" or asked.get(key) == kept.get(key):
            continue  # anchors do not matter for whether the tensors fit
        message = (
            f"model.pretrained={asked.get(key)} and the weights {weights} are two starts; leave one out"
            if key == "pretrained"
            else f"model.{key} is {asked.get(key)}, but {weights} has {kept.get(key)}: "
            "leave it out, and the network is taken from the weights"
        )
        given = over.get("model")
        if isinstance(given, Mapping) and key in given:
            raise UserError(f"{message} (from the command line)")
        path, line = file.place(("model", key))
        raise UserError(message, path=path, line=line)


def begin_with(
    weights: Path, network: DetectionNetwork, names: Sequence[str], config: RunConfig, *, called: str | None = None
) -> str:
    """Copy what fits of the model file `weights` into `network`, which has the classes `names`; the rest is unchanged.

    Where the file's classes are not `names`, in that order, the weights that tell classes apart are copied by name, and
    those of new classes start from random values; in anchor grids the outputs for box and objectness are copied too.
    Anchors are scaled to ``config.imgsz``, unless ``model.anchors`` gives others.

    Args:
        called: the weights in words, for the note; default: the file's name.

    Returns:
        A note that says how many tensors were copied, and which were not.

    Raises:
        UserError: as `lightdet.assembly.detector.load_detector`; or nothing fits.
    """
    from lightdet.assembly.detector import load_detector  # noqa: PLC0415 - torch only when a network is wanted

    donor, card = load_detector(weights)
    scale = config.imgsz / card.preprocessing.imgsz
    theirs, own = _by_stride(donor, network, scale), network.state_dict()
    fits, why = fitting(theirs, own, names, card.names, lambda: _depends_on_classes(network, len(names), config))
    if not fits:
        raise UserError("none of its tensors fits this network", path=weights)
    fresh = [name for name in own if name not in fits]
    for name in fits:
        if name != "anchors":
            own[name].copy_(theirs[name])
        elif getattr(config.model, "anchors", None) is None:
            own[name].copy_(theirs[name] * scale)
    note = f"starts from {called or weights}: copies {len(fits)} of {counted(len(own), 'tensor')}"
    anchored = _anchored(donor, network, [name for name in fresh if name in theirs])
    lead, anchors = (BOX_OUTPUTS, anchored) if anchored else (0, 1)
    rows = ClassRows(names, card.names, lead, anchors)
    left = [name for name in fresh if not rows.copy(own[name], theirs.get(name))]
    if anchored and not left:
        note += f", and box and objectness of the outputs; {rows.summary()}"
    elif left:
        note += f"; {why}: {some_of(left)}"
    elif fresh:
        note += f"; {rows.summary()}"
    return note


def fitting(
    theirs: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    names: Sequence[str],
    before: Sequence[str],
    apart: Callable[[], set[str]],
) -> tuple[list[str], str]:
    """Return which tensors of a network can be copied from another, and why the rest starts from random values.

    Args:
        theirs, own: tensors by name.
        names, before: the classes of this network and of the other one, in order.
        apart: the tensors that tell classes apart; called only for other classes of the same number.
    """
    fits = [name for name, value in own.items() if name in theirs and theirs[name].shape == value.shape]
    if len(names) != len(before) or tuple(names) == tuple(before):
        return fits, f"of another shape or new, so started from random values ({len(before)} classes before)"
    order = "in another order" if set(names) == set(before) else ", ".join(before)
    left = apart()
    return [
        name for name in fits if name not in left
    ], f"what tells classes apart starts from random values (before: {order})"


def some_of(names: Sequence[str]) -> str:
    """The first tensor names, and how many more there are."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _by_stride(donor: DetectionNetwork, network: DetectionNetwork, scale: float) -> dict[str, Tensor]:
    """The donor's tensors, the parts of its heads under the names that `network` gives to the same strides.

    Where the strides differ, the anchors of those that only `network` has are its own, for an input smaller by `scale`.
    """
    from lightdet.models import Detector  # noqa: PLC0415

    theirs = donor.state_dict()
    if not (isinstance(donor, Detector) and isinstance(network, Detector)) or donor.strides == network.strides:
        return theirs
    if donor.anchors.shape[1:] == network.anchors.shape[1:]:
        both = [s for s in network.strides if s in donor.strides]
        anchors = network.anchors / scale
        anchors[[network.strides.index(s) for s in both]] = donor.anchors[[donor.strides.index(s) for s in both]]
        theirs["anchors"] = anchors
    places = {str(at): network.strides.index(s) for at, s in enumerate(donor.strides) if s in network.strides}
    named = {}
    for name, value in theirs.items():
        head, kind, at, *rest = name.split(".") if name.startswith(("head.branches.", "head.outputs.")) else ("",) * 3
        if not head:
            named[name] = value
        elif at in places:
            named[".".join((head, kind, str(places[at]), *rest))] = value
    return named


def _anchored(donor: DetectionNetwork, network: DetectionNetwork, fresh: Sequence[str]) -> int:
    """The anchors per cell of two networks that differ only in the outputs of their anchor grids; 0 for others."""
    from lightdet.models import Detector  # noqa: PLC0415

    if not (fresh and isinstance(donor, Detector) and isinstance(network, Detector)):
        return 0
    count = network.anchors.shape[1]
    return count if donor.anchors.shape[1] == count and all(".outputs." in name for name in fresh) else 0


def _depends_on_classes(network: DetectionNetwork, num_classes: int, config: RunConfig) -> set[str]:
    """Return the names of the tensors whose shape would change with one more class."""
    import torch  # noqa: PLC0415

    from lightdet.assembly.detector import build_detector  # noqa: PLC0415

    state = torch.random.get_rng_state()
    more = build_detector(config.model, num_classes + 1, config.imgsz).state_dict()
    torch.random.set_rng_state(state)
    return {name for name, value in network.state_dict().items() if more[name].shape != value.shape}
