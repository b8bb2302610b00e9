"""The protocol of a task: everything that differs between boxes in pictures and classes of pictures."""

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
    from lightdet.tasks.folding import Folding
    from lightdet.tasks.results import Results
    from lightdet.tasks.scores import Scores
    from lightdet.tasks.training import Training


class Task(Protocol):
    """Detection or classification.

    A verb finds the task of its model, configuration or data set (`lightdet.tasks.task_of_model` and similar functions)
    and asks it, never which of the two it is. A task imports torch only when a network is needed.
    """

    @property
    def name(self) -> TaskName:
        """Its name in the configuration's key ``task``."""
        ...

    @property
    def noun(self) -> str:
        """The word for its models: ``detector`` or ``classifier``."""
        ...

    @property
    def label_kind(self) -> LabelKind:
        """What it learns from: boxes in a picture, or a picture's class."""
        ...

    def configuration(self, file: YamlFile, overrides: Sequence[str] = ()) -> Any:
        """Check a run's configuration with ``key.path=value`` overrides.

        Raises:
            UserError: anything wrong with it.
        """
        ...

    @property
    def unseen(self) -> str:
        """The start of "… 3 of 20 bad pictures", for bad pictures that no threshold makes NG."""
        ...

    @property
    def certain(self) -> str:
        """The same for good pictures that every threshold makes NG."""
        ...

    @property
    def stages(self) -> tuple[str, ...]:
        """The processing stages of a picture, as named in the `milliseconds` of a result."""
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
            UserError: it takes only the size that it was trained with.
        """
        ...

    def profiled_thresholds(self, confidence: float) -> dict[str, Any]:
        """The options for `predictor` that set the lowest score to profile."""
        ...

    def fresh_predictor(
        self, config: Any, classes: int | None, *, device: Any, precision: str, threads: int | None, **thresholds: Any
    ) -> Any:
        """A predictor with a configuration's network and random weights; `classes`: how many, None: as in the paper."""
        ...

    def explainer(self, options: ExplainOptions, *, device: Any, rect: bool, agnostic: bool) -> Explainer:
        """Return an explainer for a model.

        Raises:
            UserError: it cannot be loaded, or an input size that it cannot take.
        """
        ...

    def uncalibrated_rule(self, spec: DatasetSpec, *, min_size: float, bad: Sequence[str]) -> tuple[Any, str]:
        """Return an OK/NG rule without a threshold yet, and in a few words where its bad classes come from.

        Args:
            spec: the data set to calibrate on.
            min_size: for boxes, the shortest defect that counts, in pixels.
            bad: names of classes of bad parts; empty: as given by the data set or the class names.

        Raises:
            UserError: a value out of range, or it is unclear which classes are bad.
        """
        ...

    def stored_rule(self, record: object, names: Sequence[str], path: Path) -> Any:
        """Return the OK/NG rule in a card's decision; None if there is none.

        Raises:
            UserError: it is damaged, or made for other classes; `path` is the model.
        """
        ...

    def check_options(self, given: Mapping[str, object], model: Path | None) -> None:
        """Refuse options of the other task; `given` holds the options that differ from their defaults, by name or flag.

        Raises:
            UserError: there is one; `model` is the model it was given for.
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
        """How a model is scored."""
        ...

    @property
    def results(self) -> Results:
        """How results are saved and drawn."""
        ...

    @property
    def exporting(self) -> Exporting:
        """How a network is exported."""
        ...

    @property
    def training(self) -> Training:
        """How a network is trained."""
        ...

    @property
    def comparing(self) -> Comparing:
        """How several models are compared."""
        ...

    @property
    def folding(self) -> Folding:
        """How a model is cross-validated."""
        ...
