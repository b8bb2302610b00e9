"""Detectors compared: scored on one split, shown by their detections in some pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightdet.tasks.comparing import Mark
from lightdet.wording import counted

if TYPE_CHECKING:
    from lightdet.comparison.detector_view import DetectorView
    from lightdet.comparison.results import Run
    from lightdet.config import RunConfig
    from lightdet.data.spec import DatasetSpec
    from lightdet.evaluation.report import Evaluation
    from lightdet.structures import Annotation, Detections


class DetectionComparing:
    """See `lightdet.tasks.comparing.Comparing`."""

    called, labels, weights = "model", "boxes", "averaged, "
    packages: tuple[str, ...] = ("lightdet", "torch", "torchvision", "numpy", "pycocotools")

    def default_split(self, spec: DatasetSpec) -> str:
        """``val``."""
        return "val"

    def splits(self, spec: DatasetSpec, split: str, *, trains: bool) -> tuple[list[str], list[str]]:
        """The splits for training are read, the one asked for is scored."""
        wanted = [name for name in ("train", "val") if trains and name in spec.splits]
        return list(dict.fromkeys([*wanted, split])), [split]

    def check(self, config: RunConfig, classes: int) -> None:
        """Detectors take any number of classes."""

    def fingerprint(self, truths: Sequence[Annotation], classes: int) -> dict[str, Any]:
        """Pictures, boxes, their sums, bytes of the files."""
        boxes = sum(float(a.boxes.sum(dtype="float64")) + float(a.labels.sum()) for a in truths)
        return {
            "pictures": len(truths),
            "boxes": sum(len(a) for a in truths),
            "sum": round(boxes, 2),
            "bytes": sum(a.image.stat().st_size for a in truths),
        }

    def tell(self, mark: Mark) -> str:
        """Pictures and boxes."""
        return f"{mark['pictures']} pictures with {mark['boxes']} boxes"

    def sheet(self, truths: Sequence[Annotation], classes: int, count: int) -> list[int]:
        """Pictures that show every class in turn."""
        from lightdet.comparison.picture_table import choose_pictures  # noqa: PLC0415

        return choose_pictures(truths, classes, count)

    def shown(self, evaluation: Evaluation, sheet: Sequence[Annotation]) -> list[dict[str, Any]]:
        """The detections in the sheet's pictures at the best threshold."""
        found = {a.image: found for a, found in zip(evaluation.annotations, evaluation.predictions, strict=True)}
        threshold = evaluation.metrics.threshold
        return [_pack(found[a.image].above(threshold) if a.image in found else None) for a in sheet]

    def run(
        self,
        label: str,
        seed: int | None,
        result: Mapping[str, Any],
        split: str,
        file: Path,
        history: Sequence[Mapping[str, float]],
        sheet: Sequence[Annotation],
        names: tuple[str, ...],
    ) -> Run:
        """With the starting weights of its training."""
        from lightdet.assembly.starting import start_in  # noqa: PLC0415
        from lightdet.comparison.results import Run  # noqa: PLC0415

        shown = [_unpack(each, truth.size, names) for each, truth in zip(result["shown"], sheet, strict=True)]
        return Run(label, seed, result["splits"][split], history, shown, start_in(file))

    def view(self, sheet: Sequence[Annotation], splits: tuple[str, ...], split: str, pictures: int) -> DetectorView:
        """The paper's tables."""
        from lightdet.comparison.detector_view import DetectorView  # noqa: PLC0415

        return DetectorView(sheet)

    def unmeasured(self, val: Sequence[Annotation]) -> str | None:
        """No boxes."""
        from lightdet.assembly.detector_training import unmeasured_boxes  # noqa: PLC0415

        return unmeasured_boxes(val)

    def title(self, spec: DatasetSpec, split: str) -> str:
        """With the split."""
        return f"Comparison on {spec.name} ({split})"

    def scored(self, split: str, marks: Mapping[str, Mark], evaluations: Sequence[Any]) -> str:
        """The pictures and boxes of one split."""
        mark = marks[split]
        return f"the {mark['pictures']} pictures of the split '{split}' ({counted(mark['boxes'], 'box')})."

    def data_facts(self, spec: DatasetSpec, split: str, marks: Mapping[str, Mark]) -> dict[str, str]:
        """One split."""
        return {"split": split, "pictures": f"{marks[split]['pictures']} with {marks[split]['boxes']} boxes"}

    def data_details(self, split: str, marks: Mapping[str, Mark]) -> dict[str, Any]:
        """One split."""
        return {"split": split, **marks[split]}


def _pack(found: Detections | None) -> dict[str, Any]:
    if found is None:  # a picture that could not be read, and was skipped
        return {"boxes": [], "scores": [], "labels": []}
    return {"boxes": found.boxes.tolist(), "scores": found.scores.tolist(), "labels": found.labels.tolist()}


def _unpack(found: Mapping[str, Any], size: tuple[int, int], names: tuple[str, ...]) -> Detections:
    from lightdet.structures import Detections  # noqa: PLC0415

    boxes = np.array(found["boxes"], np.float32).reshape(-1, 4)
    return Detections(boxes, np.array(found["scores"], np.float32), np.array(found["labels"], np.int64), names, size)
