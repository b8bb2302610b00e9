"""Pictures in, rows out: the function that every engine runs on a batch, whatever spreads the batches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightdet.arrays import Image
from lightdet.data.images import read_file, read_pages
from lightdet.errors import NetworkError, UserError


@dataclass(frozen=True)
class Job:
    """A picture file to judge.

    Attributes:
        source: its name in the rows.
        data: its path, or its bytes where they were read elsewhere.
        partition: the folder of the output that its rows go to.
        problem: why it cannot be read, if that is known already.
    """

    source: str
    data: Path | bytes
    partition: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Model:
    """A loaded model with the SHA-256 of its file."""

    file: str
    sha256: str
    predictor: Any


def load_model(path: Path, **options: Any) -> Model:
    """Load a model for `judge`; `options` are those of `lightdet.runs.load.load`.

    Raises:
        UserError: it cannot be loaded.
    """
    from lightdet.runs.load import load  # noqa: PLC0415 - a worker says what it is doing before torch is imported

    return Model(path.name, model_sha256(path), load(path, **options))


def model_sha256(path: Path) -> str:
    """The SHA-256 of a model file; for an OpenVINO model, of the SHA-256 of both its files.

    Raises:
        UserError: it cannot be read.
    """
    files = (path, path.with_suffix(".bin")) if path.suffix.lower() == ".xml" else (path,)
    digests = []
    for each in files:
        try:
            with each.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256"))
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", path=each) from None
    if len(digests) == 1:
        return digests[0].hexdigest()
    return hashlib.sha256(b"".join(each.digest() for each in digests)).hexdigest()


def judge(model: Model, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return a row for each picture of each file; one that cannot be read is a row with its `reason`.

    The columns are those of `lightdet.runs.archive.table.SCHEMA`. The batch goes through the network at once.

    Raises:
        NetworkError: the network gives no numbers, so nothing can be judged.
    """
    rows: list[dict[str, Any]] = []
    images: list[tuple[dict[str, Any], Image]] = []
    for job in jobs:
        row = {"source": job.source, "partition": job.partition, "model": model.file, "model_sha256": model.sha256}
        number = 0
        try:
            if job.problem:
                raise UserError(job.problem)
            data = job.data if isinstance(job.data, bytes) else read_file(job.data)
            row["sha256"] = hashlib.sha256(data).hexdigest()
            for page in read_pages(data, bit_depth=model.predictor.preprocessing.bit_depth, name=job.source):
                number = page.number
                images.append(({**row, "page": number if page.of > 1 else None}, page.image))
                rows.append(images[-1][0])
        except UserError as error:
            rows.append({**row, "page": number + 1 if number else None, "reason": error.message})
    _find(model.predictor, images)
    return rows


def _find(predictor: Any, images: Sequence[tuple[dict[str, Any], Image]]) -> None:
    """Put what is found into the rows; if a batch fails, each picture goes alone, and one is to blame."""
    if not images:
        return
    try:
        results = predictor.batch([image for _, image in images])
    except NetworkError:
        raise
    except UserError as error:
        if len(images) == 1:
            images[0][0]["reason"] = error.message
            return
        for each in images:
            _find(predictor, [each])
        return
    promise = None if predictor.rule is None else predictor.promise.word()
    for (row, _), found in zip(images, results, strict=True):
        row.update(_values(found.to_dict()), promise=promise)


def _values(found: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a result: of a detector its boxes, of a classifier the class."""
    boxes = [
        {**dict(zip(("x1", "y1", "x2", "y2"), each["box"], strict=True)), "score": each["score"], "class": each["name"]}
        for each in found.get("detections", ())
    ]
    scores = [each["score"] for each in boxes]
    return {
        "width": found["width"],
        "height": found["height"],
        "decision": found.get("decision"),
        "class": found.get("name"),
        "score": found.get("bad", found.get("probability", max(scores, default=None))),
        "detections": boxes if "detections" in found else None,
    }
