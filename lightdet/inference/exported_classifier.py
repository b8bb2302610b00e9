"""An exported classifier with the common interface (`lightdet.inference.classifier.ClassRuntime`); no torch."""

from __future__ import annotations

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.card import check_task
from lightdet.errors import UserError
from lightdet.inference.exported_file import ExportedFile
from lightdet.model_kind import model_kind


class ExportedClassRuntime:
    """An exported classifier.

    Args:
        file: where it is.
        imgsz: side of the input, if the file leaves it free; None: the card's.

    Raises:
        UserError: a detector's file, or a size that it does not take.
    """

    def __init__(self, file: ExportedFile, *, imgsz: int | None = None) -> None:
        check_task(file.card, "classify", file.path)
        self.file = file
        self.card = file.card
        self.preprocessing = file.preprocessing(imgsz)
        self.precision = file.precision
        self.device = file.device

    @property
    def kind(self) -> str:
        """``onnx`` or ``openvino``."""
        return model_kind(self.file.path) or ""

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by label."""
        return self.card.names

    def __call__(self, batch: Image) -> FloatArray:
        """Return the probabilities float32 ``[B, C]`` for inputs uint8 RGB ``[B, S, S, 3]``.

        Raises:
            UserError: pictures of a size that the file does not take; a network that does not match the card.
        """
        # A copy, because the next part may be computed into the same memory.
        found = [self._probabilities(group).copy() for group in self.file.groups(batch)]
        return np.concatenate(found) if found else np.zeros((0, len(self.names)), np.float32)

    def _probabilities(self, group: Image) -> FloatArray:
        outputs = self.file.outputs(group)
        if not outputs or outputs[0].ndim != 2 or outputs[0][: len(group)].shape != (len(group), len(self.names)):
            raise UserError("its model card belongs to another network; export it again", path=self.file.path)
        return outputs[0][: len(group)]
