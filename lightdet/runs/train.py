"""From a data set to a trained model: checked before torch is imported, so that mistakes are told at once; then run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from safetensors import SafetensorError, safe_open

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.fine_tuning import config_from_card
from lightdet.assembly.starting import CHANCE, start_of
from lightdet.assembly.starting import FACT as START
from lightdet.config import BackboneConfig, RunConfig, YamlFile, load_yaml, parse_overrides
from lightdet.config.yaml_file import merge
from lightdet.data.spec import DatasetSpec, OnError
from lightdet.errors import UserError
from lightdet.files import make_folder, with_home, write_json
from lightdet.runs.resume import STATE_FILE, check_same_data, config_to_resume
from lightdet.tasks import AnyConfig, Task, task_of_config, task_of_model
from lightdet.training.callbacks.base import check_callbacks
from lightdet.training.result import TrainResult

if TYPE_CHECKING:
    import torch

    from lightdet.training.checkpoint import Progress, TrainingState

METADATA_KEY = "lightdet_training"  # of lightdet.training.checkpoint, whose import would bring torch


class TrainingDisplay(Protocol):
    """Shows how a training goes; it is a `lightdet.training.reporting.Reporter` as well."""

    def loading(self) -> AbstractContextManager[Callable[[int, int], None]]:
        """While pictures are read: gives what is called with pictures done and in all."""
        ...

    def begin(
        self, config: Any, data: Any, device: torch.device, output: Path, *, resumed: TrainingState | None
    ) -> None:
        """Data and configuration are there."""
        ...

    def expect(self, config: Any, data: Any, output: Path, speed: float | None, from_scratch: bool) -> None:
        """How many steps and how long it will be; `speed` is the probe's, in pictures per second."""
        ...

    def training(self) -> AbstractContextManager[None]:
        """While the network learns."""
        ...

    def end(self, progress: Progress, data: Any, output: Path) -> None:
        """It ended, whole or interrupted."""
        ...

    def note(self, text: str) -> None:
        """One line worth reading."""
        ...

    def epoch_begins(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """See `Reporter`."""
        ...

    def batch_done(self, losses: Mapping[str, float]) -> None:
        """See `Reporter`."""
        ...

    def epoch_ends(self, record: Mapping[str, Any]) -> None:
        """See `Reporter`."""
        ...


@dataclass(frozen=True)
class TrainRequest:
    """The flags of ``lightdet train``; `overrides` are ``key.path=value``, `changes` the same as nested mappings."""

    data: Path
    config: Path | None = None
    data_root: Path | None = None
    overrides: Sequence[str] = ()
    device: str = "auto"
    output: Path = Path("runs/train")
    resume: bool = False
    overwrite: bool = False
    skip_broken: bool = False
    json: Path | None = None
    weights: Path | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Sequence[Any] = ()

    def file(self) -> YamlFile:
        """The configuration file, or nothing but defaults, and the changes over it."""
        return (load_yaml(self.config) if self.config else YamlFile({})).over(self.changes)

    def asked(self, kept: YamlFile) -> YamlFile | None:
        """What is asked of a training that is resumed, whose configuration is `kept`; None: nothing new."""
        if self.config is not None:
            return self.file()
        return kept.over(self.changes) if self.changes else None

    def check(self) -> tuple[Task, AnyConfig, DatasetSpec]:
        """Read configuration and data set's YAML and look at the output folder.

        Raises:
            UserError: anything wrong with them.
        """
        check_callbacks(self.callbacks)
        if self.weights is not None and self.resume:
            raise UserError("--resume goes on with its own weights; leave --weights out, or --resume")
        file = self.file()
        if self.weights is not None:
            file = self._below(self.weights, file)
        if self.resume and self.config is None:
            file = (kept_config(self.output) or YamlFile({})).over(self.changes)
        task = task_of_config(file, self.overrides)
        config = task.configuration(file, self.overrides)
        _check_backbone(config)
        if isinstance(config, RunConfig) and not self.resume:
            start_of(config, self.weights)
        spec = load_dataset(self.data, self.data_root)
        spec.split("train")
        task.check_dataset(spec)
        _check_val(spec)
        state = self.output / STATE_FILE
        if self.resume and not state.is_file():
            raise UserError(f"nothing to resume here: no {STATE_FILE}; start without --resume", path=self.output)
        if self.resume and self.overwrite:
            raise UserError("--resume and --overwrite exclude each other: go on, or start anew?")
        if not (self.resume or self.overwrite) and (state.exists() or (self.output / "best.safetensors").exists()):
            raise UserError(
                "holds a training already; go on with --resume, start anew with --overwrite, or take another --output",
                path=self.output,
            )
        make_folder(self.output)
        return task, config, spec

    def _below(self, weights: Path, file: YamlFile) -> YamlFile:
        """The configuration with the network of the model file `weights` below it."""
        task = task_of_model(weights)
        said = merge(file.values, parse_overrides(self.overrides)).get("task")
        if (self.config is not None or said is not None) and task_of_config(file, self.overrides) is not task:
            other = f"'task: {said}'" if said is not None else "without a task, which is to detect"
            raise UserError(f"is a model that is to {task.name}, but the configuration is one {other}", path=weights)
        return config_from_card(weights, file, self.overrides, task.training)


def _check_backbone(config: AnyConfig) -> None:
    """Miss the backbone's weights before the pictures are decoded."""
    weights = config.model.backbone_weights if isinstance(config.model, BackboneConfig) else None
    if weights is not None and not with_home(weights).is_file():
        raise UserError("no such file; 'model.backbone_weights' names it", path=weights)


def kept_config(output: Path) -> YamlFile | None:
    """The configuration in the state of a training, read without torch; None where there is none."""
    path = output / STATE_FILE
    try:
        with safe_open(path, framework="numpy") as file:
            values = json.loads((file.metadata() or {})[METADATA_KEY])["run"]["config"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None  # told when the state is loaded
    return YamlFile(values, path) if isinstance(values, dict) else None


def _check_val(spec: DatasetSpec) -> None:
    """Refuse a validation split under another name: it would be left unused, and no epoch would be measured."""
    other = spec.misnamed_val()
    if other is not None:
        raise UserError(f"there is no split 'val', but '{other}': rename it to 'val'", path=spec.path)


class QuietDisplay:
    """Shows nothing."""

    @contextmanager
    def loading(self) -> Iterator[Callable[[int, int], None]]:
        """Ignore."""
        yield lambda done, total: None

    def training(self) -> AbstractContextManager[None]:
        """Ignore."""
        return nullcontext()

    def begin(self, *_: Any, **__: Any) -> None:
        """Ignore."""

    expect = end = note = epoch_begins = batch_done = epoch_ends = begin


def train(
    request: TrainRequest,
    show: Callable[[Task, bool], TrainingDisplay] = lambda task, first: QuietDisplay(),
    began: float | None = None,
) -> TrainResult:
    """Train, alone or as one of torchrun's processes.

    Args:
        request: what was asked.
        show: (task, whether this is the first process) → what shows how it goes.
        began: when the command began, of `time.perf_counter`: a time budget counts from there; None: now.

    Raises:
        UserError: anything wrong with data or configuration; another training writes to the output folder.
    """
    task, config, spec = request.check()
    from lightdet.training.distributed import is_first_process  # noqa: PLC0415 - torch, now that all is checked
    from lightdet.training.folder_lock import folder_lock  # noqa: PLC0415

    with folder_lock(request.output) if is_first_process() else nullcontext():
        return _train(request, task, config, spec, show, began)


def _train(
    request: TrainRequest,
    task: Task,
    config: Any,
    spec: DatasetSpec,
    show: Callable[[Task, bool], TrainingDisplay],
    began: float | None,
) -> TrainResult:
    import torch  # noqa: PLC0415

    from lightdet.assembly.computing import probed_speed  # noqa: PLC0415
    from lightdet.models.device import choose_device  # noqa: PLC0415
    from lightdet.training.checkpoint import load_state  # noqa: PLC0415
    from lightdet.training.distributed import process_group  # noqa: PLC0415
    from lightdet.training.interrupt import stop_on_signal  # noqa: PLC0415
    from lightdet.training.reporting import SilentReporter  # noqa: PLC0415

    output, state = request.output, load_state(request.output) if request.resume else None
    if state is not None:
        asked = request.asked(YamlFile(state.run["config"], output / STATE_FILE))
        config = config_to_resume(task, state, output, asked, request.overrides)
    _check_teacher(config)
    device = choose_device(request.device)
    with process_group(device.type) as processes, stop_on_signal() as stop:
        if device.type == "cuda" and processes.count > 1:
            device = torch.device("cuda", processes.local_rank)
        display = show(task, processes.is_first)
        with display.loading() as progress:
            on_error: OnError = "skip" if request.skip_broken else "fail"
            data = task.training.training_data(config, spec, on_error=on_error, progress=progress)
        if config.train.minutes is not None and processes.count > 1:
            raise UserError("train.minutes works in a single process; give --epochs to torchrun")
        fingerprint = task.training.messages().fingerprint(data)
        run = {"config": config.model_dump(mode="json"), "data": fingerprint, "names": list(data.names)}
        if state is not None:
            check_same_data(task, state, run, output)
        display.begin(config, data, device, output, resumed=state)
        for note in spec.left_out():
            display.note(note)
        with display.training() if processes.is_first else nullcontext():
            trainer = task.training.trainer(
                config,
                data,
                folder=output,
                device=device,
                bit_depth=spec.bit_depth,
                run=run,
                processes=processes,
                reporter=display if processes.is_first else SilentReporter(),
                stop=stop,
                resume=state,
                began=began,
                callbacks=request.callbacks,
                **({} if request.weights is None else {"start": request.weights}),
            )
            if state is None:
                display.expect(config, data, output, probed_speed(run, config.imgsz), from_scratch(config, run))
            reached = trainer.fit()
    values = summary(reached, data)
    if processes.is_first and request.json is not None:
        write_json(request.json, values)
    display.end(reached, data, output)
    return TrainResult(output, reached, stop.requested and not reached.done, values)


def from_scratch(config: AnyConfig, run: Mapping[str, Any]) -> bool:
    """Whether a training begins without any trained weights; `run` holds its facts."""
    return run.get(START) == CHANCE and getattr(config.model, "backbone_weights", None) is None


def _check_teacher(config: AnyConfig) -> None:
    """Say that a teacher is missing before all pictures are read."""
    teacher = getattr(config.train, "distill", None)
    if teacher is not None and Path(teacher).is_dir():
        raise UserError("is a folder; train.distill names a trained model (.safetensors) to learn from", path=teacher)
    if teacher is not None and not Path(teacher).is_file():
        raise UserError("no such file; train.distill names a trained model (.safetensors) to learn from", path=teacher)


def summary(progress: Progress, data: Any) -> dict[str, Any]:
    """The result as plain values: last and best metrics, speed, and what was skipped."""
    return {
        "last": progress.last_metrics,
        "best": progress.best_metrics,
        "best_epoch": progress.best_epoch,
        "epochs": progress.epoch,
        "finished": progress.done,
        "minutes": progress.seconds / 60,
        "images_per_second": progress.images / progress.seconds if progress.seconds else None,
        "seconds": {name: round(value, 3) for name, value in progress.time.items()},
        "train_pictures": len(data.train),
        "val_pictures": len(data.val) if data.val else 0,
        "skipped": [str(error) for error in data.skipped],
    }
