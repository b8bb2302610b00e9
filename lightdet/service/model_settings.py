"""The settings of one model of a service: its file, its rule, where and how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from lightdet.decisions import ClassRule, DecisionRule
from lightdet.decisions.zones import Zones
from lightdet.errors import UserError
from lightdet.files import run_name
from lightdet.service.model_copy import ModelCopy

Rule = TypeVar("Rule", DecisionRule, ClassRule)


@dataclass(frozen=True)
class ModelSettings:
    """The settings of one model.

    Attributes:
        model: the model file.
        name: what requests and records call it; "": the name of the file or of its folder (`lightdet.files.run_name`).
        threshold: lowest score of a defect, for every class; None: the rule in the model file, or else
            the default one (`lightdet.decisions.DecisionRule`).
        thresholds: the same by class name; overrides the rule.
        min_size: shortest defect in pixels; None: the rule's.
        min_sizes: the same by class name; overrides the rule.
        confidence: lowest score reported; None: 0.1, or the rule's lowest threshold where that is lower.
        device, imgsz, iou, agnostic, max_detections, precision, rect, tile, overlap, no_promise: as for
            `lightdet.load`.
        zones: where to look in a picture; None: as in the model's record, or everywhere.
        zones_file: the file that they come from; the service may write it.
        threads: processor threads that compute; None: the service's (`Settings.compute_threads`).
        copy: the service's own copy of the file, which workers load; None: the file itself.

    Raises:
        UserError: a value out of range.
    """

    model: Path
    name: str = ""
    threshold: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    min_size: float | None = None
    min_sizes: Mapping[str, float] = field(default_factory=dict)
    confidence: float | None = None
    device: str = "auto"
    imgsz: int | None = None
    iou: float | None = None
    agnostic: bool | None = None
    max_detections: int | None = None
    precision: Literal["fp32", "bf16", "fp16"] | None = None
    rect: bool = False
    tile: int | None = None
    overlap: float | None = None
    zones: Zones | None = None
    zones_file: Path | None = None
    no_promise: bool = False
    threads: int | None = None
    copy: ModelCopy | None = None

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0.0 <= self.confidence <= 1.0:
            raise UserError(f"confidence must lie in 0-1, got {self.confidence}")
        self.rule_over(DecisionRule())  # checks the values

    def rule_over(self, stored: Rule) -> Rule:
        """Return the decision rule: the model file's, overridden by what is set here.

        Raises:
            UserError: a value out of range, or one that a rule of its kind does not have.
        """
        return stored.over(self.threshold, self.thresholds, self.min_size, self.min_sizes)

    @property
    def called(self) -> str:
        """The model's name, for requests and records."""
        return self.name or run_name(self.model)[:200]

    @property
    def served(self) -> Path:
        """The file that workers load."""
        return self.model if self.copy is None else self.copy.file

    def load_options(self) -> dict[str, Any]:
        """Return the keyword arguments for `lightdet.load`; what is not set is left to it."""
        names = (
            *("device", "imgsz", "iou", "agnostic", "max_detections", "precision", "confidence", "rect"),
            *("tile", "overlap", "zones", "no_promise", "threads"),
        )
        return {name: value for name in names if (value := getattr(self, name)) is not None}
