"""albumentations behind an adapter: transforms that change pixels and leave boxes where they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from lightdet.arrays import Image
from lightdet.errors import UserError


class PixelTransforms:
    """A chain of albumentations' pixel transforms, each with its probability; drawn from the passed generator.

    Args:
        probabilities: class name (``GaussianBlur``, ``CLAHE``, ``ImageCompression``, …) → probability.

    Raises:
        UserError: a name that is no pixel transform of albumentations.
    """

    def __init__(self, probabilities: Mapping[str, float]) -> None:
        self._chain: Any = None
        if not probabilities:
            return
        # albumentations asks the network for newer versions at import unless told not to.
        os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
        import albumentations  # noqa: PLC0415 - slow to import, and most runs do without it

        transforms = []
        for name, probability in probabilities.items():
            kind = getattr(albumentations, name, None)
            if not (isinstance(kind, type) and issubclass(kind, albumentations.ImageOnlyTransform)):
                raise UserError(f"augment.albumentations: '{name}' is no pixel transform of albumentations 2")
            transforms.append(kind(p=probability))
        self._chain = albumentations.Compose(transforms)

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        """Return the changed RGB uint8 picture."""
        if self._chain is None:
            return image
        self._chain.set_random_seed(int(rng.integers(0, 2**31)))
        return np.asarray(self._chain(image=np.ascontiguousarray(image))["image"], dtype=np.uint8)
