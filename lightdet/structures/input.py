"""How a picture becomes the input of a network."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

MAX_IMGSZ = 8192
"""Largest side of a network input, in pixels."""


@dataclass(frozen=True)
class Tiling:
    """How pictures larger than a tile are cut into parts.

    Attributes:
        size: side of a tile in pixels of the picture, 32 to `MAX_IMGSZ`.
        overlap: smallest share of the side that neighbouring tiles have in common, in [0, 0.9].

    Raises:
        ValueError: a value out of range, or of the wrong type.
    """

    size: int
    overlap: float

    def __post_init__(self) -> None:
        whole = isinstance(self.size, Integral) and not isinstance(self.size, bool)
        if not whole or not 32 <= self.size <= MAX_IMGSZ:
            raise ValueError(f"the size of a tile is a whole number in 32-{MAX_IMGSZ}, got {self.size!r}")
        share = isinstance(self.overlap, int | float) and not isinstance(self.overlap, bool)
        if not share or not 0.0 <= self.overlap <= 0.9:
            raise ValueError(f"the overlap of tiles is a share in 0-0.9, got {self.overlap!r}")


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes network input; stored in every checkpoint and exported file.

    Attributes:
        imgsz: side of the square input in pixels, a multiple of 32 up to `MAX_IMGSZ`.
        pad_value: gray value (0–255) of the letterbox border.
        bit_depth: significant bits of 16-bit pictures; they are scaled by ``255 / (2**bit_depth - 1)``.
        scale: factor from 0–255 to network input (1/255); above 0, at most 1.
        mean, std: of red, green and blue after `scale`; the input is ``(value * scale - mean) / std``; `std` is
            from 0.000001 to 1000.
        gray: colours are converted to gray (ITU-R BT.601) before anything else, copied to three channels.

    Raises:
        ValueError: a value out of range, or of the wrong type: a network without input finds nothing.
    """

    imgsz: int
    pad_value: int = 114
    bit_depth: int = 16
    scale: float = 1.0 / 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gray: bool = False

    def __post_init__(self) -> None:
        for name in ("mean", "std"):  # lists where it was read from JSON
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        if len(self.mean) != 3 or len(self.std) != 3 or not all(abs(value) <= 1e3 for value in (*self.mean, *self.std)):
            raise ValueError(f"mean and std must be three numbers up to 1000 each, got {self.mean} and {self.std}")
        if min(self.std) < 1e-6:
            raise ValueError(f"std must be positive, got {self.std}")
        whole = (self.imgsz, self.pad_value, self.bit_depth)
        if not all(isinstance(value, Integral) and not isinstance(value, bool) for value in whole):
            raise ValueError(f"imgsz, pad_value and bit_depth must be whole numbers, got {whole}")
        if not 32 <= self.imgsz <= MAX_IMGSZ or self.imgsz % 32:
            raise ValueError(f"imgsz must be a multiple of 32, from 32 to {MAX_IMGSZ}, got {self.imgsz}")
        if not 0 <= self.pad_value <= 255:
            raise ValueError(f"pad_value must lie in 0-255, got {self.pad_value}")
        if not 8 < self.bit_depth <= 16:
            raise ValueError(f"bit_depth must lie in 9-16, got {self.bit_depth}")
        if not (isinstance(self.scale, int | float) and 1e-6 <= self.scale <= 1):
            raise ValueError(f"scale must be above 0 and at most 1, got {self.scale}")
        if not isinstance(self.gray, bool):
            raise ValueError(f"gray must be true or false, got {self.gray!r}")
