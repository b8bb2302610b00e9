"""What a data set's YAML says about labels that could be read in two ways; see `lightdet.config.dataset`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Rules:
    """How labels are read that do not say it themselves.

    Attributes:
        groups: whether shapes of one class and one group are one object (``join``) or each is one (``apart``).
        coordinates: whether numbers of a CSV file are pixels or shares of the sides; None: what the file shows.
        values: the classes of a mask's values or colours; empty: 1, 2, 3, ...
        predictions: whether the predictions of Label Studio's tasks count as labels where there are no annotations.
    """

    groups: Literal["join", "apart"] | None = None
    coordinates: Literal["pixels", "shares"] | None = None
    predictions: bool = False
    values: tuple[tuple[int | tuple[int, int, int], str], ...] = ()


PLAIN_RULES = Rules()
