"""A request to detect → a run that is ready to go, everything that can go wrong beforehand checked beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from lightdet.build.predictor import load
from lightdet.errors import UserError
from lightdet.inference.pipeline import DetectionRun, Totals, Watcher
from lightdet.inference.predictor import Predictor
from lightdet.inference.run_folder import check_free, check_writable, fresh_folder, heat_file, results_of_runs
from lightdet.inference.save import Format, JsonWriter, Writer, make_writer
from lightdet.inference.sources import Sources, expand_sources, printable
from lightdet.inference.tiled import TiledPredictor
from lightdet.inference.window import Window

RUNS = Path("runs/detect")
"""Results go here, or to ``runs/detect-2``, …, where no output folder is named."""
DEFAULT_BATCH = 8
TILE_IOU = 0.5
TILED_DETECTIONS = 1000
"""Most boxes of a picture in tiles, unless asked otherwise: it is larger than what a network's input shows."""


@dataclass(frozen=True)
class DetectRequest:
    """What ``lightdet detect`` was asked; see its help for the meaning of each."""

    sources: Sequence[str]
    weights: Path
    imgsz: int | None = None
    confidence: float | None = None
    iou: float | None = None
    max_detections: int | None = None
    device: str = "auto"
    precision: Literal["fp32", "bf16", "fp16"] | None = None
    threads: int | None = None
    batch: int | None = None
    tile: int | None = None
    overlap: float = 0.2
    rect: bool = False
    recursive: bool = False
    max_frames: int | None = None
    formats: Sequence[Format] = ()
    output: Path | None = None
    overwrite: bool = False
    images: bool = True
    show: bool = False
    skip_bad: bool = False
    json: Path | None = None
    explain: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a run did and where: `folder` is None where no files were asked for but ``--json``."""

    totals: Totals
    folder: Path | None
    names: tuple[str, ...]


class Detection:
    """One request, in two steps: made (sources found, places checked; quick), then run (the network loaded).

    Raises:
        UserError: a source that is not there, results in the way, no window for ``show``.
    """

    judges: ClassVar[bool] = False
    """Whether whole pictures get a class, instead of boxes."""

    def __init__(self, request: DetectRequest) -> None:
        self.request = request
        self.sources: Sources = self._find_sources()
        if request.explain:
            self._check_heat()
        self._window = Window() if request.show else None
        self.outcome: Outcome | None = None

    def run(self, watcher: Watcher) -> None:
        """Load the network and look at every source; `outcome` is set before anything is raised from there.

        Raises:
            UserError: the model cannot be loaded, a source cannot be read (unless skipped), a file not written.
        """
        request = self.request
        with ExitStack() as stack:
            if self._window is not None:
                stack.enter_context(self._window)
            predictor = load(
                request.weights,
                device=request.device,
                imgsz=request.imgsz,
                confidence=request.confidence,
                iou=request.iou,
                max_detections=request.max_detections,
                precision=request.precision,
                threads=request.threads,
                rect=request.rect,
            )
            folder = self._folder()
            run = DetectionRun(
                self._tiled(predictor),
                self._writers(folder, predictor.names),
                folder=folder if request.images else None,
                watcher=watcher,
                batch=request.batch or DEFAULT_BATCH,
                skip_bad=request.skip_bad,
                max_frames=request.max_frames,
                show=self._window.show if self._window is not None else None,
                header=self._header(predictor),
            )
            self.outcome = Outcome(run.totals, folder, predictor.names)
            try:
                run.run(self.sources.items)
            finally:
                if folder is not None and request.output is None and not run.totals.seen:
                    self._remove_empty(folder)

    def _find_sources(self) -> Sources:
        request = self.request
        earlier = results_of_runs(RUNS)
        output = request.output.absolute() if request.output is not None else None
        sources = expand_sources(
            request.sources,
            recursive=request.recursive,
            exclude=lambda folder: earlier(folder) or folder.absolute() == output,
        )
        check_free(
            request.output or RUNS,
            sources.items,
            request.formats,
            marked=request.images,
            extra=[request.json] if request.json is not None else [],
            overwrite=request.overwrite,
            fresh=output is None,
        )
        return sources

    def _check_heat(self) -> None:
        """Refuse what cannot be explained, and heat in the way."""
        if self.request.tile is not None:
            raise UserError("--explain looks at whole pictures; leave out --tile, or explain a part of the picture")
        for source in self.sources.items:
            if source.kind != "picture":
                raise UserError(f"is a {source.kind}, and --explain takes pictures alone", path=source.name)
            path = heat_file(self.request.output or RUNS, source.stem)
            if self.request.output is not None and path.exists() and not self.request.overwrite:
                raise UserError("is there already; add --overwrite to replace it, or give another --output", path=path)

    def _folder(self) -> Path | None:
        if not (self.request.images or self.request.formats or self.request.explain):
            return None
        return check_writable(self.request.output) if self.request.output is not None else fresh_folder(RUNS)

    @staticmethod
    def _remove_empty(folder: Path) -> None:
        """A fresh folder that a failed run left empty is in nobody's way but the next number's."""
        with suppress(OSError):
            folder.rmdir()

    def _tiled(self, predictor: Predictor) -> Predictor | TiledPredictor:
        request = self.request
        if request.tile is None:
            return predictor
        return TiledPredictor(
            predictor,
            tile=request.tile,
            overlap=request.overlap,
            batch=request.batch or DEFAULT_BATCH,
            iou=TILE_IOU if request.iou is None else request.iou,
            max_detections=request.max_detections or TILED_DETECTIONS,
        )

    def _writers(self, folder: Path | None, names: tuple[str, ...]) -> list[Writer]:
        writers = [make_writer(format_, folder, names) for format_ in self.request.formats] if folder else []
        if folder is not None and self.request.explain:
            from lightdet.build.heat_pictures import heat_writer  # noqa: PLC0415 - needs torch

            writers.append(heat_writer(self.request, folder))
        return [*writers, JsonWriter(self.request.json)] if self.request.json is not None else writers

    def _header(self, predictor: Predictor) -> dict[str, Any]:
        request = self.request
        return {
            "weights": printable(request.weights),
            "names": list(predictor.names),
            "imgsz": predictor.preprocessing.imgsz,
            "confidence": predictor.confidence,
            "tile": request.tile,
            "overlap": request.overlap if request.tile is not None else None,
        }
