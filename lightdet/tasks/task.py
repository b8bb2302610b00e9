"""The protocol of a task: all that differs between boxes in pictures and classes of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import nn

    from lightdet.card import ModelCard, TaskName
    from lightdet.config import YamlFile
    from lightdet.data.spec import DatasetSpec, LabelKind
    from lightdet.explaining.answers import Explainer
    from lightdet.options.explain import ExplainOptions
    from lightdet.tasks.comparing import Comparing
    from lightdet.tasks.exporting import Exporting
    from lightdet.tasks.results import Results
    from lightdet.tasks.scores import Scores
    from lightdet.tasks.training import Training


class Task(Protocol):
    """Detection or classification.

    Whoever runs a verb asks the task that its model, its configuration or its data set belongs to
    (`lightdet.tasks.task_of_model` and its neighbours), and never which of the two it is. A task imports torch only
    where a network is wanted.
    """

    @property
    def name(self) -> TaskName:
        """What the configuration's key ``task`` calls it."""
        ...

    @property
    def noun(self) -> str:
        """What its models are called: ``detector`` or ``classifier``."""
        ...

    @property
    def label_kind(self) -> LabelKind:
        """What it learns from: boxes in a picture, or its class."""
        ...

    def configuration(self, file: YamlFile, overrides: Sequence[str] = ()) -> Any:
        """Check a run's configuration with ``key.path=value`` overrides.

        Raises:
            UserError: anything wrong with it.
        """
        ...

    @property
    def unseen(self) -> str:
        """Begins "… 3 of 20 bad pictures", of bad pictures that no threshold makes NG."""
        ...

    @property
    def certain(self) -> str:
        """The same of good pictures that every threshold makes NG."""
        ...

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that a picture goes through, as the `milliseconds` of a result name them."""
        ...

    def network(self, path: Path) -> tuple[nn.Module, ModelCard]:
        """Rebuild a trained model on the CPU, in PyTorch.

        Raises:
            UserError: a missing, damaged or foreign file, one of the other task.
        """
        ...

    def check_side(self, card: ModelCard, path: Path, imgsz: int | None, *, any_size: bool = False) -> None:
        """Refuse an input side that a trained network cannot take.

        Raises:
            UserError: it takes only the side that it was trained with.
        """
        ...

    def profiled_thresholds(self, confidence: float) -> dict[str, Any]:
        """The options that the lowest score to be profiled gives to `predictor`."""
        ...

    def fresh_predictor(
        self, config: Any, classes: int | None, *, device: Any, precision: str, threads: int | None, **thresholds: Any
    ) -> Any:
        """A predictor of a configuration's network with fresh weights; `classes`: how many, None: as the paper has."""
        ...

    def explainer(self, options: ExplainOptions, *, device: Any, rect: bool) -> Explainer:
        """Return what explains why a model reports what it does.

        Raises:
            UserError: it cannot be loaded, or an input side that it cannot take.
        """
        ...

    def uncalibrated_rule(self, spec: DatasetSpec, *, min_size: float, bad: Sequence[str]) -> tuple[Any, str]:
        """Return a rule of OK and NG that has no threshold yet, and in a few words where its bad classes come from.

        Args:
            spec: the data set to calibrate on.
            min_size: of boxes, shortest defect that counts, in pixels.
            bad: names of classes of bad parts; empty: as the data set or its names say.

        Raises:
            UserError: a value out of range, or nothing says which classes are bad.
        """
        ...

    def check_options(self, given: Mapping[str, object], model: Path | None) -> None:
        """Refuse options of the other task; `given` holds those that are not at their default, by name or flag.

        Raises:
            UserError: one is among them; `model` is what it was given for.
        """
        ...

    def predictor(self, path: Path, **options: Any) -> Any:
        """Load a model file, trained or exported, for use; see `lightdet.runs.load.load` for the options.

        Raises:
            UserError: it cannot be loaded.
        """
        ...

    def check_dataset(self, spec: DatasetSpec) -> None:
        """Refuse a data set of the other task.

        Raises:
            UserError: it is.
        """
        ...

    @property
    def scores(self) -> Scores:
        """How a model is measured."""
        ...

    @property
    def results(self) -> Results:
        """What a model finds, saved and drawn."""
        ...

    @property
    def exporting(self) -> Exporting:
        """How a network becomes a file of its own."""
        ...

    @property
    def training(self) -> Training:
        """How a network learns."""
        ...

    @property
    def comparing(self) -> Comparing:
        """How several models are compared."""
        ...
