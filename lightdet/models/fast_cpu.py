"""A trained network in the form that eager PyTorch runs fastest on a CPU: the same values, only for inference.

The result of `lightdet.models.fuse` is rewritten once more, into operations that an exported graph should not hold:

- A 1x1 convolution becomes a matrix product over the positions of a channels-last map. PyTorch's own `conv2d`
  copies the map on the way in and out.
- A 1x1 convolution over a concatenation becomes a sum of matrix products, each accumulated in place:
  nothing is copied together.
- A 5x5 max-pool becomes a chain of maxima of shifted maps: PyTorch's own records the position of each maximum,
  which costs more than the maximum does.
- Sums go into one of their terms, and a blend by a constant is one operation.

oneDNN's private operations (pre-packed weights, fused activations) are not used: over the whole network they gained
nothing measurable, and weights packed for another input size take up to ten times as long.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from lightdet.models.agreement import agree
from lightdet.models.faster_rcnn import FasterRCNN
from lightdet.models.fuse import ConstantBlend, FoldedConv, FoldedCSP, SummedSPP, WayPast, fuse

Network = TypeVar("Network", bound=nn.Module)
PROBE = (64, 96)
"""Height and width of the picture on which a rewritten network is compared: small, so that a model for the largest
pictures is loaded as fast as any, and in no more memory."""


def fast_cpu(network: Network, size: tuple[int, int] | None = None) -> Network:
    """Return a network that computes what `network` does in evaluation mode, but faster.

    It is a copy with its own weights, in channels-last order, for use in `torch.no_grad` or `torch.inference_mode`.
    If its outputs for a noise picture differ from those of `network` (see `lightdet.models.agreement`), or
    `network` is not in float32 on the CPU, `network` itself is returned.

    Args:
        network: pictures ``[B, 3, H, W]`` → outputs; not changed.
        size: height and width that it takes, where it may take no others: it is compared at `PROBE` if it can be.
    """
    if any(p.device.type != "cpu" or p.dtype != torch.float32 for p in network.parameters()):
        return network
    trained = copy.deepcopy(network).eval() if network.training else network
    images = _noise(PROBE)
    if isinstance(trained, FasterRCNN):
        # Its proposals depend on the last digit of a score; its features do not.
        body = _verified(trained.backbone, trained.normalize(images))
        if body is trained.backbone:
            return network
        made = copy.deepcopy(trained)
        made.backbone = body
        return made
    if size is not None and not _takes(trained, images):
        images = _noise(size)
    rewritten = _verified(trained, images)
    return network if rewritten is trained else rewritten


def _noise(size: tuple[int, int]) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.rand(1, 3, *size, generator=draw).contiguous(memory_format=torch.channels_last)


def _takes(network: nn.Module, images: Tensor) -> bool:
    """Whether a network has an answer for pictures of this size."""
    try:
        with torch.no_grad():
            network(images)
    except (RuntimeError, AssertionError):  # a linear layer's width; what a transformer of torchvision asserts
        return False
    return True


def _verified(network: Network, images: Tensor) -> Network:
    """Rewrite a network and compare; the network itself if that fails."""
    try:
        with torch.no_grad():
            rewritten = fuse(network)
            _quicken(rewritten)
            rewritten = rewritten.to(memory_format=torch.channels_last)
            same = agree(rewritten(images), network(images))
    except (RuntimeError, AttributeError):  # an operation that this build of torch or this network does not support
        return network
    return rewritten if same else network


def _quicken(module: nn.Module) -> None:
    for name, child in module.named_children():
        _quicken(child)
        make = _QUICKER.get(type(child))
        if make is not None:
            setattr(module, name, make(child))


def _pointwise(conv: nn.Conv2d) -> nn.Module:
    plain = conv.stride == (1, 1) and conv.padding == (0, 0) and conv.groups == 1
    return Pointwise(conv) if plain and conv.kernel_size == (1, 1) else conv


def _with_activation(block: FoldedConv) -> nn.Module:
    if not isinstance(block.conv, Pointwise):
        return block
    block.conv.act = block.act
    return block.conv


class Pointwise(nn.Module):
    """A 1x1 convolution, and the activation after it."""

    def __init__(self, conv: nn.Conv2d, act: nn.Module | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(conv.weight.flatten(1).contiguous(), requires_grad=False)  # [c_out, c_in]
        self.bias = conv.bias
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c_in, H, W]`` → ``[B, c_out, H, W]``, channels last."""
        out = linear(x.permute(0, 2, 3, 1), self.weight, self.bias).permute(0, 3, 1, 2)
        return out if self.act is None else cast(Tensor, self.act(out))


class SumOfProducts(nn.Module):
    """A 1x1 convolution over a concatenation, and the activation after it, from the separate parts.

    Args:
        weights: ``[c_out, c]`` for each part.
        bias: ``[c_out]``.
        act: the activation.
    """

    def __init__(self, weights: Sequence[Tensor], bias: Tensor | None, act: nn.Module | None) -> None:
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(weight.contiguous(), requires_grad=False) for weight in weights)
        self.bias = bias
        self.act = act

    def forward(self, *parts: Tensor) -> Tensor:
        """``[B, c, H, W]`` each → ``[B, c_out, H, W]``, channels last."""
        first, *others = self.weights
        total = linear(parts[0].permute(0, 2, 3, 1), first, self.bias)  # [B, H, W, c_out]
        rows = total.view(-1, total.shape[-1])
        for part, weight in zip(parts[1:], others, strict=True):
            places = part.permute(0, 2, 3, 1).flatten(0, 2)  # [B * H * W, c]
            # If autocast has made the first product half precision, this one is too: it works in place.
            rows.addmm_(places.to(rows.dtype), weight.t().to(rows.dtype))
        out = total.permute(0, 3, 1, 2)
        return out if self.act is None else cast(Tensor, self.act(out))


class QuickCSP(FoldedCSP):
    """`FoldedCSP` whose branches are not copied together."""

    def __init__(self, block: FoldedCSP) -> None:
        nn.Module.__init__(self)
        self.enter, self.blocks, self.through, self.past = block.enter, block.blocks, block.through, block.past
        mix = cast(Pointwise, block.mix)
        self.mix = SumOfProducts(mix.weight.chunk(2, dim=1), mix.bias, mix.act)  # type: ignore[assignment]

    def join(self, entered: Tensor, past: Tensor) -> Tensor:
        """As `FoldedCSP.join`."""
        out: Tensor = self.mix(self.through(self.blocks(entered)), past)
        return out


class QuickSPP(nn.Module):
    """`SummedSPP` whose products are accumulated in place."""

    def __init__(self, block: SummedSPP) -> None:
        super().__init__()
        self.reduce = block.reduce
        parts = [cast(Pointwise, part) for part in block.parts]
        self.expand = SumOfProducts([part.weight for part in parts], parts[-1].bias, block.act)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c_in, H, W]`` → ``[B, c_out, H, W]``."""
        parts = [self.reduce(x)]
        for _ in range(3):
            parts.append(shifted_pool5(parts[-1]))
        out: Tensor = self.expand(*parts)
        return out


class QuickWayPast(WayPast):
    """`WayPast` of a block whose result nothing else reads."""

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` → the same."""
        out: Tensor = self.block(x).add_(x)
        return out


class QuickBlend(nn.Module):
    """`ConstantBlend` in one operation."""

    def __init__(self, blend: ConstantBlend) -> None:
        super().__init__()
        self.register_buffer("deep_share", cast(Tensor, blend.deep_share))

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """Return ``deep * J + shallow * (1 - J)``."""
        return torch.lerp(shallow, deep.to(shallow.dtype), cast(Tensor, self.deep_share).to(shallow.dtype))


def shifted_pool5(x: Tensor) -> Tensor:
    """5x5 max-pool of stride 1, same padding: ``[B, C, H, W]`` → the same."""
    return _largest_of_five(_largest_of_five(x, 2), 3)


def _largest_of_five(x: Tensor, axis: int) -> Tensor:
    """The maximum of each value and the two before and after it along an axis; at the ends, of those that exist."""
    size = x.shape[axis]
    largest = x.clone()
    for shift in range(1, min(3, size)):
        first, last = (largest.narrow(axis, start, size - shift) for start in (0, shift))
        torch.maximum(first, x.narrow(axis, shift, size - shift), out=first)
        torch.maximum(last, x.narrow(axis, 0, size - shift), out=last)
    return largest


# A subclass may compute something else, so types are looked up as they are.
_QUICKER: dict[type[nn.Module], Callable[..., nn.Module]] = {
    nn.Conv2d: _pointwise,
    FoldedConv: _with_activation,
    FoldedCSP: QuickCSP,
    SummedSPP: QuickSPP,
    WayPast: lambda child: QuickWayPast(child.block),
    ConstantBlend: QuickBlend,
}
