"""Parameters and operations of a network, as a whole and by layer; torch is imported only to count them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LayerCost:
    """One leaf module of a network.

    Attributes:
        name: its path in the network, such as ``backbone.focus.conv``.
        kind: its class name.
        output: the shape of its output for one picture; of the last call if it is used more than once.
        params: its own parameters.
        flops: its operations for one picture, over all calls.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    params: int
    flops: int


@dataclass(frozen=True)
class Complexity:
    """A network's size and operations for one picture; `layers` in the order in which they run."""

    params: int
    flops: int
    layers: tuple[LayerCost, ...]


def count_parameters(network: nn.Module) -> int:
    """Return the number of learned values (batch norm's running statistics are not learned)."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_flops(network: nn.Module, imgsz: int) -> int:
    """Return the operations for one ``imgsz`` x ``imgsz`` picture: two per multiply-add, convolutions and products.

    Counted by `torch.utils.flop_counter`, which ignores cheap operations: pooling, normalization, activations.
    """
    return measure_complexity(network, imgsz).flops


def measure_complexity(network: nn.Module, imgsz: int) -> Complexity:
    """Run `network` once on one blank picture of ``imgsz`` x ``imgsz`` pixels and count; its mode is kept.

    If the work depends on the picture's content (Faster R-CNN's proposals), the maximum is counted.
    """
    import torch  # noqa: PLC0415
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    parameter = next(network.parameters())
    picture = torch.zeros(1, 3, imgsz, imgsz, device=parameter.device, dtype=parameter.dtype)
    shapes: dict[str, tuple[int, ...]] = {}
    # The counter keeps track of module paths itself; "Global" is the whole network.
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), _evaluating(network), _at_full_work(network), _watching(network, shapes), counter:
        network(picture)
    counts = {name: sum(by_operator.values()) for name, by_operator in counter.get_flop_counts().items()}
    modules = dict(network.named_modules())
    root = type(network).__name__
    layers = tuple(
        LayerCost(
            name,
            type(modules[name]).__name__,
            shape,
            sum(p.numel() for p in modules[name].parameters()),
            counts.get(f"{root}.{name}", 0),
        )
        for name, shape in shapes.items()
    )
    return Complexity(count_parameters(network), int(counter.get_total_flops()), layers)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode: counting must not change the running statistics."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def _at_full_work(network: nn.Module) -> Iterator[None]:
    """The maximum number of proposals: a blank picture has few, and they differ from run to run."""
    from lightdet.models.faster_rcnn import FasterRCNN  # noqa: PLC0415

    if not isinstance(network, FasterRCNN):
        yield
        return
    before, network.fill_up = network.fill_up, True
    try:
        yield
    finally:
        network.fill_up = before


@contextmanager
def _watching(network: nn.Module, shapes: dict[str, tuple[int, ...]]) -> Iterator[None]:
    """Record the output shape of every leaf module that runs in `shapes`, in the order of the first calls."""
    from torch import Tensor  # noqa: PLC0415

    def note(name: str) -> object:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                shapes[name] = tuple(output.shape)

        return hook

    handles = [
        module.register_forward_hook(note(name))
        for name, module in network.named_modules()
        if name and not any(True for _ in module.children())
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
