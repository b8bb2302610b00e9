"""The model behind a bounded queue: pictures in, inspections out, for any runtime."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2

from lightdet.arrays import Image
from lightdet.data.decoding_work import QUICK, is_quick, quick_work
from lightdet.data.images import Page, read_pages
from lightdet.decisions.promise import OWN_RULE, Promise
from lightdet.decisions.zones import Zones
from lightdet.drift.monitor import Look, Suspension
from lightdet.drift.reference import Reference
from lightdet.errors import NetworkError, UserError
from lightdet.inference.watching import look_at
from lightdet.service.decoders import Decoders
from lightdet.service.encoding import encode_jpeg, shrink
from lightdet.service.inspection import NAME_LENGTH, Inspection, ModelIdentity, new_id
from lightdet.service.settings import Limits
from lightdet.service.shared_runtime import SharedRuntime
from lightdet.web.errors import RefusalError, busy, unreadable

log = logging.getLogger("lightdet.service")

THUMBNAIL_SIDE = 240
PREVIEW_SIDE = 2000
"""Longest side of an unmarked picture for a browser that cannot show the original."""
SMALL = 16_000_000
"""Pixels times scans of a picture that waits for no larger one."""
_LONG_WAIT = 30.0

PictureKind = Literal["none", "plain", "marked"]


@dataclass(frozen=True)
class Upload:
    """A picture as received: its bytes, and the caller's name for it."""

    data: bytes
    name: str = ""


class Watcher(Protocol):
    """Hears about the engine's work, for metrics."""

    def load(self, model: str, working: int, waiting: int) -> None:
        """The number of requests for this model in work, and of those that wait."""

    def inspected(self, inspection: Inspection) -> None:
        """A picture is finished."""


class Engine:
    """Inspects pictures, a bounded number at a time.

    Args:
        predictor: from `lightdet.load`.
        model: its identity, for records.
        rule: the decision rule where a request has none of its own.
        promise: what that rule promises.
        mark: (picture, what was found, rule) → a copy with the defects marked, uint8 RGB ``[H, W, 3]``.
        limits: `max_pixels`, `concurrency`, `queue` and `timeout` are obeyed here.
        thumbnails: make a small copy of each picture.
        watcher: is told about the work.
        band: a verdict is uncertain if it changes with every threshold lower or higher by up to this; 0: none is.

    Attributes:
        reference: what the promise is watched with; None: it is not.
        suspension: what has changed since the calibration; None: nothing that is known.
        on_look: is told about each picture that was judged by the service's rule, if there is a reference.
    """

    reference: Reference | None = None
    suspension: Suspension | None = None
    on_look: Callable[[Look], None] | None = None

    def __init__(
        self,
        predictor: Any,
        model: ModelIdentity,
        rule: Any,
        promise: Promise,
        limits: Limits,
        mark: Callable[[Image, Any, Any], Image],
        *,
        thumbnails: bool,
        watcher: Watcher,
        band: float = 0.0,
    ) -> None:
        self.predictor = predictor.with_runtime(SharedRuntime(predictor.runtime))
        self._mark = mark
        self.model, self.rule, self._promise = model, rule, promise
        self.limits, self.thumbnails = limits, thumbnails
        self._watcher = watcher
        self._band = band
        # Small, large and slow pictures: each kind waits only for its own.
        self._pools = {
            most: ThreadPoolExecutor(limits.concurrency, thread_name_prefix=name)
            for most, name in ((SMALL, "inspect"), (QUICK, "large"), (math.inf, "slow"))
        }
        self._decoders = Decoders(min(limits.decode_timeout, limits.timeout))
        self._began: dict[int, float] = {}
        self._admitted = 0
        self._mean_seconds = 0.1

    @property
    def promise(self) -> Promise:
        """What verdicts by the service's rule promise at the moment."""
        found = self.suspension
        return self._promise if found is None else self._promise.suspend(found.describe(), found.moved)

    @property
    def zones(self) -> Zones | None:
        """Where is looked; None: everywhere."""
        zones: Zones | None = getattr(self.predictor, "zones", None)
        return zones

    def warm_up(self) -> None:
        """Run the network on one gray picture, so that the first caller does not wait for one-time preparations."""
        side = self.predictor.preprocessing.imgsz
        width, height = (self.zones.size if self.zones else None) or (side, side)
        self.predictor(cv2.cvtColor(cv2.UMat(height, width, cv2.CV_8UC1, (114,)).get(), cv2.COLOR_GRAY2RGB))

    async def inspect(
        self,
        uploads: Sequence[Upload],
        rule: Any = None,
        picture: PictureKind = "none",
        most: int | None = None,
        *,
        counted: bool = True,
    ) -> list[Inspection]:
        """Return one inspection per picture, or none at all; for at most `most` pictures (`Limits.max_parts`).

        Pictures that are not `counted` are no parts of the line: the watch over the promise and the metrics' counts of
        verdicts do not hear about them.

        Raises:
            RefusalError: the queue is full or the time is up (503), a picture is too large (413), none (415) or
                damaged (422), or the network gives no numbers (500).
        """
        if self._admitted >= self.limits.concurrency + self.limits.queue:
            wait = self._mean_seconds * self._admitted / self.limits.concurrency
            raise busy("busy", "all places in the queue are taken; try again later", wait)
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        size = max(quick_work(upload.data) for upload in uploads)
        work: Future[list[Inspection]] = next(pool for bound, pool in self._pools.items() if size <= bound).submit(
            self._all,
            uploads,
            rule or (self.rule if counted else copy.copy(self.rule)),  # only its own rule's verdicts are watched
            picture,
            began,
            most or self.limits.max_parts,
        )
        self._count(+1)
        # Counted until the work has ended, even if nobody waits for it any more.
        work.add_done_callback(lambda _: _tell(loop, self._count, -1))
        try:
            inspections = await asyncio.wait_for(asyncio.wrap_future(work), self.limits.timeout)
        except TimeoutError:
            message = f"no answer within {self.limits.timeout:g} s; try again later, or send fewer pictures at a time"
            raise busy("timeout", message, self._mean_seconds * self._admitted) from None
        seconds = (time.perf_counter() - began) / max(1, self._admitted)
        self._mean_seconds = 0.9 * self._mean_seconds + 0.1 * seconds
        for inspection in inspections if counted else ():
            self._watcher.inspected(inspection)
        return inspections

    def close(self) -> None:
        """Wait for the work that has begun, but not for what is still being decoded elsewhere."""
        self._decoders.close()
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)

    @property
    def stuck(self) -> bool:
        """Whether a request has been worked on for more than twice the time that it may take."""
        began = min(list(self._began.values()), default=math.inf)
        return time.monotonic() - began > 2 * self.limits.timeout

    def _count(self, change: int) -> None:
        self._admitted += change
        working = min(self._admitted, self.limits.concurrency)
        self._watcher.load(self.model.name, working, self._admitted - working)

    def _all(
        self, uploads: Sequence[Upload], rule: Any, picture: PictureKind, began: float, most: int
    ) -> list[Inspection]:
        """One after the other, so that only one decoded picture of a request is held at a time."""
        self._began[threading.get_ident()] = time.monotonic()
        try:
            return self._each(uploads, rule, picture, began, most)
        finally:
            del self._began[threading.get_ident()]

    def _each(
        self, uploads: Sequence[Upload], rule: Any, picture: PictureKind, began: float, most: int
    ) -> list[Inspection]:
        inspections: list[Inspection] = []
        for part, upload in enumerate(uploads):
            try:
                left = most - len(inspections) - (len(uploads) - part - 1)
                inspections += self._pages(upload, rule, picture, began, left)
            except RefusalError as refusal:
                raise refusal.in_part(part) if len(uploads) > 1 else refusal from None
            began = time.perf_counter()
        if len(inspections) < len(uploads):
            raise RefusalError(500, "no_verdict", "no verdict: not every picture was looked at")
        return inspections

    def _pages(
        self, upload: Upload, rule: Any, picture: PictureKind, arrived: float, most: int
    ) -> Iterator[Inspection]:
        """Inspect every picture of a file; one of more than `most` is refused."""
        read = read_pages if is_quick(upload.data) else self._decoders.pages
        pages = read(
            upload.data,
            bit_depth=self.predictor.preprocessing.bit_depth,
            max_pixels=self.limits.max_pixels,
            max_pages=most,
        )
        done = 0
        while True:
            began = time.perf_counter()
            try:
                page = next(pages, None)
            except UserError as error:
                refusal = unreadable(error)
                raise refusal.about(f"picture {done + 1} of the file") if done else refusal from None
            except MemoryError:
                raise busy("memory", "there is not enough memory for this picture now", _LONG_WAIT) from None
            if page is None:
                return
            yield self._one(upload, page, rule, picture, arrived, began)
            done, arrived = page.number, time.perf_counter()

    def _one(
        self, upload: Upload, page: Page, rule: Any, picture: PictureKind, arrived: float, began: float
    ) -> Inspection:
        image, time_ms = page.image, time.time_ns() // 1_000_000
        read = (time.perf_counter() - began) * 1e3
        try:
            found = self.predictor(image)
        except NetworkError as error:
            log.error("no verdict: %s", error)
            raise RefusalError(500, "no_verdict", f"no verdict: {error.message}") from None
        except UserError as error:
            raise unreadable(error) from None
        findings = rule.findings(found)
        ok = rule.ok(found)
        if self.on_look is not None and self.reference is not None and rule is self.rule:
            self.on_look(look_at(image, found, rule, ok))
        thumbnail = encode_jpeg(shrink(image, THUMBNAIL_SIDE), 80) if self.thumbnails else None
        shown = None if picture == "none" else self._shown(image, found, rule, picture)
        milliseconds = {"wait": (began - arrived) * 1e3, "read": read} | found.milliseconds
        milliseconds["total"] = (time.perf_counter() - arrived) * 1e3
        return Inspection(
            id=new_id(time_ms),
            time_ms=time_ms,
            name=page.name(upload.name[: NAME_LENGTH - 8]) if page.of > 1 else upload.name,
            sha256=hashlib.sha256(upload.data).hexdigest(),
            length=len(upload.data),
            size=found.size,
            model=self.model,
            rule=rule.as_dict(),
            promise=(self.promise if rule is self.rule else Promise(why_not=OWN_RULE)).as_dict(),
            overridden=rule is not self.rule,
            zones="" if self.zones is None else self.zones.digest,
            detections=findings,
            decision="OK" if ok else "NG",
            uncertain=self._band > 0 and rule.shifted(-self._band).ok(found) != rule.shifted(self._band).ok(found),
            data=upload.data,
            milliseconds={stage: round(value, 3) for stage, value in milliseconds.items()},
            thumbnail=thumbnail,
            picture=shown,
        )

    def _shown(self, image: Image, found: Any, rule: Any, picture: PictureKind) -> bytes:
        if picture == "plain":
            return encode_jpeg(shrink(image, PREVIEW_SIDE), 90)
        return encode_jpeg(self._mark(image, found, rule), 92)


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[[int], None], value: int) -> None:
    try:
        loop.call_soon_threadsafe(function, value)
    except RuntimeError:  # the loop was closed while the last work ended
        log.debug("work ended after the service")
