"""Gradient class activation maps: which cells of a feature map support a score.

Letters: C channels, h and w cells of a feature map, H and W pixels of the network's input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

Method: TypeAlias = Literal["hires-cam", "grad-cam"]


def grad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Weigh each channel by its gradient's mean over the cells (Selvaraju et al. 2017, eqs. 1 and 2).

    Args:
        activations: ``[C, h, w]``.
        gradients: of the score with respect to them, ``[C, h, w]``.

    Returns:
        ``[h, w]``, at least 0: the evidence for the score.
    """
    return (gradients.mean(dim=(1, 2), keepdim=True) * activations).sum(dim=0).relu()


def hires_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Weigh each cell of each channel by its own gradient (Draelos and Carin 2020, eq. 5).

    Where the network averages a feature map over its cells before anything else, this equals Grad-CAM. Elsewhere
    Grad-CAM's mean discards where the gradient was, and so shows cells that the score does not depend on.

    Args:
        activations: ``[C, h, w]``.
        gradients: of the score with respect to them, ``[C, h, w]``.

    Returns:
        ``[h, w]``, at least 0: the evidence for the score.
    """
    return (gradients * activations).sum(dim=0).relu()


WEIGHTINGS: Mapping[Method, Callable[[Tensor, Tensor], Tensor]] = {"hires-cam": hires_cam, "grad-cam": grad_cam}


@contextmanager
def captured(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the feature maps that `module` returns within the block, ready for differentiation.

    The graph begins at them: with frozen parameters nothing before them is kept. The network continues with a copy,
    so that an in-place operation after `module` does not change what was collected.

    Args:
        module: returns a tensor, or tensors in a tuple, list or mapping.

    Yields:
        A list that holds the ``[B, C, h, w]`` maps once the network has run.
    """
    maps: list[Tensor] = []

    def keep(value: Any) -> Any:
        if isinstance(value, Tensor):
            leaf = value.detach().requires_grad_()
            maps.append(leaf)
            return leaf.clone()
        if isinstance(value, Mapping):
            return type(value)((key, keep(each)) for key, each in value.items())  # type: ignore[call-arg]
        return type(value)(keep(each) for each in value)

    handle = module.register_forward_hook(lambda _module, _inputs, output: keep(output))
    try:
        yield maps
    finally:
        handle.remove()


def heat_of(
    score: Tensor,
    maps: Sequence[Tensor],
    size: tuple[int, int],
    method: Method = "hires-cam",
    *,
    centred: bool = False,
) -> Tensor:
    """The evidence for `score` in the maps of one picture, as a density over the input's pixels.

    Each map's heat is divided by the pixels that a cell covers, so that coarse and fine maps add up.

    Args:
        score: 0-d, computed from `maps`; the graph is kept for further scores.
        maps: ``[1, C, h, w]`` each (`captured`).
        size: (H, W).
        method: how cells are weighed.
        centred: subtract each channel's mean over the cells first: for maps that show what the picture looks like
            (patches), not what was found in it. A cell like all the others is then no evidence.

    Returns:
        float32 ``[H, W]`` on the CPU, at least 0; all 0 where there is no evidence.
    """
    gradients = torch.autograd.grad(score, maps, retain_graph=True, allow_unused=True)
    heat = torch.zeros(size)
    for features, gradient in zip(maps, gradients, strict=True):
        if gradient is None:
            continue
        values = features.detach()[0].float()
        values = values - values.mean(dim=(1, 2), keepdim=True) if centred else values
        cells = WEIGHTINGS[method](values, gradient[0].float())
        area = (size[0] / cells.shape[0]) * (size[1] / cells.shape[1])
        heat += interpolate(cells[None, None] / area, size, mode="bilinear", align_corners=False)[0, 0].cpu()
    return heat
