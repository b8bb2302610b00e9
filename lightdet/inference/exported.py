"""An exported detector with the common interface (`lightdet.inference.runtime`): its outputs decoded; no torch."""

from __future__ import annotations

import time
from collections.abc import Sequence

from lightdet.arrays import FloatArray, Image
from lightdet.card import check_task
from lightdet.errors import UserError
from lightdet.inference.decode import decode_cells, select, split_detections
from lightdet.inference.export_card import ExportCard
from lightdet.inference.exported_file import ExportedFile
from lightdet.inference.runtime import RawDetections, check_numbers
from lightdet.model_kind import model_kind
from lightdet.structures.scores import raw_floor


class ExportedRuntime:
    """An exported detector with its post-processing; see `lightdet.inference.runtime.Runtime`.

    Args:
        file: where it is.
        imgsz: side of the input, if the file leaves it free; None: the card's.
        confidence: lowest score kept, in [0, 1]; every one that reaches it as reported (`structures.scores`) is kept;
            None: the card's.
        iou: NMS threshold in [0, 1]; None: the card's.
        max_detections: most boxes per picture; None: the card's.
        agnostic: boxes of different classes also suppress each other; None: the card's.

    Raises:
        UserError: a classifier's file, a value out of range, or one that is fixed in the file.
    """

    def __init__(
        self,
        file: ExportedFile,
        *,
        imgsz: int | None = None,
        confidence: float | None = None,
        iou: float | None = None,
        max_detections: int | None = None,
        agnostic: bool | None = None,
    ) -> None:
        card = file.card
        check_task(card, "detect", file.path)
        for what, value in (("confidence", confidence), ("iou", iou)):
            if value is not None and not 0.0 <= value <= 1.0:
                raise UserError(f"{what} must lie in 0-1, got {value}")
        if card.outputs == "detections":
            _check_fixed(card, file.path, confidence, iou, max_detections)
            if agnostic is not None and agnostic != card.agnostic:
                how = "over all classes" if card.agnostic else "by class"
                raise UserError(f"has NMS {how} in the network; export it without --nms", path=file.path)
        self.file = file
        self.card = card
        self.preprocessing = file.preprocessing(imgsz)
        fixed = card.outputs == "detections"  # a higher lowest score is a matter of what is reported
        self.confidence = card.confidence if confidence is None or fixed else confidence
        self.iou = card.iou if iou is None else iou
        self.max_detections = card.max_detections if max_detections is None else max_detections
        self.agnostic = card.agnostic if agnostic is None else agnostic
        self.precision, self.device, self.threads = file.precision, file.device, file.threads
        self.milliseconds: dict[str, float] = {}

    @property
    def kind(self) -> str:
        """``onnx`` or ``openvino``."""
        return model_kind(self.file.path) or ""

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by label."""
        return self.card.names

    def __call__(self, batch: Image) -> list[RawDetections]:
        """Return the boxes in each picture of uint8 RGB ``[B, H, W, 3]``, H and W multiples of 32.

        Raises:
            UserError: pictures of a size that the file does not take; a network that does not match the card.
            NetworkError: the network returns values that are not numbers.
        """
        results: list[RawDetections] = []
        network = post = 0.0
        for group in self.file.groups(batch):
            start = time.perf_counter()
            outputs = self.file.outputs(group)
            done = time.perf_counter()
            if not _fits(self.card, outputs, len(group)):
                raise UserError("its model card belongs to another network; export it again", path=self.file.path)
            check_numbers(outputs, self.file.path)
            results += self._select(outputs, len(group))
            network += done - start
            post += time.perf_counter() - done
        self.milliseconds = {"network": network * 1e3, "postprocess": post * 1e3}
        return results

    def _select(self, outputs: Sequence[FloatArray], pictures: int) -> list[RawDetections]:
        card, lowest = self.card, raw_floor(self.confidence)
        if card.outputs == "detections":
            return split_detections(outputs[0], pictures, confidence=lowest, max_detections=self.max_detections)
        results = []
        for index in range(pictures):
            if card.outputs == "grids":
                own = [output[index] for output in outputs]
                last = card.layout == "interleaved"
                candidates = decode_cells(own, card.anchors, card.strides, lowest, channels_last=last)
            else:
                candidates = outputs[0][index]
            results.append(
                select(
                    candidates,
                    confidence=lowest,
                    iou=self.iou,
                    max_detections=self.max_detections,
                    agnostic=self.agnostic,
                )
            )
        return results


def _fits(card: ExportCard, outputs: Sequence[FloatArray], pictures: int) -> bool:
    """Whether a network's outputs match its card, for at least `pictures` pictures."""
    values = 5 + len(card.names)
    if card.outputs == "grids":
        channel = 3 if card.layout == "interleaved" else 1
        shapes = [output.ndim == 4 and len(output) >= pictures and output.shape[channel] for output in outputs]
        return shapes == [len(anchors) * values for anchors in card.anchors]
    if len(outputs) != 1:
        return False
    [output] = outputs
    if card.outputs == "candidates":
        return output.ndim == 3 and len(output) >= pictures and output.shape[2] == values
    if output.ndim != 2 or output.shape[1] != 7:
        return False
    labels = output[:, 6]
    return bool(((labels >= 0) & (labels < len(card.names))).all())


def _check_fixed(
    card: ExportCard, path: str, confidence: float | None, iou: float | None, max_detections: int | None
) -> None:
    """Refuse what NMS in the network cannot provide."""
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
