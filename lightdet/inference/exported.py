"""What the runtimes of exported files have in common: input, batches, post-processing; no torch."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.errors import UserError
from lightdet.inference.decode import decode_cells, select, split_detections
from lightdet.inference.export_card import ExportCard
from lightdet.inference.runtime import RawDetections
from lightdet.structures import Preprocessing


class ExportedRuntime(ABC):
    """An exported network with its post-processing; see `lightdet.inference.runtime.Runtime`.

    Args:
        card: what the file says of itself.
        path: the file, for messages.
        imgsz: side of the input, where the file leaves it free; None: the card's.
        confidence: lowest score kept, in [0, 1]; None: the card's.
        iou: NMS threshold in [0, 1]; None: the card's.
        max_detections: most boxes a picture; None: the card's.

    Raises:
        UserError: a value out of range, or one that is fixed in the file.
    """

    def __init__(
        self,
        card: ExportCard,
        path: str,
        *,
        imgsz: int | None = None,
        confidence: float | None = None,
        iou: float | None = None,
        max_detections: int | None = None,
    ) -> None:
        for what, value in (("confidence", confidence), ("iou", iou)):
            if value is not None and not 0.0 <= value <= 1.0:
                raise UserError(f"{what} must lie in 0-1, got {value}")
        if card.outputs == "detections":
            _check_fixed(card, path, confidence, iou, max_detections)
        self.card = card
        self.path = path
        self.preprocessing = _preprocessing(card, path, imgsz)
        self.confidence = card.confidence if confidence is None else confidence
        self.iou = card.iou if iou is None else iou
        self.max_detections = card.max_detections if max_detections is None else max_detections
        self.milliseconds: dict[str, float] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by label."""
        return self.card.names

    @abstractmethod
    def _run(self, images: Image) -> list[FloatArray]:
        """Put uint8 `images` in the card's layout through the network; returns its outputs in the file's order."""

    def __call__(self, batch: Image) -> list[RawDetections]:
        """Return what is in each picture of uint8 RGB ``[B, H, W, 3]``, H and W multiples of 32.

        Raises:
            UserError: pictures of another size than the file takes.
        """
        side = self.card.preprocessing.imgsz
        if not self.card.dynamic_size and batch.shape[1:3] != (side, side):
            raise UserError(
                f"takes pictures of {side} x {side} alone, got {batch.shape[2]} x {batch.shape[1]}; export it with "
                "--dynamic-size",
                path=self.path,
            )
        results: list[RawDetections] = []
        network = post = 0.0
        size = self.card.batch or len(batch)
        for first in range(0, len(batch), max(1, size)):
            start = time.perf_counter()
            group = batch[first : first + size]
            outputs = self._run(self._to_input(group, self.card.batch or len(group)))
            done = time.perf_counter()
            results += self._select(outputs, len(group))
            network += done - start
            post += time.perf_counter() - done
        self.milliseconds = {"network": network * 1e3, "postprocess": post * 1e3}
        return results

    def _to_input(self, group: Image, batch: int) -> Image:
        """Bring pictures into the file's layout, filled up to its batch."""
        count, height, width, _ = group.shape
        if self.card.layout == "interleaved":
            if count == batch:
                return np.ascontiguousarray(group)
            return np.concatenate((group, np.zeros((batch - count, height, width, 3), np.uint8)))
        planes = np.empty((batch, 3, height, width), np.uint8)
        planes[count:] = 0
        for picture, into in zip(group, planes, strict=False):
            cv2.split(picture, list(into))  # ten times as fast as a transposed copy
        return planes

    def _select(self, outputs: Sequence[FloatArray], pictures: int) -> list[RawDetections]:
        card = self.card
        if card.outputs == "detections":
            return split_detections(
                outputs[0], pictures, confidence=self.confidence, max_detections=self.max_detections
            )
        results = []
        for index in range(pictures):
            if card.outputs == "grids":
                own = [output[index] for output in outputs]
                last = card.layout == "interleaved"
                candidates = decode_cells(own, card.anchors, card.strides, self.confidence, channels_last=last)
            else:
                candidates = outputs[0][index]
            results.append(
                select(candidates, confidence=self.confidence, iou=self.iou, max_detections=self.max_detections)
            )
        return results


def _preprocessing(card: ExportCard, path: str, imgsz: int | None) -> Preprocessing:
    side = card.preprocessing.imgsz
    if imgsz is None or imgsz == side:
        return card.preprocessing
    if not card.dynamic_size:
        raise UserError(f"takes pictures of {side} x {side} alone; export it with --imgsz {imgsz}", path=path)
    try:
        return replace(card.preprocessing, imgsz=imgsz)
    except ValueError as error:
        raise UserError(str(error)) from None


def _check_fixed(
    card: ExportCard, path: str, confidence: float | None, iou: float | None, max_detections: int | None
) -> None:
    """Refuse what NMS in the network cannot give."""
    if confidence is not None and confidence < card.confidence:
        raise UserError(
            f"gives no score below {card.confidence:g}, NMS is in the network; export it without --nms", path=path
        )
    if iou is not None and abs(iou - card.iou) > 1e-6:
        raise UserError(f"has NMS at {card.iou:g} in the network; export it without --nms", path=path)
    if max_detections is not None and max_detections > card.max_detections:
        raise UserError(
            f"gives at most {card.max_detections} boxes, NMS is in the network; export it without --nms", path=path
        )
