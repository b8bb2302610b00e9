"""Pictures of a data set for a model: decoded as the model decodes its pictures everywhere, or refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightdet.arrays import Image
from lightdet.data.images import read_image
from lightdet.data.spec import DatasetSpec
from lightdet.errors import UserError


class DepthError(UserError):
    """A data set and a model that take a picture for differently deep."""


@dataclass(frozen=True)
class PicturesForModel:
    """Reads the pictures of a data set for a model.

    Args:
        spec: the data set.
        bit_depth: that of the model, by which it decodes 16-bit pictures.
        weights: the model's file, for messages.
    """

    spec: DatasetSpec
    bit_depth: int
    weights: str | Path

    def read(self, path: Path) -> Image:
        """Return a picture, uint8 RGB ``[H, W, 3]``.

        Raises:
            DepthError: it depends on which of two bit depths is meant, the data set's or the model's.
            UserError: it cannot be read.
        """
        picture, theirs = read_image(path, bit_depth=self.bit_depth), self.spec.bit_depth
        if theirs != self.bit_depth and not np.array_equal(picture, read_image(path, bit_depth=theirs)):
            raise DepthError(
                f"decodes {path} with its own bit depth of {self.bit_depth}, as it will in use, and "
                f"{self.spec.path or self.spec.name} says {theirs}: correct the YAML if that is wrong; if it is right, "
                "train a model on this set",
                path=self.weights,
            )
        return picture
