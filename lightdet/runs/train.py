"""From a data set to a trained model: checked before torch is imported, to report mistakes at once; then run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from safetensors import SafetensorError, safe_open

from lightdet.assembly.fine_tuning import config_from_card
from lightdet.assembly.starting import CHANCE, start_of
from lightdet.assembly.starting import FACT as START
from lightdet.config import BackboneConfig, YamlFile, load_yaml, parse_overrides
from lightdet.config.yaml_file import merge
from lightdet.data.spec import DatasetSpec
from lightdet.errors import UserError
from lightdet.files import make_folder, with_home, write_json
from lightdet.missing import require_file
from lightdet.options.train import TrainOptions, flat
from lightdet.runs.relaunch import begin, continued
from lightdet.runs.resume import STATE_FILE, check_same_data, config_to_resume, facts_of_data
from lightdet.runs.stand_in import StandIn
from lightdet.runs.trained_on import add_trained_on, digests_of, write_trained_on
from lightdet.runs.training_sets import forgotten, keeps, old_model, stands_in, training_set
from lightdet.storage.kept import local_file
from lightdet.tasks import AnyConfig, Task, task_of_config, task_of_model
from lightdet.training.callbacks.base import check_callbacks
from lightdet.training.result import TrainResult

if TYPE_CHECKING:
    import torch

    from lightdet.training.checkpoint import Progress, TrainingState
    from lightdet.training.trainer import Trainer

METADATA_KEY = "lightdet_training"  # of lightdet.training.checkpoint, whose import would bring torch


class TrainingDisplay(Protocol):
    """Shows a training's progress; also a `lightdet.training.reporting.Reporter`."""

    def loading(self) -> AbstractContextManager[Callable[[int, int], None]]:
        """While pictures are read: gives a function to call with (pictures done, total)."""
        ...

    def begin(
        self, config: Any, data: Any, device: torch.device, output: Path, *, resumed: TrainingState | None
    ) -> None:
        """Data and configuration are loaded."""
        ...

    def expect(
        self, config: Any, data: Any, per_epoch: int, output: Path, speed: float | None, from_scratch: bool
    ) -> None:
        """Expected steps and time, from the pictures of an epoch and the probe's `speed`, in pictures per second."""
        ...

    def training(self) -> AbstractContextManager[None]:
        """While the network trains."""
        ...

    def end(self, progress: Progress, data: Any, output: Path) -> None:
        """It ended, complete or interrupted."""
        ...

    def note(self, text: str) -> None:
        """A line for the user."""
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


def check(options: TrainOptions) -> tuple[Task, AnyConfig, DatasetSpec]:
    """Read the configuration and the data set's YAML and check the output folder.

    Raises:
        UserError: anything wrong with them.
    """
    check_callbacks(options.callbacks)
    output, resume = Path(options.output), options.resume
    if options.weights is not None and resume:
        raise UserError("--resume continues with its own weights; leave out --weights, or --resume")
    file = _file(options)
    if options.weights is not None:
        file = _below(Path(options.weights), file, options)
    if resume and options.config is None:
        file = (kept_config(output) or YamlFile({})).over(changed(options.changes))
    settings = options.settings()
    task = task_of_config(file, settings)
    config = task.configuration(file, settings)
    _check_backbone(config)
    if not resume:
        start_of(config, None if options.weights is None else Path(options.weights))
    kept = (kept_run(output) or {}).get("names", ()) if resume and keeps(config) else ()
    spec = training_set(options, task, config, kept)
    _check_output(output, resume=resume, overwrite=options.overwrite)
    return task, config, spec


def changed(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `changes`, sections or dotted keys (``{"train.lr": 0.005}``), as nested mappings of plain values."""
    values: dict[str, Any] = {}
    for key, value in flat(changes):
        nested: Any = _plain(value)
        for part in reversed(key.split(".")):
            nested = {part: nested}
        values = merge(values, nested)
    return values


def _plain(value: Any) -> Any:
    """As a YAML value."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _check_output(output: Path, *, resume: bool, overwrite: bool) -> None:
    state = output / STATE_FILE
    if resume and not state.is_file():
        raise UserError(f"nothing to resume here: no {STATE_FILE}; start without --resume", path=output)
    if resume and overwrite:
        raise UserError("--resume and --overwrite exclude each other: continue, or start again?")
    if not (resume or overwrite) and (state.exists() or (output / "best.safetensors").exists()):
        way = "continue it with --resume, " if state.exists() else ""
        raise UserError(
            f"already holds a training; {way}replace it with --overwrite, or use another --output", path=output
        )
    make_folder(output)


def _file(options: TrainOptions) -> YamlFile:
    """The configuration file, or only defaults, with the changes applied."""
    return (load_yaml(options.config) if options.config else YamlFile({})).over(changed(options.changes))


def _asked(options: TrainOptions, kept: YamlFile) -> YamlFile | None:
    """The settings for a resumed training, whose configuration is `kept`; None: nothing new."""
    if options.config is not None:
        return _file(options)
    return kept.over(changed(options.changes)) if options.changes else None


def _below(weights: Path, file: YamlFile, options: TrainOptions) -> YamlFile:
    """The configuration with the network of the model file `weights` below it."""
    task, settings = task_of_model(weights), options.settings()
    said = merge(file.values, parse_overrides(settings)).get("task")
    if (options.config is not None or said is not None) and task_of_config(file, settings) is not task:
        other = f"'task: {said}'" if said is not None else "without a task, which is to detect"
        raise UserError(f"is a model that is to {task.name}, but the configuration is one {other}", path=weights)
    return config_from_card(weights, file, settings, task.training)


def _check_backbone(config: AnyConfig) -> None:
    """Report missing backbone weights before the pictures are decoded."""
    weights = config.model.backbone_weights if isinstance(config.model, BackboneConfig) else None
    if weights is not None:
        require_file(with_home(weights), note="; 'model.backbone_weights' names it")


def kept_config(output: Path) -> YamlFile | None:
    """The configuration in the state of a training, read without torch; None if there is none."""
    values = (kept_run(output) or {}).get("config")
    return YamlFile(values, output / STATE_FILE) if isinstance(values, dict) else None


def kept_run(output: Path) -> dict[str, Any] | None:
    """The facts in the state of a training, read without torch; None if there are none."""
    try:
        with safe_open(output / STATE_FILE, framework="numpy") as file:
            values = json.loads((file.metadata() or {})[METADATA_KEY])["run"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None  # told when the state is loaded
    return values if isinstance(values, dict) else None


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
    options: TrainOptions,
    show: Callable[[Task, bool], TrainingDisplay] = lambda task, first: QuietDisplay(),
    began: float | None = None,
) -> TrainResult:
    """Train, alone or as one of torchrun's processes.

    Args:
        options: the options of the verb.
        show: (task, whether this is the first process) → the display.
        began: when the command started, by `time.perf_counter`: a time budget counts from there; None: now.

    Raises:
        UserError: anything wrong with data or configuration; another training writes to the output folder.
    """
    options = continued(options)
    task, config, spec = check(options)
    from lightdet.training.distributed import is_first_process  # noqa: PLC0415 - torch, now that all is checked
    from lightdet.training.folder_lock import folder_lock  # noqa: PLC0415

    with folder_lock(Path(options.output)) if is_first_process() else nullcontext():
        return _train(options, task, config, spec, show, began)


def _train(
    options: TrainOptions,
    task: Task,
    config: Any,
    spec: DatasetSpec,
    show: Callable[[Task, bool], TrainingDisplay],
    began: float | None,
) -> TrainResult:
    import torch  # noqa: PLC0415

    from lightdet.assembly.trainer import RunContext  # noqa: PLC0415
    from lightdet.models.device import choose_device  # noqa: PLC0415
    from lightdet.training.checkpoint import load_state  # noqa: PLC0415
    from lightdet.training.distributed import process_group  # noqa: PLC0415
    from lightdet.training.interrupt import stop_on_signal  # noqa: PLC0415
    from lightdet.training.reporting import SilentReporter  # noqa: PLC0415

    output = Path(options.output)
    state = load_state(output) if options.resume else None
    if state is not None:
        asked = _asked(options, YamlFile(state.run["config"], output / STATE_FILE))
        config = config_to_resume(task, state, output, asked, options.settings())
    _check_teachers(config)
    device = choose_device(options.device)
    with process_group(device.type) as processes, stop_on_signal() as stop:
        if device.type == "cuda" and processes.count > 1:
            device = torch.device("cuda", processes.local_rank)
        display = show(task, processes.is_first)
        complete = _completed_by(options, config, spec, resumed=state is not None, first=processes.is_first)
        with display.loading() as progress:
            more = {"progress": progress, "complete": complete}
            data = task.training.training_data(config, spec, on_error=options.on_error, **more)
        if config.train.minutes is not None and processes.count > 1:
            raise UserError("train.minutes works in a single process; give --epochs to torchrun")
        digests = digests_of(data)
        about = facts_of_data(task, data, digests)
        run = {"config": config.model_dump(mode="json"), "data": about, "names": list(data.names)}
        if state is not None:
            check_same_data(task, state, run, output)
        display.begin(config, data, device, output, resumed=state)
        for note in [*spec.remarks(), *data.notes, *forgotten(options, config, spec)]:
            display.note(note)
        with display.training() if processes.is_first else nullcontext():
            reporter = display if processes.is_first else SilentReporter()
            hooks, listed = options.callbacks, partial(add_trained_on, output, digests)
            context = RunContext(output, device, reporter, run, processes, stop, state, True, began, hooks, listed)
            start = None if options.weights is None else Path(options.weights)
            trainer = task.training.trainer(config, data, context, bit_depth=spec.bit_depth, start=start)
            if state is None:
                _expect(display, config, data, trainer, output, run)
            if processes.is_first:
                begin(output, resumed=state is not None)
            reached = trainer.fit()
    values = summary(reached, data)
    if processes.is_first:
        _write_about(options, digests if reached.done else None, values)
    display.end(reached, data, output)
    return TrainResult(output, reached, stop.requested and not reached.done, values)


def _expect(
    display: TrainingDisplay, config: Any, data: Any, trainer: Trainer, output: Path, run: Mapping[str, Any]
) -> None:
    from lightdet.assembly.computing import probed_speed  # noqa: PLC0415

    speed = probed_speed(run, config.imgsz)
    display.expect(config, data, trainer.loader.per_epoch, output, speed, from_scratch(config, run))


def _write_about(options: TrainOptions, digests: Mapping[str, Sequence[str]] | None, values: dict[str, Any]) -> None:
    """Write what a training reached, and the `digests` of what all its models have learned from, if it has ended."""
    if digests is not None:
        write_trained_on(Path(options.output), digests)
    if options.json is not None:
        write_json(Path(options.json), values)


def _completed_by(options: TrainOptions, config: Any, spec: DatasetSpec, *, resumed: bool, first: bool) -> StandIn:
    """What completes the labels of a training where a class is not labelled."""
    model = old_model(options, config) if stands_in(config) and not resumed else None
    return StandIn(spec, Path(options.output), model, options.device, resumed=resumed, writes=first)


def from_scratch(config: AnyConfig, run: Mapping[str, Any]) -> bool:
    """Whether a training starts without any trained weights; `run` holds its facts."""
    return run.get(START) == CHANCE and getattr(config.model, "backbone_weights", None) is None


def _check_teachers(config: AnyConfig) -> None:
    """Report a missing teacher before all pictures are read."""
    for path in getattr(config.train, "teachers", ()):
        require_file(local_file(path), note="; train.distill names a trained model (.safetensors) to learn from")


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
        "notes": list(data.notes),
        "skipped": [str(error) for error in data.skipped],
    }
