"""Average precision: pycocotools' own numbers, without its output and without files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lightdet.arrays import AnyArray, BoolArray, FloatArray, IntArray
from lightdet.evaluation.curves import Curves, confidence_curves
from lightdet.evaluation.matching import crowd_flags
from lightdet.evaluation.metrics import ClassMetrics, Metrics
from lightdet.structures import Annotation, Detections


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """What pycocotools accumulated, its -1 for "no ground truth" kept.

    Attributes:
        precision: float64 ``[T, R, C, A]``: IoU 0.5:0.05:0.95, recall 0:0.01:1, class, area (all, small, medium,
            large; only "all" if sizes were not asked for).
        recall: float64 ``[T, C, A]``: highest recall.
    """

    precision: AnyArray
    recall: AnyArray

    def mean(self, *, iou: int | None = None, label: int | None = None, area: int = 0) -> float | None:
        """AP over the classes (or of one), over all IoUs (or the one at index `iou`); None without ground truth."""
        table = self.precision[..., area]
        table = table if iou is None else table[iou : iou + 1]
        table = table if label is None else table[:, :, label : label + 1]
        return _mean_of_valid(table)


def evaluate(
    predictions: Sequence[Detections],
    annotations: Sequence[Annotation],
    names: Sequence[str],
    *,
    max_detections: int = 100,
    sizes: bool = False,
) -> Metrics:
    """Score detections against ground truth.

    Args:
        predictions: one for each picture, in pixels of the original picture, with low scores kept (0.001).
        annotations: of the same pictures in the same order; those without boxes count (their detections are wrong).
        names: the class names, unique, by label.
        max_detections: AP counts this many of the best detections for each picture and class (COCO's 100).
            Precision, recall and F1 count all of them.
        sizes: also compute AP for small, medium and large boxes (takes twice as long).

    Raises:
        ValueError: unequal lengths, repeated names, or a label without a name.

    Source: Lin et al., "Microsoft COCO", and pycocotools' ``COCOeval``.
    """
    _check(predictions, annotations, names)
    ap = average_precision(predictions, annotations, len(names), max_detections=max_detections, sizes=sizes)
    curves = confidence_curves(predictions, annotations, len(names))
    best = curves.overall.best()
    return Metrics(
        map50=ap.mean(iou=0),
        map75=ap.mean(iou=5),
        map50_95=ap.mean(),
        map_small=ap.mean(area=1) if sizes else None,
        map_medium=ap.mean(area=2) if sizes else None,
        map_large=ap.mean(area=3) if sizes else None,
        recall_100=_mean_of_valid(ap.recall[..., 0]),
        precision=best.precision,
        recall=best.recall,
        f1=best.f1,
        threshold=best.threshold,
        per_class=_per_class(ap, curves, annotations, names, best.threshold),
        images=len(annotations),
        background_images=sum(not len(annotation) for annotation in annotations),
        background_alarms=sum(
            not len(truth) and bool((found.scores >= np.float32(best.threshold)).any())
            for truth, found in zip(annotations, predictions, strict=True)
        ),
        boxes=curves.overall.boxes,
        max_detections=max_detections,
        pr_curves=ap.precision[0, :, :, 0].T,
        curves=curves,
    )


def average_precision(
    predictions: Sequence[Detections],
    annotations: Sequence[Annotation],
    num_classes: int,
    *,
    max_detections: int = 100,
    sizes: bool = False,
) -> AveragePrecision:
    """Run pycocotools' ``COCOeval`` on boxes; for the arguments see `evaluate`."""
    job = matched(predictions, annotations, num_classes, max_detections=max_detections, sizes=sizes)
    with redirect_stdout(io.StringIO()):
        job.accumulate()
    return AveragePrecision(job.eval["precision"][..., 0], job.eval["recall"][..., 0])


def matched(
    predictions: Sequence[Detections],
    annotations: Sequence[Annotation],
    num_classes: int,
    *,
    max_detections: int = 100,
    sizes: bool = False,
) -> COCOeval:
    """Return pycocotools' evaluation after its matching, before anything is summed; see `evaluate`."""
    truth = [(a.boxes, a.labels, None, crowd_flags(a), a.area) for a in annotations]
    found = [(p.boxes, p.labels, p.scores, None, None) for p in predictions]
    # pycocotools prints its progress, and has no switch for that.
    with redirect_stdout(io.StringIO()):
        job = COCOeval(_coco(truth, num_classes), _coco(found, num_classes), "bbox")
        job.params.maxDets = [max_detections]
        if not sizes:
            job.params.areaRng, job.params.areaRngLbl = job.params.areaRng[:1], job.params.areaRngLbl[:1]
        job.evaluate()
    return job


Boxes = tuple[FloatArray, IntArray, FloatArray | None, BoolArray | None, AnyArray | None]
"""One picture's boxes ``[N, 4]``, labels ``[N]``, and scores, crowd flags or areas if there are any."""


def _coco(pictures: Sequence[Boxes], num_classes: int) -> COCO:
    """Build pycocotools' object in memory; pictures, classes and boxes are numbered from 1 (0 means unmatched)."""
    entries: list[dict[str, object]] = []
    for number, (boxes, labels, scores, crowd, given_areas) in enumerate(pictures, start=1):
        # float64 before subtracting: the same width and area as a reader of the file would get
        wide = boxes.astype(np.float64)
        sides = wide[:, 2:] - wide[:, :2]
        corners = np.concatenate([wide[:, :2], sides], axis=1).tolist()
        areas = (sides.prod(axis=1) if given_areas is None else given_areas).tolist()
        classes = (labels + 1).tolist()
        values = [0.0] * len(boxes) if scores is None else scores.tolist()
        flags = [0] * len(boxes) if crowd is None else crowd.astype(int).tolist()
        for box, area, label, score, flag in zip(corners, areas, classes, values, flags, strict=True):
            entries.append(
                {
                    "id": len(entries) + 1,
                    "image_id": number,
                    "category_id": label,
                    "bbox": box,
                    "area": area,
                    "score": score,
                    "iscrowd": flag,
                }
            )
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number} for number in range(1, len(pictures) + 1)],
        "categories": [{"id": number} for number in range(1, num_classes + 1)],
        "annotations": entries,
    }
    coco.createIndex()
    return coco


def _per_class(
    found: AveragePrecision,
    curves: Curves,
    annotations: Sequence[Annotation],
    names: Sequence[str],
    threshold: float,
) -> tuple[ClassMetrics, ...]:
    rows = []
    for label, (name, curve) in enumerate(zip(names, curves.by_class, strict=True)):
        images = sum(bool((a.labels[~crowd_flags(a)] == label).any()) for a in annotations)
        here, own = curve.at(threshold), curve.best()
        known = curve.boxes > 0
        rows.append(
            ClassMetrics(
                name=name,
                images=images,
                boxes=curve.boxes,
                ap50=found.mean(iou=0, label=label),
                ap75=found.mean(iou=5, label=label),
                ap50_95=found.mean(label=label),
                precision=here.precision if known else None,
                recall=here.recall if known else None,
                f1=here.f1 if known else None,
                best_f1=own.f1 if known else None,
                best_threshold=own.threshold if known else None,
            )
        )
    return tuple(rows)


def _mean_of_valid(table: AnyArray) -> float | None:
    valid = table[table > -1]
    return float(valid.mean()) if valid.size else None


def _check(predictions: Sequence[Detections], annotations: Sequence[Annotation], names: Sequence[str]) -> None:
    if len(predictions) != len(annotations):
        raise ValueError(f"{len(predictions)} predictions for {len(annotations)} pictures")
    if not names or len(set(names)) != len(names):
        raise ValueError("class names must be given, and each only once")
    labels = [each.labels for each in predictions] + [each.labels for each in annotations]
    highest = max((int(each.max()) for each in labels if len(each)), default=-1)
    if highest >= len(names):
        raise ValueError(f"label {highest} has no name: {len(names)} names given")
