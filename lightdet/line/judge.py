"""The process of a model: pictures in, verdicts out."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lightdet.arrays import Image
from lightdet.data.images import read_image
from lightdet.decisions.zones import Zones
from lightdet.errors import UserError
from lightdet.inference.watching import look_at, stored_reference
from lightdet.line.child import as_child
from lightdet.line.messages import STOP, Answer, Item, Loaded, Mistake
from lightdet.line.proof import prove

log = logging.getLogger("lightdet.line")

BATCHES = (1, 2, 4, 8, 16)
"""Sizes that ``batch: auto`` tries."""
_BETTER = 0.95
"""A larger batch is taken if a picture takes at most this share of the time."""


@dataclass(frozen=True)
class JudgeJob:
    """What the process is to load.

    Attributes:
        name: the model's name.
        file: the copy of the model file.
        device, threads, zones, no_promise: as for `lightdet.load`.
        batch: as in the YAML.
        proof: kept pictures on which it must prove itself first, and how many it may get wrong; None: it need not.
    """

    name: str
    file: Path
    device: str
    threads: int
    zones: str | None
    no_promise: bool
    batch: int | Literal["auto"]
    proof: tuple[Path, int] | None = None


class Judge:
    """A predictor and its rule.

    Attributes:
        rule, promise: the model's own.
        reference: what the promise is watched with; None: it is not.
        zones: digest of the zones in which it looks; "": there are none.

    Raises:
        UserError: the rule is damaged, made under other conditions, or there is none where one is needed; or the
            reference is damaged.
    """

    def __init__(self, predictor: Any) -> None:
        self.predictor = predictor
        stored = predictor.rule
        self.rule = predictor.usual_rule() if stored is None else stored
        self.promise = predictor.promise
        card = predictor.card_decision
        self.reference = stored_reference(card.record, self.promise, card.path)
        zones: Zones | None = getattr(predictor, "zones", None)
        self.zones = "" if zones is None else zones.digest

    def judge(self, items: Sequence[Item]) -> list[Answer]:
        """Return an answer for each picture; one that fails does not spoil the others'."""
        answers: list[Answer | None] = [None] * len(items)
        images: list[tuple[int, tuple[Image, bool], float]] = []
        for place, item in enumerate(items):
            began = time.perf_counter()
            try:
                image = item.image if item.data is None else self._decode(item)
            except UserError as error:
                answers[place] = Answer("none", "unreadable", error.message)
            except MemoryError:
                answers[place] = Answer("none", "unreadable", "there is not enough memory for this picture")
            else:
                if image is not None:
                    images.append((place, (image, item.watched), (time.perf_counter() - began) * 1e3))
        for (place, _, read), answer in zip(images, self._look([image for _, image, _ in images]), strict=True):
            answers[place] = replace(answer, milliseconds={"read": round(read, 3), **answer.milliseconds})
        missing = Answer("none", "model", "the model gave no answer")
        return [answer or missing for answer in answers]

    def fastest_batch(self) -> int:
        """Return the size of batch at which a picture takes the least time, of gray pictures."""
        best, least = 1, np.inf
        for size in BATCHES:
            try:
                seconds = min(self._seconds(size) for _ in range(2)) / size
            except UserError:  # the network takes no such batch
                break
            if seconds > _BETTER * least:
                break
            best, least = size, seconds
        return best

    def _seconds(self, size: int) -> float:
        began = time.perf_counter()
        self.predictor.batch([self.gray()] * size)
        return time.perf_counter() - began

    def gray(self) -> Image:
        """Return a picture of the size that the model expects, uint8 RGB ``[H, W, 3]``."""
        zones = getattr(self.predictor, "zones", None)
        side = self.predictor.preprocessing.imgsz
        width, height = (zones.size if zones is not None else None) or (side, side)
        return np.full((height, width, 3), 114, np.uint8)

    def _decode(self, item: Item) -> Image:
        assert item.data is not None  # noqa: S101 - for the type checker
        return read_image(item.data, bit_depth=self.predictor.preprocessing.bit_depth, name=item.name)

    def _look(self, images: list[tuple[Image, bool]]) -> list[Answer]:
        if not images:
            return []
        try:
            found = self.predictor.batch([image for image, _ in images])
            return [self._answer(each, *image) for each, image in zip(found, images, strict=True)]
        except Exception as error:
            if len(images) > 1:  # which of them it was is found one by one
                return [answer for image in images for answer in self._look([image])]
            if not isinstance(error, UserError):
                log.exception("the model failed")
            text = error.message if isinstance(error, UserError) else f"the model failed: {type(error).__name__}"
            return [Answer("none", "model", text)]

    def _answer(self, found: Any, image: Image, watched: bool) -> Answer:
        times = {stage: round(value, 3) for stage, value in found.milliseconds.items()}
        ok, findings = self.rule.ok(found), tuple(self.rule.findings(found))
        look = look_at(image, found, self.rule, ok) if watched and self.reference is not None else None
        return Answer("OK" if ok else "NG", size=found.size, findings=findings, milliseconds=times, look=look)


def judge_pictures(job: JudgeJob, pipe: Connection) -> None:
    """Load the model, look at a gray picture, and then at whatever the parent sends."""
    as_child()
    from lightdet.runs.load import load  # noqa: PLC0415 - in the child alone

    try:
        predictor = load(
            job.file,
            device=job.device,
            threads=job.threads,
            zones=job.zones,
            no_promise=job.no_promise,
        )
        judge = Judge(predictor)
        batch = judge.fastest_batch() if job.batch == "auto" else job.batch
        judge.predictor.batch([judge.gray()] * batch)
        if job.proof is not None:
            prove(*job.proof, judge.judge, batch)
    except UserError as error:
        pipe.send(Mistake(str(error)))
        return
    answer_all(judge, batch, pipe)


def answer_all(judge: Judge, batch: int, pipe: Connection) -> None:
    """Say what is loaded, and then answer whatever comes, until the parent ends it or is gone."""
    rule, names = judge.rule, tuple(judge.predictor.names)
    try:
        pipe.send(Loaded(batch, names, rule.as_dict(), judge.promise, rule.describe(), judge.reference, judge.zones))
        while (items := pipe.recv()) != STOP:
            pipe.send(judge.judge(items))
    except (EOFError, OSError):  # the parent is gone
        return
