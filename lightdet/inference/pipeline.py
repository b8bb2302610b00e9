"""A detection run: every source is read, processed, drawn and written; everything is counted and timed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from lightdet.arrays import Image
from lightdet.data.images import MAX_BYTES
from lightdet.errors import NetworkError, UserError
from lightdet.inference.image_writers import VideoWriter, write_picture
from lightdet.inference.results import draw_boxes_found
from lightdet.inference.run_folder import marked_file
from lightdet.inference.save import Record, Writer
from lightdet.inference.source import Source, printable
from lightdet.inference.totals import Totals
from lightdet.inference.video import Frame, LiveStream, VideoFile
from lightdet.storage.stored_file import StoredFile
from lightdet.structures import Preprocessing

MAX_PENDING_PIXELS = 64_000_000
"""Limit for decoded pictures that wait for a batch; large ones are processed in smaller batches."""


class Finder(Protocol):
    """A predictor of boxes or of classes."""

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by label."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How a picture becomes network input."""

    def batch(self, images: Sequence[Image]) -> Sequence[Any]:
        """The result for each picture: `Found`."""


class Watcher(Protocol):
    """Follows the run, such as a progress bar."""

    def begin(self, source: Source, frames: int) -> None:
        """A video or stream begins; `frames` is 0 if their number is not known."""

    def step(self, source: Source) -> None:
        """A picture, or a frame of a video, is done."""

    def end(self, source: Source) -> None:
        """A source is done or was skipped."""


class _Stop(Exception):  # noqa: N818 - no error
    """The window was closed or the camera stopped: a normal end."""


@dataclass
class _Job:
    """A picture or frame between its reading and the network."""

    source: Source
    image: Image
    read_ms: float
    frame: Frame | None = None
    video: VideoWriter | None = None
    last: bool = True
    """It is the last of its file."""


class DetectionRun:
    """Turns sources into results.

    Args:
        predictor: gives the results for pictures.
        writers: take the results (`lightdet.inference.save`).
        folder: where marked-up pictures and videos go; None writes none.
        batch: pictures, or frames of a video file, that go through the network together.
        skip_bad: skip what cannot be read, and list it; otherwise the run ends there, and what was done is saved.
        max_frames: most frames of each video or stream.
        show: gets each marked-up picture and whether it is a video frame; returning false ends the run.
        watcher: follows the run.
        draw: (picture, result, whether it is a still picture) → a marked-up copy; default: boxes with
            their names. Frames keep their size.
        header: facts that come first in the summary.
        check: refuses a marked-up picture that may not be written, by its file.
    """

    def __init__(
        self,
        predictor: Finder,
        writers: Sequence[Writer],
        *,
        folder: Path | None,
        watcher: Watcher,
        batch: int = 8,
        skip_bad: bool = False,
        max_frames: int | None = None,
        show: Callable[[Image, bool], bool] | None = None,
        draw: Callable[[Image, Any, bool], Image] | None = None,
        header: dict[str, Any] | None = None,
        check: Callable[[Path], None] | None = None,
    ) -> None:
        self.predictor = predictor
        self.writers = writers
        self.folder = folder
        self.watcher = watcher
        self.batch = 1 if show is not None else batch
        self.skip_bad = skip_bad
        self.max_frames = max_frames
        self.show = show
        self.draw = draw or (lambda image, found, still: draw_boxes_found(image, found, None, still=still))
        self.header = header or {}
        self.check = check
        self.totals = Totals()

    def run(self, sources: Iterable[Source]) -> Totals:
        """Process all of them; whatever happens, the writers are closed and so keep what was done.

        Raises:
            UserError: the first that cannot be read, unless bad ones are skipped; nothing can be written.
        """
        try:
            self._run(sources)
            self.totals.complete = True
        except _Stop:
            self.totals.complete = True
        finally:
            summary = self.header | self.totals.as_dict(self.predictor.names)
            for writer in self.writers:
                writer.close(summary)
        return self.totals

    def _run(self, sources: Iterable[Source]) -> None:
        pending: list[_Job] = []
        for source in sources:
            if source.kind != "picture":
                self._finish(pending)
                self._video(source)
                self.watcher.end(source)
                continue
            self._picture(source, pending)
        self._finish(pending)

    def _picture(self, source: Source, pending: list[_Job]) -> None:
        """Read the pictures of a file, and run the network as batches fill."""
        pages = source.read(self.predictor.preprocessing.bit_depth)
        while True:
            start = time.perf_counter()
            try:
                page = next(pages, None)
            except UserError as error:
                self._finish(pending)
                self._note_bad(source, error)
                return
            if page is None:
                return
            last = page.number == page.of
            pending.append(_Job(source.page(page), page.image, _since(start), last=last))
            waiting = sum(job.image.shape[0] * job.image.shape[1] for job in pending)
            if len(pending) >= self.batch or waiting > MAX_PENDING_PIXELS:
                self._finish(pending)

    def _video(self, source: Source) -> None:
        with ExitStack() as stack:
            if isinstance(source.target, StoredFile):
                try:
                    source = replace(source, target=_copied(source.target, stack))
                except UserError as error:
                    self._note_bad(source, error)
                    return
            self._local_video(source)

    def _local_video(self, source: Source) -> None:
        try:
            reader = _open(source)
        except UserError as error:
            self._note_bad(source, error)
            return
        total = min(reader.frame_count, self.max_frames or reader.frame_count)
        self.watcher.begin(source, total or self.max_frames or 0)
        broken = None
        with ExitStack() as stack:
            video = None
            if self.folder is not None:
                video = stack.enter_context(VideoWriter(marked_file(self.folder, source), reader.fps))
            frames = stack.enter_context(closing(reader.frames(self.max_frames)))
            try:
                broken = self._frames(source, frames, video)
            except KeyboardInterrupt:
                if source.kind == "stream":  # Ctrl-C is how a camera is ended
                    raise _Stop from None
                raise
            finally:
                self.totals.dropped += reader.dropped
        if broken is not None:
            self._note_bad(source, broken)

    def _frames(self, source: Source, frames: Iterator[Frame], video: VideoWriter | None) -> UserError | None:
        """Process all frames; returns the error that broke the video off, if any."""
        batch = 1 if source.kind == "stream" else self.batch
        pending: list[_Job] = []
        broken = None
        while True:
            start = time.perf_counter()
            try:
                frame = next(frames, None)
            except UserError as error:
                frame, broken = None, error
            if frame is None:
                break
            pending.append(_Job(source, frame.image, _since(start), frame, video))
            if len(pending) >= batch:
                self._finish(pending)
        self._finish(pending)
        return broken

    def _finish(self, jobs: list[_Job]) -> None:
        """Run the network and the later steps on the jobs, and empty the list."""
        batch, jobs[:] = list(jobs), []
        if not batch:
            return
        try:
            found = self.predictor.batch([job.image for job in batch])
        except NetworkError:
            raise  # no picture is to blame
        except UserError as error:
            if len(batch) == 1:
                self._note_bad(batch[0].source, error)
                return
            for job in batch:  # one of them is to blame; the others are fine
                self._finish([job])
            return
        for job, detections in zip(batch, found, strict=True):
            self._write(job, detections)

    def _write(self, job: _Job, detections: Any) -> None:
        start = time.perf_counter()
        still = job.frame is None
        marked = self.draw(job.image, detections, still) if self.folder is not None or self.show is not None else None
        drawn = time.perf_counter()
        if marked is not None and job.video is not None:
            job.video.write(marked)
        elif marked is not None and self.folder is not None:
            write_picture(marked_file(self.folder, job.source), marked, check=self.check)
        frame, seconds = (job.frame.index, job.frame.time) if job.frame else (None, None)
        record = Record(job.source.name, job.source.stem, detections, frame, seconds, job.image)
        for writer in self.writers:
            writer.add(record)
        own = {"draw": (drawn - start) * 1e3} if marked is not None else {}
        self.totals.count(
            detections, {"read": job.read_ms, **own, "write": _since(drawn)}, moving=job.frame is not None
        )
        self.watcher.step(job.source)
        if job.frame is None and job.last:
            self.watcher.end(job.source)
        if self.show is not None and marked is not None and not self.show(marked, job.frame is not None):
            raise _Stop

    def _note_bad(self, source: Source, error: UserError) -> None:
        if error.path is None and source.kind == "picture":
            error = UserError(error.message, path=source.name)
        if not self.skip_bad:
            raise error
        self.totals.skipped.append((source.name, printable(error.message)))
        if source.kind == "picture":
            self.watcher.end(source)


def _open(source: Source) -> VideoFile | LiveStream:
    target: Any = source.target
    return VideoFile(target) if isinstance(target, Path) else LiveStream(target, source.name)


def _copied(file: StoredFile, stack: ExitStack) -> Path:
    """A video of a store or an archive as a local file, until `stack` is closed: OpenCV reads no other."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lightdet-")))
    target = folder / f"video{Path(file.place).suffix}"
    target.write_bytes(file.read(MAX_BYTES))
    return target


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3
