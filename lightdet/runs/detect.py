"""Run a model on pictures, videos and streams; draw, save and judge what it finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from lightdet.assembly.zones import read_zones
from lightdet.decisions.promise import Promise
from lightdet.errors import UserError
from lightdet.files import check_writable
from lightdet.inference.formats import FORMATS
from lightdet.inference.pipeline import DetectionRun, Watcher
from lightdet.inference.predictor import Predictor
from lightdet.inference.run_folder import (
    check_class_lists,
    check_file,
    check_free,
    fresh_folder,
    heat_file,
    originals_of,
    results_of_runs,
)
from lightdet.inference.save import Writer
from lightdet.inference.save_decisions import FILE as DECISIONS
from lightdet.inference.source import printable
from lightdet.inference.sources import Sources, expand_sources
from lightdet.inference.tiled import TiledPredictor
from lightdet.inference.totals import Totals
from lightdet.inference.watching import FrameWatch
from lightdet.inference.window import Window
from lightdet.inference.zoned import ZonedPredictor
from lightdet.options.detect import DetectOptions
from lightdet.runs.load import computed, load
from lightdet.storage.kept import shown_path
from lightdet.storage.outgoing import check_free_url, local_output, output_url, sent_to
from lightdet.tasks import task_of_model

RUNS = Path("runs/detect")
"""Results go here, or to ``runs/detect-2``, …, if no output folder is named."""
DEFAULT_BATCH = 8
SECOND_LOOKS = 16
"""At most this many pictures are run again if nothing was found."""


@dataclass(frozen=True)
class Surest:
    """The best score in some of the pictures in which nothing was found.

    Attributes:
        score: below `confidence`; None if there is none of `LOWEST` or more.
        source: the picture that it is in.
        pictures: how many were run again.
        confidence: the lowest score that was reported.
    """

    score: float | None
    source: str
    pictures: int
    confidence: float


@dataclass(frozen=True)
class Outcome:
    """The result of a run: `folder` is None if no files were requested except ``--json``."""

    totals: Totals
    folder: Path | None
    names: tuple[str, ...]
    decisions: Counter[str] | None = None
    """Pictures and frames by OK and NG, if the model has a rule."""
    computed: str = ""
    """How it was computed, in words."""
    surest: Surest | None = None
    """If nothing was found in pictures."""
    promise: Promise | None = None
    """What the decisions promise; None if the model has no rule."""
    watch: str = ""
    """How frames were compared with the calibration, in words; empty without frames or promise."""


class Detection:
    """One request, in two steps: creation (quick checks of sources and output), then `run` (loads the network).

    Raises:
        UserError: a missing source, results that would be overwritten, no window for ``show``.
    """

    def __init__(self, options: DetectOptions) -> None:
        self.options = options
        self.task = task_of_model(options.weights)
        self.task.check_options(options.given(), Path(options.weights))
        self.formats = [each for each in FORMATS if each in options.save]
        other = next((name for name in self.formats if name not in self.task.results.formats), None)
        if other is not None:
            raise UserError(
                f"--save {other} holds boxes, and {options.weights} is a {self.task.noun}: "
                f"use {' or '.join(self.task.results.formats)}"
            )
        self.url = output_url(options.output)
        self.output = None if options.output is None or self.url else local_output(options.output)
        self.zones = None if options.zones is None else read_zones(options.zones)
        self.sources: Sources = self._find_sources()
        self._check = partial(check_file, originals=originals_of(self.sources.items), overwrite=options.overwrite)
        if options.explain:
            self._check_heat()
        self._window = Window() if options.show else None
        self.outcome: Outcome | None = None

    def run(self, watcher: Watcher) -> None:
        """Load the network and process every source; `outcome` is set before any error is raised from there.

        Raises:
            UserError: the model cannot be loaded, a source cannot be read (unless skipped), a file not written.
        """
        options = self.options
        with ExitStack() as stack:
            if self._window is not None:
                stack.enter_context(self._window)
            predictor = self._load()
            rule, promise = predictor.rule, predictor.promise
            folder = stack.enter_context(sent_to(self.url)) if self.url and self._writes() else self._folder()
            table = folder / DECISIONS if folder is not None and (options.images or self.formats) else None
            self._check_shared(folder, None if rule is None else table, predictor.names)
            header = self._header(predictor)
            watch = FrameWatch(rule, promise, predictor.card_decision.record, options.weights, header)
            judge = None if rule is None else self.task.results.decision_writer(rule, table, promise=watch.word)
            run = DetectionRun(
                predictor,
                [watch, *self._writers(folder, predictor), *([judge] if judge else [])],
                folder=folder if options.images else None,
                watcher=watcher,
                batch=options.batch or DEFAULT_BATCH,
                skip_bad=options.on_error == "skip",
                max_frames=options.max_frames,
                show=self._window.show if self._window is not None else None,
                draw=self.task.results.drawing(rule),
                header=header,
                check=self._check,
            )
            decisions = judge.counts if judge else None
            told = None if rule is None else promise
            shown = folder if self.url is None or folder is None else Path(self.url)
            self.outcome = Outcome(run.totals, shown, predictor.names, decisions, computed(predictor), promise=told)
            try:
                run.run(self.sources)
            finally:
                self._keep_watch(watch)
                if folder is not None and options.output is None and not run.totals.seen:
                    self._remove_empty(folder)
            zoned = isinstance(predictor, ZonedPredictor)  # there, the surest may be one that is left out
            if not run.totals.per_class and run.totals.pictures and not zoned:
                self.outcome = replace(self.outcome, surest=self._surest(predictor))

    def _check_shared(self, folder: Path | None, table: Path | None, names: Sequence[str]) -> None:
        """Refuse to replace what the results of another run share, which depends on the model."""
        if table is not None:
            self._check(table)
        if folder is not None and "yolo" in self.formats:
            check_class_lists(folder, self.sources.items, names, overwrite=self.options.overwrite)

    def _keep_watch(self, watch: FrameWatch) -> None:
        """Put into the outcome whether the frames were like the calibration's pictures."""
        if self.outcome is None or not self.outcome.totals.frames or self.outcome.promise is None:
            return
        if self.outcome.promise.holds:
            self.outcome = replace(self.outcome, promise=watch.promise, watch=watch.describe())

    def _surest(self, predictor: Predictor) -> Surest:
        """Run the first pictures again, to say how far they are from a detection."""
        best, where, looked = None, "", 0
        pictures = (each for each in self.sources if each.kind == "picture")
        for source in islice(pictures, SECOND_LOOKS):
            with suppress(UserError):  # a bad one was told already
                for page in source.read(predictor.preprocessing.bit_depth):
                    score, looked = predictor.surest(page.image), looked + 1
                    if score is not None and (best is None or score > best):
                        best, where = score, page.name(source.name)
                    if looked >= SECOND_LOOKS:
                        break
        return Surest(best, where, looked, predictor.confidence)

    def _load(self) -> Any:
        """Load the model; its decision rule, if any, must see every detection that counts.

        Raises:
            UserError: as `load`; a ``confidence`` that hides detections from the rule.
        """
        options = self.options

        def loaded(confidence: float | None) -> Any:
            return load(
                options.weights,
                device=options.device,
                imgsz=options.imgsz,
                confidence=confidence,
                iou=options.iou,
                max_detections=options.max_detections,
                precision=options.precision,
                threads=options.threads,
                rect=options.rect,
                agnostic=options.agnostic or None,
                tile=options.tile,
                overlap=options.overlap,
                zones=self.zones,
                no_promise=options.no_promise,
            )

        predictor = self._with_batch(loaded(options.confidence))
        rule = predictor.rule
        if rule is None or rule.lowest_threshold >= predictor.confidence:
            return predictor
        if options.confidence is not None:
            raise UserError(
                f"the model's decision rule counts detections from {rule.lowest_threshold:g} on, "
                f"which --confidence {options.confidence:g} would hide: leave it out"
            )
        return self._with_batch(loaded(rule.lowest_threshold))

    def _with_batch(self, predictor: Any) -> Any:
        whole = predictor.predictor if isinstance(predictor, ZonedPredictor) else predictor
        if isinstance(whole, TiledPredictor):
            whole.batch_size = self.options.batch or DEFAULT_BATCH
        return predictor

    def _find_sources(self) -> Sources:
        options = self.options
        earlier = results_of_runs(RUNS)
        output = self.output.absolute() if self.output is not None else None
        sources = expand_sources(
            options.sources,
            recursive=options.recursive,
            exclude=lambda folder: earlier(folder) or folder.absolute() == output,
            stored=True,
        )
        check_free(
            self.output or RUNS,
            sources.items,
            self.formats,
            marked=options.images,
            extra=[Path(options.json)] if options.json is not None else [],
            overwrite=options.overwrite,
            fresh=output is None,
            listed=bool(sources.listings),
        )
        if self.url is not None and self._writes():
            check_free_url(self.url, overwrite=options.overwrite)
        return sources

    def _check_heat(self) -> None:
        """Refuse sources that cannot be explained, and heat pictures that would be overwritten."""
        for listing in self.sources.listings:
            raise UserError("--explain takes only pictures of this computer; copy or unpack them", path=listing.name)
        for source in self.sources.items:
            if source.kind != "picture":
                raise UserError(f"is a {source.kind}, and --explain takes only pictures", path=source.name)
            if self.output is not None:
                self._check(heat_file(self.output, source.stem))

    def _writes(self) -> bool:
        return bool(self.options.images or self.formats or self.options.explain)

    def _folder(self) -> Path | None:
        if not self._writes():
            return None
        return check_writable(self.output) if self.output is not None else fresh_folder(RUNS)

    @staticmethod
    def _remove_empty(folder: Path) -> None:
        """Remove the empty folder of a failed run, so that the next run can have its number."""
        with suppress(OSError):
            folder.rmdir()

    def _writers(self, folder: Path | None, predictor: Any) -> list[Writer]:
        options, names, rule = self.options, predictor.names, predictor.rule
        writers = [self.task.results.writer(each, folder, names, rule) for each in self.formats] if folder else []
        if folder is not None and options.explain:
            from lightdet.runs.heat_pictures import heat_writer  # noqa: PLC0415 - needs torch

            writers.append(heat_writer(options, folder, predictor, self._check))
        if options.json is not None:
            writers.append(self.task.results.json_writer(Path(options.json), rule))
        return writers

    def _header(self, predictor: Any) -> dict[str, Any]:
        options, rule = self.options, predictor.rule
        return {
            **({"rule": rule.as_dict(), "promise": predictor.promise.as_dict()} if rule is not None else {}),
            "weights": printable(shown_path(options.weights)),
            "names": list(predictor.names),
            "imgsz": predictor.preprocessing.imgsz,
            **self.task.results.header(predictor),
        }


def check_any_read(totals: Totals) -> None:
    """Refuse a run that skipped everything.

    Raises:
        UserError: not one source could be read.
    """
    if totals.skipped and not totals.seen:
        source, reason = totals.skipped[0]
        raise UserError(f"none of the {len(totals.skipped)} sources could be read; the first: {reason}", path=source)
