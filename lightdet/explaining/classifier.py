"""Why a classifier assigns a class to a picture.

The score is the class's log-odds, ``log p - log(1 - p)``: the evidence for it and against the others. For a network
with one logit that is the logit, or its negative.

If the network averages its last feature map over the picture before its dense layers, that map is used: there
HiResCAM and Grad-CAM are the same. The other three were settled by measurement (docs/adr/0011). The basic CNN flattens
its map, and its dense layers see where everything is: the evidence is read from the map of its second block, each
channel minus its mean over the picture (not minus the mean if it pools its last map instead). MLP-Mixer mixes all
patches from its first block on: read from the patches themselves, minus their mean. The dense network has no map:
read from the pixels, likewise, blurred by a 32nd of the side.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torchvision import models

from lightdet.arrays import FloatArray, Image
from lightdet.classification.dataset import normalize
from lightdet.classification.networks import BasicCNN, MLPMixer
from lightdet.classification.task import probabilities
from lightdet.errors import NetworkError
from lightdet.explaining.cam import Method, captured, heat_of
from lightdet.explaining.heat import Heat, picture_heat
from lightdet.geometry.letterbox import plan_letterbox
from lightdet.inference.classifier import to_input
from lightdet.structures import Preprocessing

BLUR = 1 / 32
"""As a share of the input's side: how far the heat of single pixels is blurred, for networks without feature maps."""


class ClassifierExplainer:
    """Runs the network on pictures and keeps what is needed to explain the result.

    Args:
        network: pictures → logits; put into evaluation mode, its parameters frozen, moved to `device` here.
        names: class names by label.
        preprocessing: how pictures become input.
        device: where to run, in float32.
        method: how the cells of the feature map are weighed.
    """

    def __init__(
        self,
        network: nn.Module,
        names: Sequence[str],
        preprocessing: Preprocessing,
        *,
        device: torch.device | str = "cpu",
        method: Method = "hires-cam",
    ) -> None:
        self.network = network.eval().requires_grad_(False).to(device)
        self.names = tuple(names)
        self.preprocessing = preprocessing
        self.device = torch.device(device)
        self.method = method

    def look(self, picture: Image) -> ClassifierLook:
        """Run the network over uint8 RGB ``[H, W, 3]``.

        Raises:
            NetworkError: the network's output is not a number.
        """
        size = (picture.shape[1], picture.shape[0])
        boxed = np.ascontiguousarray(to_input(picture, self.preprocessing))
        pixels = torch.from_numpy(boxed).permute(2, 0, 1)[None].to(self.device)
        images = normalize(pixels, self.preprocessing)
        module = evidence_module(self.network, self.method)
        with torch.enable_grad(), torch.backends.cudnn.flags(deterministic=True, benchmark=False):
            if module is None:
                maps = [images.requires_grad_()]
                logits = self.network(images)
            else:
                with captured(module) as maps:
                    logits = self.network(images)
        if not torch.isfinite(logits).all():
            raise NetworkError("the network's output is not a number; the weights are damaged")
        return ClassifierLook(self, maps, logits, size, over_pixels=module is None)


class ClassifierLook:
    """One picture as the classifier saw it; ask it for the heat of a class.

    Attributes:
        probabilities: float32 ``[C]``.
        size: width and height of the picture.
    """

    def __init__(
        self,
        explainer: ClassifierExplainer,
        maps: Sequence[Tensor],
        logits: Tensor,
        size: tuple[int, int],
        *,
        over_pixels: bool,
    ) -> None:
        self._explainer = explainer
        self._maps = maps
        self._logits = logits
        self._over_pixels = over_pixels
        self.size = size
        self.probabilities: FloatArray = probabilities(logits.detach())[0].cpu().numpy()

    def category(self, label: int) -> Heat:
        """Why the picture is assigned to class `label`."""
        side = self._explainer.preprocessing.imgsz
        with torch.backends.cudnn.flags(deterministic=True, benchmark=False):
            density = self._density(log_odds(self._logits[0], label), (side, side))
        transform, _ = plan_letterbox(self.size, (side, side))
        return picture_heat(density, transform, self.size)

    def _density(self, score: Tensor, target: tuple[int, int]) -> FloatArray:
        if not self._over_pixels:
            network, method = self._explainer.network, self._explainer.method
            flat = isinstance(network, BasicCNN) and network.pool == "flatten"
            centred = isinstance(network, MLPMixer) or (flat and method == "hires-cam")
            return heat_of(score, self._maps, target, method, centred=centred).numpy()
        (pixels,) = self._maps
        (gradient,) = torch.autograd.grad(score, [pixels], retain_graph=True)
        # A pixel of the picture's mean colour is no evidence; otherwise black pixels never could be.
        apart = pixels.detach() - pixels.detach().mean(dim=(2, 3), keepdim=True)
        spoken = (apart * gradient)[0].sum(dim=0).cpu().numpy()
        blurred = cv2.GaussianBlur(spoken, (0, 0), max(1.0, BLUR * target[0]))
        return np.maximum(blurred, 0.0).astype(np.float32)


def log_odds(logits: Tensor, label: int) -> Tensor:
    """Logits ``[K]`` → ``log p - log(1 - p)`` of class `label`; a single logit is the second class's."""
    if len(logits) == 1:
        return logits[0] if label == 1 else -logits[0]
    others = torch.cat((logits[:label], logits[label + 1 :]))
    return logits[label] - others.logsumexp(dim=0)


def evidence_module(network: nn.Module, method: Method = "hires-cam") -> nn.Module | None:
    """The part of a classifier whose feature map is used; None for a network that has none."""
    found: nn.Module | None = None
    if isinstance(network, models.MobileNetV2 | models.EfficientNet):
        found = network.features
    elif isinstance(network, models.ResNet):
        found = network.layer4
    elif isinstance(network, MLPMixer):
        found = network.embed
    elif isinstance(network, BasicCNN):
        blocks = [module for module in network.features if isinstance(module, nn.MaxPool2d)]
        found = blocks[-1] if method == "grad-cam" else blocks[min(1, len(blocks) - 1)]
    return found
