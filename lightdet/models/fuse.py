"""A trained network rewritten into fewer and cheaper operations that compute the same values.

- Batch normalization goes into the convolution before it (Jacob et al. 2018, section 3.2), and the joint one of a
  `BottleneckCSP` into the two bare convolutions that it follows. In torchvision's networks, neighbours in a
  sequence and in a ResNet's blocks are folded.
- `Focus` and its convolution become one convolution of twice the kernel and stride 2: the slices are what a
  strided kernel reads anyway.
- A 5x5 max-pool becomes a 5x1 and a 1x5: 10 comparisons instead of 25.
- With `sums`, a 1x1 convolution over a concatenation (SPP's, and PAN's of a doubled map) becomes a sum of one per
  part: nothing is copied together, and the map to be doubled is convolved before, at a quarter of the positions.
  OpenVINO adds while it convolves; ONNX Runtime then has no activation in the convolution; and in int8 each sum
  would be rounded.
- A gate that does not depend on the picture is a constant.
- The factor of the preprocessing goes into the first convolution, which then takes the picture's own bytes; 0-255
  are exact in bfloat16 too, their 255ths are not.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.ops.misc import FrozenBatchNorm2d

from lightdet.layers import (
    SPP,
    BottleneckCSP,
    ChannelGate,
    ConvBNAct,
    Focus,
    GatedFusion,
    ResidualSPP,
    ScalarGate,
    double,
)
from lightdet.models.necks import PAN

Module = TypeVar("Module", bound=nn.Module)
Norm: TypeAlias = nn.BatchNorm2d | FrozenBatchNorm2d
RESNET: dict[type[nn.Module], tuple[tuple[str, str], ...]] = {
    ResNet: (("conv1", "bn1"),),
    BasicBlock: (("conv1", "bn1"), ("conv2", "bn2")),
    Bottleneck: (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
}
"""Names of the convolutions in torchvision's ResNets, and of the normalizations that follow them."""


def fuse(network: Module, *, sums: bool = True) -> Module:
    """Return a rewritten copy of `network` in evaluation mode that gives the same outputs (up to rounding).

    Args:
        network: not changed.
        sums: turn 1x1 convolutions over concatenations into sums.
    """
    fused = copy.deepcopy(network).eval()
    with torch.no_grad():
        _rewrite(fused, sums)
    return fused.requires_grad_(False)


def _rewrite(module: nn.Module, sums: bool) -> None:
    for before, after in _neighbours(module):
        conv, norm = getattr(module, before), getattr(module, after)
        if type(conv) is nn.Conv2d and conv.padding_mode == "zeros" and isinstance(norm, Norm):
            setattr(module, before, _scaled(conv, *_affine(norm)))
            setattr(module, after, nn.Identity())
    for name, child in module.named_children():
        made = _replacement(child, sums)
        if made is None:
            _rewrite(child, sums)
        else:
            setattr(module, name, made)


def _neighbours(module: nn.Module) -> Sequence[tuple[str, str]]:
    """Names of children where only the second gets the output of the first."""
    in_order = type(module).forward is nn.Sequential.forward or type(module) is IntermediateLayerGetter
    return list(pairwise(dict(module.named_children()))) if in_order else RESNET.get(type(module), ())


def _replacement(child: nn.Module, sums: bool) -> nn.Module | None:
    """The replacement of a module; None: it stays, and its parts are rewritten."""
    # A subclass may compute something else.
    if type(child) is ConvBNAct:
        return _fold_conv(child)
    if type(child) is Focus:
        return _fold_focus(child)
    if type(child) is BottleneckCSP:
        _rewrite(child, sums)
        return FoldedCSP(child)
    if sums and type(child) is PAN and type(child.down16) is type(child.out8) is BottleneckCSP:
        _rewrite(child, sums)
        return SplitPAN(child)
    if type(child) in (SPP, ResidualSPP):
        block = cast(SPP, child)
        folded = SummedSPP(block) if sums else FoldedSPP(block)
        return WayPast(folded) if type(child) is ResidualSPP else folded
    if type(child) is GatedFusion and isinstance(child.gate, (ScalarGate, ChannelGate)):
        return ConstantBlend(child.gate.logit)
    return None


class FoldedConv(nn.Module):
    """A convolution with bias, and an activation."""

    def __init__(self, conv: nn.Conv2d, act: nn.Module) -> None:
        super().__init__()
        self.conv = conv
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """Apply both."""
        out: Tensor = self.act(self.conv(x))
        return out


class FoldedCSP(nn.Module):
    """`BottleneckCSP` without normalizations: an activation is element-wise, so it can also come before the join."""

    def __init__(self, block: BottleneckCSP) -> None:
        super().__init__()
        scale, shift = _affine(block.norm)
        hidden = block.through.out_channels
        self.enter, self.blocks, self.mix = block.enter, block.blocks, block.mix
        self.through = FoldedConv(_scaled(block.through, scale[:hidden], shift[:hidden]), block.act)
        self.past = FoldedConv(_scaled(block.past, scale[hidden:], shift[hidden:]), block.act)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c_in, H, W]`` → ``[B, c_out, H, W]``."""
        return self.join(self.enter(x), self.past(x))

    def join(self, entered: Tensor, past: Tensor) -> Tensor:
        """The part after the two branches' first convolutions."""
        out: Tensor = self.mix(torch.cat((self.through(self.blocks(entered)), past), dim=1))
        return out


class SplitJoin(nn.Module):
    """`FoldedCSP` of ``cat(double(low), skip)`` without the concatenation."""

    def __init__(self, block: FoldedCSP, low: int) -> None:
        super().__init__()
        self.block = block
        self.low, self.skip = nn.ModuleList(), nn.ModuleList()
        self.acts = nn.ModuleList()
        for branch in (block.enter, block.past):
            weight, bias = branch.conv.weight, branch.conv.bias
            self.low.append(_conv(weight[:, :low], None))
            self.skip.append(_conv(weight[:, low:], bias))
            self.acts.append(branch.act)

    def forward(self, low: Tensor, skip: Tensor) -> Tensor:
        """``low`` ``[B, c, H, W]`` and ``skip`` ``[B, d, 2H, 2W]`` → ``[B, c_out, 2H, 2W]``."""
        entered, past = (
            act(side(skip) + double(part(low))) for act, part, side in zip(self.acts, self.low, self.skip, strict=True)
        )
        return self.block.join(entered, past)


class SplitPAN(nn.Module):
    """`PAN` whose way down does not concatenate."""

    def __init__(self, neck: PAN) -> None:
        super().__init__()
        self.neck = neck
        self.down16 = SplitJoin(neck.down16, neck.lateral32.conv.out_channels)  # type: ignore[arg-type]
        self.out8 = SplitJoin(neck.out8, neck.lateral16.conv.out_channels)  # type: ignore[arg-type]

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """As `PAN.forward`."""
        p8, p16, p32 = features
        neck = self.neck
        lateral32 = neck.lateral32(p32)
        lateral16 = neck.lateral16(self.down16(lateral32, p16))
        n8 = self.out8(lateral16, p8)
        return n8, *neck.bottom_up(n8, lateral16, lateral32)


class WayPast(nn.Module):
    """A block's output, added to its input."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` → the same."""
        out: Tensor = x + self.block(x)
        return out


class FoldedSPP(nn.Module):
    """`SPP` with separated pools."""

    def __init__(self, block: SPP) -> None:
        super().__init__()
        self.reduce, self.expand = _fold_conv(block.reduce), _fold_conv(block.expand)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c_in, H, W]`` → ``[B, c_out, H, W]``."""
        parts = [self.reduce(x)]
        for _ in range(3):
            parts.append(pool5(parts[-1]))
        out: Tensor = self.expand(torch.cat(parts, dim=1))
        return out


class SummedSPP(nn.Module):
    """`SPP` with separated pools and a sum of convolutions in place of the concatenation."""

    def __init__(self, block: SPP) -> None:
        super().__init__()
        self.reduce = _fold_conv(block.reduce)
        expand = _fold_conv(block.expand)
        self.act = expand.act
        weights = expand.conv.weight.chunk(4, dim=1)
        # The bias goes to the last one: an engine that fuses a sum into a convolution has it there anyway.
        self.parts = nn.ModuleList(
            _conv(weight, expand.conv.bias if index == 3 else None) for index, weight in enumerate(weights)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c_in, H, W]`` → ``[B, c_out, H, W]``."""
        pooled = self.reduce(x)
        total = self.parts[0](pooled)
        for part in list(self.parts)[1:]:
            pooled = pool5(pooled)
            total = total + part(pooled)
        out: Tensor = self.act(total)
        return out


class ConstantBlend(nn.Module):
    """`GatedFusion` with a gate that is the same for every picture."""

    def __init__(self, logit: Tensor) -> None:
        super().__init__()
        self.register_buffer("deep_share", torch.sigmoid(logit.detach()))
        self.register_buffer("shallow_share", torch.sigmoid(-logit.detach()))

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """Return ``deep * J + shallow * (1 - J)``."""
        return deep * cast(Tensor, self.deep_share) + shallow * cast(Tensor, self.shallow_share)


def pool5(x: Tensor) -> Tensor:
    """5x5 max-pool of stride 1, same padding, as a column and a row."""
    return max_pool2d(max_pool2d(x, (5, 1), 1, (2, 0)), (1, 5), 1, (0, 2))


def _affine(norm: Norm) -> tuple[Tensor, Tensor]:
    """A trained normalization as scale and shift, ``[C]`` each, in double precision."""
    mean, variance = cast(Tensor, norm.running_mean).double(), cast(Tensor, norm.running_var).double()
    scale = cast(Tensor, norm.weight).double() / torch.sqrt(variance + norm.eps)
    return scale, cast(Tensor, norm.bias).double() - mean * scale


def _scaled(conv: nn.Conv2d, scale: Tensor, shift: Tensor) -> nn.Conv2d:
    """A convolution followed by ``y * scale + shift`` as one."""
    weight = (conv.weight.double() * scale.view(-1, 1, 1, 1)).float()
    bias = shift if conv.bias is None else shift + conv.bias.double() * scale
    return _conv(weight, bias.float(), like=conv)


def _conv(weight: Tensor, bias: Tensor | None, *, like: nn.Conv2d | None = None) -> nn.Conv2d:
    """A convolution of these weights, with the stride, padding and groups of another."""
    groups = 1 if like is None else like.groups
    channels = (weight.shape[1] * groups, weight.shape[0])
    # Without random weights: drawing them would change a training's later random draws.
    with torch.device("meta"):
        made = nn.Conv2d(*channels, 1, groups=groups, bias=bias is not None)
    made.kernel_size = cast(tuple[int, int], tuple(weight.shape[2:]))
    if like is not None:
        made.stride, made.padding, made.dilation = like.stride, like.padding, like.dilation
    made.weight = nn.Parameter(weight.clone())
    if bias is not None:
        made.bias = nn.Parameter(bias.clone())
    return made


def _fold_conv(block: ConvBNAct) -> FoldedConv:
    return FoldedConv(_scaled(block.conv, *_affine(block.norm)), block.act)


def _fold_focus(block: Focus) -> FoldedConv:
    """Slices (even/odd row, even/odd column) times kernel k → one kernel 2k of stride 2, padding doubled."""
    folded = _fold_conv(block.conv)
    small = folded.conv.weight  # [c_out, 4 * c_in, k, k], slices in the order of `Focus.forward`
    c_out, c_four, rows, columns = small.shape
    c_in = c_four // 4
    large = small.new_zeros(c_out, c_in, 2 * rows, 2 * columns)
    for index, (row, column) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        large[:, :, row::2, column::2] = small[:, index * c_in : (index + 1) * c_in]
    conv = _conv(large, folded.conv.bias)
    conv.stride = (2, 2)
    conv.padding = tuple(2 * cast(int, side) for side in folded.conv.padding)
    return FoldedConv(conv, folded.act)
