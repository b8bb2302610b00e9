"""The function of an archive's run for Spark: `DataFrame.mapInPandas` calls it for each partition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from lightdet.runs.archive.judging import Job, judging_copies
from lightdet.runs.archive.model_content import ModelContent, read_model

SCHEMA = (
    "source string, sha256 string, page int, model string, model_sha256 string, width int, height int, "
    "decision string, promise string, class string, score float, "
    "detections array<struct<x1: float, y1: float, x2: float, y2: float, score: float, class: string>>, reason string"
)
"""The columns of `lightdet.runs.archive.table`, as Spark writes them."""


def map_in_pandas(weights: Sequence[Path | str], *, batch: int = 8, **options: Any) -> Callable[[Any], Any]:
    """Return the function for ``pictures.mapInPandas(map_in_pandas(["best.safetensors"]), SCHEMA)``.

    `pictures` has the columns ``path`` and ``content``, as Spark's ``binaryFile`` format gives them. The model files go
    along with the function; this package must be installed where Spark computes. Each call loads the models once, so
    partitions should have hundreds of pictures.

    Args:
        weights: model files.
        batch: pictures per batch.
        options: those of `lightdet.runs.load.load`; one thread and the processor, unless told otherwise.

    Raises:
        UserError: a model file cannot be read.
    """
    models = [read_model(Path(each)) for each in weights]
    return partial(_judged, models, {"device": "cpu", "threads": 1, **options}, batch)


def _judged(
    models: Sequence[ModelContent], options: dict[str, Any], batch: int, frames: Iterable[Any]
) -> Iterator[Any]:
    import pandas  # noqa: PLC0415 - Spark's own need

    names = [column.split()[0] for column in SCHEMA.split(", ") if ": " not in column or "array<" in column]
    work = judging_copies(models, options)
    for frame in frames:
        jobs = (Job(path, bytes(data)) for path, data in zip(frame["path"], frame["content"], strict=True))
        while taken := list(islice(jobs, batch)):
            rows = work(taken)
            yield pandas.DataFrame({name: [row.get(name) for row in rows] for name in names}, dtype=object)
