"""``lightdet detect`` with a classifier: every picture or frame gets its class."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from lightdet.arrays import Image
from lightdet.assembly.classifier_predictor import load_classifier
from lightdet.assembly.decision import stored_class_rule
from lightdet.assembly.predictor import computed
from lightdet.decisions import ClassRule
from lightdet.drawing import draw_judged_class, draw_picture_class
from lightdet.errors import UserError
from lightdet.inference.pipeline import DetectionRun, Watcher
from lightdet.inference.save import Writer
from lightdet.inference.save_classes import ClassCsvWriter, ClassJsonWriter
from lightdet.inference.save_decisions import FILE as DECISIONS
from lightdet.inference.save_decisions import ClassDecisionWriter
from lightdet.inference.sources import printable
from lightdet.runs.detect import DEFAULT_BATCH, Detection, DetectRequest, Outcome
from lightdet.structures import Classification


def draw_classification(image: Image, found: Classification, still: bool = True) -> Image:
    """Return a copy of a picture, uint8 RGB ``[H, W, 3]``, framed in the colour of its class, with its probability."""
    return draw_picture_class(image, found.label, f"{found.name} {found.probability:.2f}")


def draw_class_decision(image: Image, found: Classification, still: bool = True, *, rule: ClassRule) -> Image:
    """Return a copy of a picture, uint8 RGB ``[H, W, 3]``, framed by OK or NG, with what that goes by."""
    evidence = rule.evidence(found)
    return draw_judged_class(image, evidence.verdict == "OK", evidence.caption())


class Judging(Detection):
    """One request to a classifier, in two steps as `Detection`.

    Raises:
        UserError: as `Detection`; flags that belong to boxes.
    """

    judges = True

    def __init__(self, request: DetectRequest) -> None:
        flags = {
            "--confidence": request.confidence,
            "--iou": request.iou,
            "--agnostic": request.agnostic or None,
            "--max-detections": request.max_detections,
            "--tile": request.tile,
            "--rect": request.rect or None,
        }
        given = [flag for flag, value in flags.items() if value is not None]
        if given:
            raise UserError(f"{given[0]} belongs to detectors, and {request.weights} is a classifier: leave it out")
        boxes = [name for name in request.formats if name not in ("json", "csv")]
        if boxes:
            raise UserError(f"--save {boxes[0]} holds boxes, and {request.weights} is a classifier: take json or csv")
        super().__init__(request)

    def run(self, watcher: Watcher) -> None:
        """Load the network and judge every source; `outcome` is set before anything is raised from there.

        Raises:
            UserError: the model cannot be loaded, a source cannot be read (unless skipped), a file not written.
        """
        request = self.request
        with ExitStack() as stack:
            if self._window is not None:
                stack.enter_context(self._window)
            predictor = load_classifier(
                request.weights,
                device=request.device,
                imgsz=request.imgsz,
                precision=request.precision,
                threads=request.threads,
            )
            rule = stored_class_rule(request.weights, predictor)
            folder = self._folder()
            writers: list[Writer] = []
            if folder is not None:
                for name in request.formats:
                    path = folder / f"detections.{name}"
                    writers.append(
                        ClassJsonWriter(path, rule) if name == "json" else ClassCsvWriter(path, predictor.names, rule)
                    )
            if folder is not None and request.explain:
                from lightdet.runs.heat_pictures import heat_writer  # noqa: PLC0415 - needs torch

                writers.append(heat_writer(request, folder))
            if request.json is not None:
                writers.append(ClassJsonWriter(request.json, rule))
            table = folder / DECISIONS if folder is not None and (request.images or request.formats) else None
            judge = None if rule is None else ClassDecisionWriter(rule, table)
            if judge is not None:
                writers.append(judge)
            run = DetectionRun(
                predictor,
                writers,
                folder=folder if request.images else None,
                watcher=watcher,
                batch=request.batch or DEFAULT_BATCH,
                skip_bad=request.skip_bad,
                max_frames=request.max_frames,
                show=self._window.show if self._window is not None else None,
                draw=draw_classification if rule is None else partial(draw_class_decision, rule=rule),
                header={
                    "task": "classify",
                    **({"rule": rule.as_dict()} if rule is not None else {}),
                    "weights": printable(request.weights),
                    "names": list(predictor.names),
                    "imgsz": predictor.preprocessing.imgsz,
                },
            )
            decisions = judge.counts if judge else None
            self.outcome = Outcome(run.totals, folder, predictor.names, decisions, computed(predictor))
            try:
                run.run(self.sources.items)
            finally:
                if folder is not None and request.output is None and not run.totals.seen:
                    self._remove_empty(folder)
