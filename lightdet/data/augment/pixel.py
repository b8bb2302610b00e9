"""An adapter for albumentations: transforms that change pixels and leave boxes where they are."""

from __future__ import annotations

import difflib
import os
import random
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from lightdet.arrays import Image
from lightdet.errors import UserError


class PixelTransforms:
    """A chain of albumentations' pixel transforms, each with its probability; drawn from the given generator.

    May be called from several threads at once.

    Args:
        probabilities: class name (``GaussianBlur``, ``CLAHE``, ``ImageCompression``, …) → probability.

    Raises:
        UserError: a name that is not a pixel transform of albumentations, or one that needs more than the picture.
    """

    def __init__(self, probabilities: Mapping[str, float]) -> None:
        self._kinds = [(_find_kind(name), probability) for name, probability in probabilities.items()]
        # A chain holds the random state of the current picture, so each thread has its own.
        self._own = threading.local()

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        """Return the changed RGB uint8 picture."""
        if not self._kinds:
            return image
        chain = self._chain()
        # One stream for all: set_random_seed would start every transform at the same number, so that all of them
        # or none would be applied.
        chain.set_random_state(rng, random.Random(int(rng.integers(0, 2**31))))  # noqa: S311 - no secret
        return np.asarray(chain(image=np.ascontiguousarray(image))["image"], dtype=np.uint8)

    def _chain(self) -> Any:
        if not hasattr(self._own, "chain"):
            transforms = [kind(p=probability) for kind, probability in self._kinds]
            self._own.chain = _albumentations().Compose(transforms)
        return self._own.chain


def _albumentations() -> Any:
    # It checks the network for newer versions at import unless told not to.
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations  # noqa: PLC0415 - slow to import, and most runs do without it

    return albumentations


def _find_kind(name: str) -> type[Any]:
    """The class of that name, tried on a small picture."""
    library = _albumentations()
    known = {
        each: kind
        for each, kind in vars(library).items()
        if isinstance(kind, type) and issubclass(kind, library.ImageOnlyTransform)
    }
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        meant = f"; did you mean '{close[0]}'?" if close else ""
        raise UserError(f"augment.albumentations: '{name}' is not a pixel transform of albumentations 2{meant}")
    picture = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
    try:
        changed = known[name](p=1.0)(image=picture)["image"]
        works = changed.dtype == np.uint8 and changed.shape == picture.shape
    except Exception:  # it may raise anything if an argument is missing
        works = False
    if not works:
        raise UserError(f"augment.albumentations: '{name}' needs more than a picture, or does not return 8-bit RGB")
    return known[name]
