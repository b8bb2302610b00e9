"""What a task must be able to say: all that differs between boxes in pictures and classes of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import nn

    from lightdet.arrays import Image, IntArray
    from lightdet.card import ModelCard, TaskName
    from lightdet.config import YamlFile
    from lightdet.data.spec import DatasetSpec, LabelKind, OnError
    from lightdet.evaluation.report.summary import Summary
    from lightdet.explain.answers import Explainer, ExplainRequest
    from lightdet.export.network import Deployable
    from lightdet.export.proof import Proof
    from lightdet.inference.export_card import ExportCard
    from lightdet.inference.save import Writer
    from lightdet.structures import Preprocessing
    from lightdet.tasks.comparing import Comparing
    from lightdet.training.trainer import Trainer


class Task(Protocol):
    """One of the two halves: detection or classification.

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
        """What does it: ``detector`` or ``classifier``."""
        ...

    @property
    def label_kind(self) -> LabelKind:
        """What it learns from: boxes in a picture, or its class."""
        ...

    @property
    def comparing(self) -> Comparing:
        """What a comparison asks."""
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
        """The stages that a picture goes through, as `milliseconds` of what is found names them."""
        ...

    @property
    def packages(self) -> tuple[str, ...]:
        """Those whose versions a report names."""
        ...

    def evaluation_settings(self, overrides: Sequence[str]) -> Any:
        """Read what a finished model takes of a configuration, ``imgsz`` (None: its own) and ``eval``, from overrides.

        Raises:
            UserError: a wrong key or value.
        """
        ...

    def thresholds(self, settings: Any) -> dict[str, Any]:
        """What `predictor` takes of the evaluation's `settings`."""
        ...

    def settings_facts(self, settings: Any, *, across_classes: bool) -> tuple[dict[str, str], dict[str, Any]]:
        """What a report says of the `settings`: for people, and for the JSON; empty where there is nothing to say."""
        ...

    def in_order(self, found: Any, order: IntArray, names: tuple[str, ...]) -> Any:
        """Number the classes of what was found as a data set does.

        Args:
            found: what the predictor gave for a picture.
            order: int64 ``[C]``, the data set's label for each of the model's.
            names: the data set's, by label.
        """
        ...

    def evaluation(
        self, truths: list[Any], found: list[Any], names: tuple[str, ...], settings: Any, source: Path, **about: Any
    ) -> Any:
        """Score what was found in pictures against the truth.

        Args:
            truths, found: one each per picture.
            names: class names by label.
            settings: of the evaluation.
            source: the model file, or the file of detections.
            about: ``title``, ``facts``, ``details`` and ``skipped`` of the report.
        """
        ...

    def write_report(
        self, folder: Path, evaluation: Any, load: Callable[[Path], Image], *, pictures: int
    ) -> tuple[Path, Path]:
        """Write page and JSON of an evaluation; returns their paths."""
        ...

    def summary(self, evaluation: Any) -> Summary:
        """An evaluation in a few lines and tables of text."""
        ...

    @property
    def formats(self) -> tuple[str, ...]:
        """The files that results can be saved as."""
        ...

    @property
    def count_heading(self) -> str:
        """What is counted by class, as the head of a column."""
        ...

    def tell_count(self, total: int) -> str:
        """What a run found in all, to stand behind the number of pictures."""
        ...

    def writer(self, form: str, folder: Path, names: tuple[str, ...], rule: Any) -> Writer:
        """Return what saves results in `folder` as one of `formats`; with the decisions of a `rule`, if any."""
        ...

    def json_writer(self, path: Path, rule: Any) -> Writer:
        """Return what saves results as JSON in a file of any name."""
        ...

    def decision_writer(self, rule: Any, path: Path | None) -> Any:
        """Return what counts decisions by a rule, and writes them as a table, if `path` is given."""
        ...

    def drawing(self, rule: Any) -> Callable[[Image, Any, bool], Image]:
        """Return what marks a picture, uint8 RGB ``[H, W, 3]``: (picture, what was found, no video frame) → a copy.

        With a `rule` it shows OK or NG.
        """
        ...

    def marked(self, image: Image, found: Any, rule: Any) -> Image:
        """Return a copy of a picture, uint8 RGB ``[H, W, 3]``, with what counts as a defect under `rule` marked."""
        ...

    def header(self, predictor: Any, *, tile: int | None, overlap: float) -> dict[str, Any]:
        """What saved results say of how they were made, besides the model."""
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
            UserError: it takes its training's alone.
        """
        ...

    def deployable(self, network: Any, preprocessing: Preprocessing, request: Any) -> Deployable:
        """Rewrite a network for an exported file; `request` is a `lightdet.export.request.ExportRequest`.

        Raises:
            UserError: networks of its kind cannot be exported.
        """
        ...

    def complete_graph(self, traced: Any, request: Any) -> Any:
        """Add to a traced ONNX model what was asked for besides the network."""
        ...

    def outputs(self, deploy: Deployable, request: Any) -> dict[str, Any]:
        """What an export's card says of the outputs."""
        ...

    def quantized_nodes(self) -> Sequence[str]:
        """Kinds of ONNX nodes that compute in 8 bits."""
        ...

    @property
    def proof_batch(self) -> int:
        """Pictures of the proof that go through a network together."""
        ...

    def prove(self, run: Callable[..., list[Any]], card: ExportCard, precision: str) -> Proof:
        """Compare an export with its checkpoint.

        Args:
            run: (``checkpoint`` or ``draft``, thresholds) → what its runtime gives for each picture of the proof.
            card: the draft's.
            precision: whose tolerance it is held to.

        Raises:
            UserError: it does not give the same.
        """
        ...

    @property
    def headline(self) -> str:
        """The one number that a model is judged by, for people."""
        ...

    @property
    def headline_key(self) -> str:
        """The same as a key of JSON."""
        ...

    def headline_score(self, truths: list[Any], found: list[Any], names: tuple[str, ...]) -> float | None:
        """That number, in [0, 1]; None where there is nothing to measure it on."""
        ...

    @property
    def score_column(self) -> str:
        """The column of results.csv that the best epoch, and the best trial, is chosen by."""
        ...

    @property
    def score_words(self) -> str:
        """That number, as people call it."""
        ...

    @property
    def fingerprinted(self) -> str:
        """What `fingerprint` compares, in words."""
        ...

    def training_data(
        self, config: Any, spec: DatasetSpec, *, on_error: OnError, progress: Callable[[int, int], None]
    ) -> Any:
        """Read the splits ``train`` and ``val`` and decode their pictures; `progress` gets how many, of how many.

        Returns:
            Data with ``names``, ``train``, ``val``, ``skipped`` and ``unmeasured``.

        Raises:
            UserError: the first broken picture or label (unless skipped); nothing to learn from.
        """
        ...

    def trainer(self, config: Any, data: Any, **settings: Any) -> Trainer:
        """Assemble a training; see `lightdet.assembly.detector_training.build_trainer` for the settings.

        Raises:
            UserError: what was asked for cannot be had together.
        """
        ...

    def check_start(self, weights: Path) -> None:
        """Refuse weights to begin a training with.

        Raises:
            UserError: a training of this kind is begun in another way.
        """
        ...

    def messages(self) -> Any:
        """Return the module with what a training says: `lightdet.training.messages` or its like."""
        ...

    @property
    def enough_steps(self) -> int | None:
        """The steps that a network wants from scratch; None where that cannot be said."""
        ...

    def way_to_train_on(self, config: Any, last: Path) -> str:
        """Say how to train on from the last weights of a training that has ended."""
        ...

    def profiled_thresholds(self, confidence: float) -> dict[str, Any]:
        """What `predictor` takes of the lowest score that is profiled."""
        ...

    def fresh_predictor(
        self, config: Any, classes: int | None, *, device: Any, precision: str, threads: int | None, **thresholds: Any
    ) -> Any:
        """A predictor of a configuration's network with fresh weights; `classes`: how many, None: as the paper has."""
        ...

    def explainer(self, request: ExplainRequest, *, device: Any, rect: bool) -> Explainer:
        """Return what says why a model reports what it does.

        Raises:
            UserError: it cannot be loaded, or an input side that it cannot take.
        """
        ...

    def uncalibrated_rule(self, spec: DatasetSpec, *, min_size: float, bad: Sequence[str]) -> tuple[Any, str]:
        """Return a rule of OK and NG without a threshold yet, and where its bad classes are from, in a few words.

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
