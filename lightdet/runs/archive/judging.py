"""Pictures in, rows out: the function that every engine runs on a batch, whatever spreads the batches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lightdet.arrays import Image
from lightdet.data.images import MAX_BYTES, read_file, read_pages
from lightdet.errors import NetworkError, UserError
from lightdet.runs.archive.model_content import KeptModel, ModelContent, kept, model_sha256
from lightdet.storage.stored_file import at_url

FETCHES = 16
"""Stored pictures of a batch that are fetched at the same time."""


@dataclass(frozen=True)
class Job:
    """A picture file to judge.

    Attributes:
        source: its name in the rows.
        data: its path, its bytes where they were read elsewhere, or its URL as text.
        partition: the folder of the output that its rows go to.
        problem: why it cannot be read, if that is known already.
        models: the SHA-256 of those that are to judge it; empty: all.
    """

    source: str
    data: Path | bytes | str
    partition: str = ""
    problem: str = ""
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """A loaded model with the SHA-256 of its file."""

    file: str
    sha256: str
    predictor: Any

    def named(self) -> dict[str, Any]:
        """The columns that name it."""
        return {"model": self.file, "model_sha256": self.sha256}


def load_model(path: Path, **options: Any) -> Model:
    """Load a model for `judge`; `options` are those of `lightdet.runs.load.load`.

    Raises:
        UserError: it cannot be loaded, or its file changed meanwhile.
    """
    from lightdet.runs.load import load  # noqa: PLC0415 - a worker says what it is doing before torch is imported

    digest = model_sha256(path)
    predictor = load(path, **options)
    if model_sha256(path) != digest:
        raise UserError("has changed while it was loaded; start again", path=path)
    return Model(path.name, digest, predictor)


def judging(models: Sequence[KeptModel], options: dict[str, Any]) -> Callable[[Sequence[Job]], list[dict[str, Any]]]:
    """Load the models in a process, and return what judges a batch."""
    return partial(judge, [_load_kept(each, options) for each in models])


def judging_copies(
    models: Sequence[ModelContent], options: dict[str, Any]
) -> Callable[[Sequence[Job]], list[dict[str, Any]]]:
    """As `judging`, on a computer that cannot read the files."""
    with kept(models) as there:
        return judging(there, options)


def _load_kept(model: KeptModel, options: dict[str, Any]) -> Model:
    """Load a copy; what is wrong with it is told of the file itself."""
    try:
        return load_model(model.copy, **options)
    except UserError as error:
        if error.path is None or error.path.parent != model.copy.parent:
            raise
        raise UserError(error.message, path=model.path.with_name(error.path.name), line=error.line) from None


def judge(models: Sequence[Model], jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return a row for each picture of each file and each model; one that cannot be read has its `reason` instead.

    The columns are those of `lightdet.runs.archive.table`. Each file is read and decoded once for all models (of the
    same bit depth), and the batch goes through each network at once.

    Raises:
        NetworkError: a network gives no numbers, so nothing can be judged.
    """
    rows: list[dict[str, Any]] = []
    images: list[list[tuple[dict[str, Any], Image]]] = [[] for _ in models]
    for job in _fetched(jobs):
        for place, row, image in _rows(models, job):
            rows.append(row)
            if image is not None:
                images[place].append((row, image))
    for model, batch in zip(models, images, strict=True):
        _find(model.predictor, batch)
    return rows


def _fetched(jobs: Sequence[Job]) -> list[Job]:
    """The jobs, with the bytes of those that have a URL; these are fetched at the same time."""
    if not any(isinstance(job.data, str) for job in jobs):
        return list(jobs)
    with ThreadPoolExecutor(FETCHES) as pool:
        return list(pool.map(_fetch, jobs))


def _fetch(job: Job) -> Job:
    if not isinstance(job.data, str):
        return job
    try:
        return replace(job, data=at_url(job.data, "").read(MAX_BYTES))
    except UserError as error:
        return replace(job, data=b"", problem=error.message)


def _rows(models: Sequence[Model], job: Job) -> Iterator[tuple[int, dict[str, Any], Image | None]]:
    """Yield the place of each model that is wanted, with a row and a picture for it."""
    wanted = [place for place, model in enumerate(models) if not job.models or model.sha256 in job.models]
    known: dict[str, Any] = {"source": job.source, "partition": job.partition}
    try:
        if job.problem:
            raise UserError(job.problem)
        data = job.data if isinstance(job.data, bytes) else read_file(Path(job.data))
    except UserError as error:
        yield from ((place, {**known, **models[place].named(), "reason": error.message}, None) for place in wanted)
        return
    known["sha256"] = hashlib.sha256(data).hexdigest()
    depths = {place: models[place].predictor.preprocessing.bit_depth for place in wanted}
    for depth in sorted(set(depths.values())):
        for page, image, reason in _pages(job.source, data, depth):
            for place in [each for each in wanted if depths[each] == depth]:
                yield place, {**known, **models[place].named(), "page": page, "reason": reason or None}, image


def _pages(source: str, data: bytes, bit_depth: int) -> Iterator[tuple[int | None, Image | None, str]]:
    """Yield the number, if there are several, and either the picture or why it cannot be read."""
    number = 0
    try:
        for page in read_pages(data, bit_depth=bit_depth, name=source):
            number = page.number
            yield number if page.of > 1 else None, page.image, ""
    except UserError as error:
        yield number + 1 if number else None, None, error.message


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
