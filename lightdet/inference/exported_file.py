"""An exported network, with any runtime: pictures in the file's own layout and batch in, its outputs out; no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.errors import UserError
from lightdet.inference.export_card import ExportCard
from lightdet.structures import Preprocessing


class ExportedFile(ABC):
    """An open file.

    Attributes:
        card: the file's card.
        path: where it is, for messages.
        precision: number format that it computes in.
        device: where it runs.
        threads: processor threads; None: the runtime's choice.
    """

    card: ExportCard
    path: str
    precision: str
    device: str
    threads: int | None

    @abstractmethod
    def run(self, images: Image) -> list[FloatArray]:
        """Run the network on uint8 `images` in the card's layout; returns its outputs in the file's order."""

    def groups(self, batch: Image) -> Iterator[Image]:
        """Yield uint8 RGB ``[B, H, W, 3]`` in parts that `outputs` takes.

        Raises:
            UserError: pictures of a size that the file does not take.
        """
        side = self.card.preprocessing.imgsz
        if not self.card.dynamic_size and batch.shape[1:3] != (side, side):
            raise UserError(
                f"takes only pictures of {side} x {side}, got {batch.shape[2]} x {batch.shape[1]}; export it with "
                "--dynamic-size",
                path=self.path,
            )
        size = max(1, self.card.batch or len(batch))
        for first in range(0, len(batch), size):
            yield batch[first : first + size]

    def outputs(self, group: Image) -> list[FloatArray]:
        """Run the network on a part; the outputs have at least as many rows, the first ones being its own."""
        return self.run(self._to_input(group, self.card.batch or len(group)))

    def preprocessing(self, imgsz: int | None) -> Preprocessing:
        """How a picture becomes input of `imgsz` pixels; None: the card's.

        Raises:
            UserError: a size that the file does not take.
        """
        given = self.card.preprocessing
        if imgsz is None or imgsz == given.imgsz:
            return given
        if not self.card.dynamic_size:
            side = given.imgsz
            raise UserError(f"takes only pictures of {side} x {side}; export it with --imgsz {imgsz}", path=self.path)
        try:
            return replace(given, imgsz=imgsz)
        except ValueError as error:
            raise UserError(str(error)) from None

    def _to_input(self, group: Image, batch: int) -> Image:
        """Bring pictures into the file's layout, padded to its batch size."""
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
