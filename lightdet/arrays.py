"""Names for the numpy arrays that pass between parts (see `lightdet.structures` for the conventions)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Image = NDArray[np.uint8]
"""A decoded picture: ``[height, width, 3]``, RGB, uint8."""
AnyArray = NDArray[Any]
