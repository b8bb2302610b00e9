"""Why a detector reports a box, or a class.

The source of the heat was chosen by measurement (docs/adr/0011): HiResCAM on the output of the neck, with all
strides added up as a density over the pixels. A box's score is read off one cell, so its gradient depends on
position; Grad-CAM's mean over the map discards that and points beside the defect half of the time. A finer stride than
the box's own often holds sharper evidence, and adding the strides uses each of them, in any of the networks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lightdet.arrays import FloatArray, Image
from lightdet.errors import NetworkError, UserError
from lightdet.explaining.cam import Method, captured, heat_of
from lightdet.explaining.heat import Heat, hottest, picture_heat
from lightdet.geometry.boxes import clip_boxes
from lightdet.geometry.letterbox import LetterboxTransform, letterbox, rectangle_for
from lightdet.models import DetectionNetwork
from lightdet.structures import Detections, Preprocessing
from lightdet.structures.scores import raw_floor, reaches

MIN_SIDE = 0.1
"""As in `lightdet.inference.predictor`: after clipping, a box smaller than this many pixels is dropped."""
MOST_BOXES = 20
"""For one class in one picture; the heat of further, less certain boxes is left out."""


class DetectorExplainer:
    """Runs the network on pictures and keeps what is needed to explain the result.

    Args:
        network: put into evaluation mode, its parameters frozen, moved to `device` here.
        names: class names by label.
        preprocessing: how pictures become input.
        confidence, iou, max_detections: as for prediction, so that the boxes are the reported ones.
        device: where to run, in float32.
        method: how the cells of the feature maps are weighed.
        rect: letterbox to rectangles, as `lightdet.inference.predictor.Predictor`.
        agnostic: boxes of different classes also suppress each other.
    """

    def __init__(
        self,
        network: DetectionNetwork,
        names: Sequence[str],
        preprocessing: Preprocessing,
        *,
        confidence: float = 0.25,
        iou: float = 0.55,
        max_detections: int = 300,
        device: torch.device | str = "cpu",
        method: Method = "hires-cam",
        rect: bool = False,
        agnostic: bool = False,
    ) -> None:
        self.network = network.eval().requires_grad_(False).to(device)
        self.names = tuple(names)
        self.preprocessing = preprocessing
        self.confidence = confidence
        self.iou = iou
        self.max_detections = max_detections
        self.device = torch.device(device)
        self.method = method
        self.rect = rect
        self.agnostic = agnostic

    def look(self, picture: Image) -> DetectorLook:
        """Run the network over uint8 RGB ``[H, W, 3]``.

        Raises:
            NetworkError: the network's output is not a number.
        """
        size = (picture.shape[1], picture.shape[0])
        side = self.preprocessing.imgsz
        target = rectangle_for(size, side) if self.rect else (side, side)
        boxed, transform = letterbox(picture, target, pad_value=self.preprocessing.pad_value)
        images = torch.from_numpy(boxed).to(self.device).permute(2, 0, 1)[None].float() * self.preprocessing.scale
        # Some of cuDNN's backward kernels add up in arbitrary order.
        with torch.enable_grad(), torch.backends.cudnn.flags(deterministic=True, benchmark=False):
            with captured(evidence_module(self.network)) as maps:
                outputs = self.network(images)
            decoded = self.network.decode(outputs)[0]
        with torch.no_grad():
            found = self.network.select(
                outputs,
                confidence=raw_floor(self.confidence),
                iou=self.iou,
                max_detections=self.max_detections,
                agnostic=self.agnostic,
            )[0]
        return DetectorLook(self, maps, decoded, [part.detach().cpu() for part in found], transform, size, target)


class DetectorLook:
    """One picture as the detector saw it; ask it for the heat of its boxes and classes.

    Attributes:
        detections: what was found, in pixels of the picture, best first.
    """

    def __init__(
        self,
        explainer: DetectorExplainer,
        maps: Sequence[Tensor],
        decoded: Tensor,
        found: Sequence[Tensor],
        transform: LetterboxTransform,
        size: tuple[int, int],
        target: tuple[int, int],
    ) -> None:
        self._explainer = explainer
        self._maps = maps
        self._decoded = decoded
        self._transform = transform
        self._target = target
        raw, scores, labels = (part.numpy() for part in found)
        if not (np.isfinite(raw).all() and np.isfinite(scores).all()):
            raise NetworkError("the network's output is not a number; the weights are damaged")
        boxes = clip_boxes(transform.invert(raw), *size)
        kept = reaches(scores, explainer.confidence) & ((boxes[:, 2:] - boxes[:, :2]) >= MIN_SIDE).all(axis=1)
        self._raw: FloatArray = raw[kept]
        self.detections = Detections(
            boxes[kept],
            np.clip(scores[kept].astype(np.float32), 0.0, 1.0),
            labels[kept].astype(np.int64),
            explainer.names,
            size,
        )

    def box(self, number: int) -> Heat:
        """Why detection `number` (from 0, in the order of `detections`) is reported."""
        label = int(self.detections.labels[number])
        return self._heat(self._candidate(number), label)

    def category(self, label: int) -> Heat:
        """Why class `label` is reported: its boxes together, or the best candidate if there are none."""
        numbers = np.flatnonzero(self.detections.labels == label)[:MOST_BOXES]
        if len(numbers):
            return hottest([self.box(int(number)) for number in numbers])
        return self._heat(int(self._scores(label).argmax()), label)

    def best_score(self, label: int) -> float:
        """The highest score of any candidate for class `label`, whether it is reported or not."""
        return float(self._scores(label).max())

    def _scores(self, label: int) -> Tensor:
        decoded = self._decoded.detach()
        scores = (decoded[:, 4] * decoded[:, 5 + label]).nan_to_num(nan=-1.0)
        return scores

    def _candidate(self, number: int) -> int:
        """Which row of the decoded outputs became this detection: the same box and the same score."""
        decoded = self._decoded.detach()
        label, box = int(self.detections.labels[number]), torch.from_numpy(self._raw[number]).to(decoded)
        corners = torch.cat((decoded[:, :2] - decoded[:, 2:4] / 2, decoded[:, :2] + decoded[:, 2:4] / 2), dim=1)
        apart = (corners - box).abs().sum(dim=1).nan_to_num(nan=float("inf"))
        side = max(self._target)
        return int((apart / side + (self._scores(label) - float(self.detections.scores[number])).abs()).argmin())

    def _heat(self, candidate: int, label: int) -> Heat:
        row = self._decoded[candidate]
        # Any increasing function of the score gives the same heat: its derivative is a factor of the whole map. The
        # logarithm keeps the gradients of small scores in range.
        score = (row[4] * row[5 + label]).clamp(min=1e-30).log()
        width, height = self._target
        with torch.backends.cudnn.flags(deterministic=True, benchmark=False):
            density = heat_of(score, self._maps, (height, width), self._explainer.method)
        return picture_heat(density.numpy(), self._transform, self.detections.size)


def evidence_module(network: DetectionNetwork) -> nn.Module:
    """The part of a detector whose feature maps are used: its neck, or its backbone for torchvision's detectors."""
    module = getattr(network, "neck", None) or getattr(network, "backbone", None)
    if not isinstance(module, nn.Module):
        raise UserError(f"a {type(network).__name__} has neither a neck nor a backbone, so it cannot be explained")
    return module
