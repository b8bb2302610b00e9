"""The types shared by all modules: frozen, validated on creation.

Boxes everywhere are float32 ``[N, 4]`` as ``x1, y1, x2, y2`` in pixels of the picture they belong to,
0-based and continuous: pixel ``i`` covers ``[i, i + 1)``, so a box over the whole picture is
``0, 0, width, height`` and its area is ``(x2 - x1) * (y2 - y1)``. Readers convert other conventions to
this one, writers convert it back (see ``data/formats``).

These files need only numpy; torch appears only in annotations, so an exported runtime never imports it.
"""

from __future__ import annotations

from lightdet.structures.input import MAX_IMGSZ, Preprocessing, Tiling
from lightdet.structures.labels import Annotation, ImageLabel
from lightdet.structures.results import Classification, Detections
from lightdet.structures.training import Batch, LossTerms, Sample, even_parts

__all__ = [
    "MAX_IMGSZ",
    "Annotation",
    "Batch",
    "Classification",
    "Detections",
    "ImageLabel",
    "LossTerms",
    "Preprocessing",
    "Sample",
    "Tiling",
    "even_parts",
]
