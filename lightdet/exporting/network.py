"""The network for the file: the picture's own bytes in, raw grids or candidates out."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from lightdet.inference.export_card import Layout, Outputs
from lightdet.models import DetectionNetwork, Detector
from lightdet.models.agreement import agree, tensors
from lightdet.models.fuse import FoldedConv, fuse
from lightdet.models.heads import AnchorHead
from lightdet.structures import Preprocessing


@dataclass(frozen=True)
class Deployable:
    """A network ready to be traced, and how to decode it.

    Attributes:
        module: uint8 ``[B, 3, H, W]`` or ``[B, H, W, 3]`` → a tuple of float32 tensors.
        outputs: what they are; `anchors` ``[strides][A][2]`` and `strides` belong to ``grids``.
        names: of the outputs.
    """

    module: nn.Module
    layout: Layout
    outputs: Outputs
    names: tuple[str, ...]
    anchors: tuple[tuple[tuple[float, float], ...], ...] = ()
    strides: tuple[int, ...] = ()


def deployable(
    network: DetectionNetwork,
    preprocessing: Preprocessing,
    *,
    layout: Layout,
    decode: bool = False,
    sums: bool = True,
    half: bool = False,
) -> Deployable:
    """Rewrite a trained network for use (see `lightdet.models.fuse`).

    Networks with anchors return their convolutions' raw results; only those that pass the threshold are decoded later
    (`lightdet.inference.decode`). All others, and with `decode` these too, decode in the network.

    Args:
        network: not changed; its `decode` is used where needed.
        preprocessing: its scale becomes part of the network.
        layout: order of the input's bytes.
        decode: always return candidates.
        sums: see `lightdet.models.fuse.fuse`; faster in OpenVINO, not in ONNX Runtime.
        half: compute in float16; outputs stay float32.
    """
    fused = fuse(network, sums=sums)
    raw = not decode and type(fused) is Detector and type(fused.head) is AnchorHead
    body = _RawGrids(cast(Detector, fused), layout == "interleaved") if raw else _Candidates(fused)
    side = 64
    probe = torch.randint(0, 256, (1, 3, side, side), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    module = _with_input(body, preprocessing.scale, layout, probe)
    if half:
        module.half_precision()
    if not raw:
        return Deployable(module, layout, "candidates", ("candidates",))
    anchors = cast(Detector, fused).anchors.tolist()
    strides = cast(Detector, fused).strides
    levels = tuple(tuple((float(w), float(h)) for w, h in level) for level in anchors)
    return Deployable(module, layout, "grids", tuple(f"grid{stride}" for stride in strides), levels, strides)


class _RawGrids(nn.Module):
    """A `Detector` that returns its grids as the last convolutions give them: ``[B, A * (5 + C), H/s, W/s]``.

    With `last`, ``[B, H/s, W/s, A * (5 + C)]``: the order in which OpenVINO computes, so nothing is rearranged.
    """

    def __init__(self, detector: Detector, last: bool) -> None:
        super().__init__()
        self.last = last
        head = cast(AnchorHead, detector.head)
        self.backbone, self.neck = detector.backbone, detector.neck
        self.branches, self.outputs = head.branches, head.outputs

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = self.backbone(images)
        parts = zip(self.branches, self.outputs, self.neck(features), features, strict=True)
        grids = tuple(conv(branch(deep, shallow)) for branch, conv, deep, shallow in parts)
        return tuple(grid.permute(0, 2, 3, 1) for grid in grids) if self.last else grids


class _Candidates(nn.Module):
    """Any network with its decoding: ``[B, N, 5 + C]``."""

    def __init__(self, network: DetectionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        outputs = self.network(images)
        # The sigmoid makes a probability of infinity, and a defect could be overlooked: so 0, or NaN to all.
        broken = sum((each.float() * 0).sum() for each in tensors(outputs))
        return (self.network.decode(outputs) + broken,)


class _Planar(nn.Module):
    """uint8 ``[B, 3, H, W]`` → `body`, scaled unless its first convolution does that."""

    def __init__(self, body: nn.Module, scale: float | None) -> None:
        super().__init__()
        self.body = body
        self.scale = scale

        self.dtype = torch.float32

    def half_precision(self) -> None:
        """Compute in float16 from here on."""
        self.body.half()
        self.dtype = torch.float16

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        values = images.to(self.dtype)
        outputs = self.body(values if self.scale is None else values * self.scale)
        return tuple(output.float() for output in outputs)


class _Interleaved(_Planar):
    """The same from uint8 ``[B, H, W, 3]``."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return super().forward(images.permute(0, 3, 1, 2))


class _Pairs(_Planar):
    """The same, with two neighbouring pixels as six channels: just another view of the interleaved bytes.

    Convolutions process several channels at a time, and three are few.
    """

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        batch, height, width, _ = images.shape
        return super().forward(images.reshape(batch, height, width // 2, 6).permute(0, 3, 1, 2))


def _with_input(body: nn.Module, scale: float, layout: Layout, probe: Tensor) -> _Planar:
    """Put the input before `body`; its first convolution is adapted if that gives the same outputs."""
    with torch.no_grad():
        wanted = body(probe.float() * scale)
        stem = _stem(body, probe)
        given = probe if layout == "planar" else probe.permute(0, 2, 3, 1).contiguous()
        plain = _Planar if layout == "planar" else _Interleaved
        made = plain(body, scale)
        if stem is not None:
            conv = stem.conv
            stem.conv = _rescaled(conv, scale)
            made = plain(body, None)
            if not agree(made(given), wanted):  # something else uses the picture, too
                stem.conv = conv
                return plain(body, scale)
            if layout == "interleaved" and _pairs_fit(stem.conv):
                single, stem.conv = stem.conv, _paired(stem.conv)
                paired = _Pairs(body, None)
                if agree(paired(given), wanted):
                    return paired
                stem.conv = single
    return made


def _stem(body: nn.Module, probe: Tensor) -> FoldedConv | None:
    """The only `FoldedConv` that takes the picture itself; None if there is none or more than one."""
    images = probe.float()
    found: list[FoldedConv] = []
    handles = [
        module.register_forward_pre_hook(lambda module, given: found.append(module) if given[0] is images else None)
        for module in body.modules()
        if isinstance(module, FoldedConv)
    ]
    try:
        body(images)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if len(found) == 1 else None


def _rescaled(conv: nn.Conv2d, scale: float) -> nn.Conv2d:
    made = copy.deepcopy(conv)
    made.weight = nn.Parameter(conv.weight * scale, requires_grad=False)
    return made


def _pairs_fit(conv: nn.Conv2d) -> bool:
    """Whether kernel, stride and padding along a row are whole pairs."""
    plain = conv.groups == 1 and conv.dilation == (1, 1) and not isinstance(conv.padding, str)
    return plain and conv.stride[1] == 2 and cast(int, conv.padding[1]) % 2 == 0 and conv.kernel_size[1] % 2 == 0


def _paired(conv: nn.Conv2d) -> nn.Conv2d:
    """``[c_out, 3, k, 2j]`` of stride (s, 2) → ``[c_out, 6, k, j]`` of stride (s, 1)."""
    rows, columns = conv.kernel_size
    padding = (cast(int, conv.padding[0]), cast(int, conv.padding[1]) // 2)
    made = nn.Conv2d(6, conv.out_channels, (rows, columns // 2), (conv.stride[0], 1), padding)
    made.bias = conv.bias
    even, odd = conv.weight[:, :, :, ::2], conv.weight[:, :, :, 1::2]
    made.weight = nn.Parameter(torch.cat((even, odd), dim=1), requires_grad=False)
    return made
