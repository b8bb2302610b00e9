"""What ``lightdet train`` does once its flags are read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import typer
from rich.console import Console

from lightdet.assembly.computing import probed_speed
from lightdet.assembly.starting import CHANCE
from lightdet.assembly.starting import FACT as START
from lightdet.cli.train_display import TrainDisplay
from lightdet.cli.train_kinds import kind_of
from lightdet.cli.train_request import TrainRequest
from lightdet.config import YamlFile
from lightdet.config.classification import ClassifyConfig, TorchvisionClassifierConfig
from lightdet.data.dataset import DatasetSpec
from lightdet.errors import UserError
from lightdet.files import write_json
from lightdet.models.device import choose_device
from lightdet.tasks import AnyConfig
from lightdet.training.checkpoint import STATE_FILE, Progress, TrainingState, load_state
from lightdet.training.distributed import is_first_process, process_group
from lightdet.training.folder_lock import folder_lock
from lightdet.training.interrupt import StopRequest, stop_on_signal
from lightdet.training.reporting import SilentReporter
from lightdet.training.trainer import LAST_FILE
from lightdet.wording import counted

# What may differ when a training is resumed: it changes speed, and no result by more than rounding (threads).
FREE_ON_RESUME = ("workers", "threads", "cache", "cache_mib", "probe")


def run_training(request: TrainRequest, config: AnyConfig, spec: DatasetSpec, began: float) -> None:
    """Train, alone or as one of torchrun's processes; ends with exit code 130 after a Ctrl-C.

    Args:
        began: when the command began, of `time.perf_counter`: a time budget counts from there.

    Raises:
        UserError: another training writes to the output folder, or anything wrong with data or configuration.
    """
    with folder_lock(request.output) if is_first_process() else nullcontext():
        _train(request, config, spec, began)


def _train(request: TrainRequest, config: AnyConfig, spec: DatasetSpec, began: float) -> None:
    state = load_state(request.output) if request.resume else None
    if state is not None:
        config = config_to_resume(request, state, config)
    _check_teacher(config)
    device = choose_device(request.device)
    with process_group(device.type) as processes, stop_on_signal() as stop:
        if device.type == "cuda" and processes.count > 1:
            device = torch.device("cuda", processes.local_rank)
        kind = kind_of(config)
        display = TrainDisplay(Console(quiet=not processes.is_first), kind)
        with display.loading() as progress:
            data = kind.load(config, spec, on_error="skip" if request.skip_broken else "fail", progress=progress)
        if config.train.minutes is not None and processes.count > 1:
            raise UserError("train.minutes works in a single process; give --epochs to torchrun")
        run = {"config": config.model_dump(mode="json"), "data": kind.fingerprint(data), "names": list(data.names)}
        if state is not None:
            _check_same_data(state, run, request.output, kind.compared)
        display.begin(config, data, device, request.output, resumed=state)
        for note in spec.left_out():
            display.note(note)
        with display.training() if processes.is_first else nullcontext():
            trainer = kind.build(
                config,
                data,
                folder=request.output,
                device=device,
                bit_depth=spec.bit_depth,
                run=run,
                processes=processes,
                reporter=display if processes.is_first else SilentReporter(),
                stop=stop,
                resume=state,
                began=began,
                **({} if request.weights is None else {"start": request.weights}),  # refused for classifiers
            )
            if state is None:
                display.expect(config, data, request.output, probed_speed(run, config.imgsz), from_scratch(config, run))
            progress_made = trainer.fit()
    _finish(request, display, progress_made, data, stop, is_first=processes.is_first)


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


def config_to_resume(request: TrainRequest, state: TrainingState, config: AnyConfig) -> AnyConfig:
    """The configuration that a training was started with; `config` and flags may repeat it, not change it.

    Raises:
        UserError: the training has ended, or something differs that would change its results.
    """
    kept = YamlFile(state.run["config"], request.output / STATE_FILE)
    read = kind_of(config).read
    before = read(kept, ())
    if state.progress.done:
        raise UserError(
            f"this training has ended after {_counted_epochs(state, before)}, so there is nothing to resume; "
            f"{_way_on(request.output, before)}",
            path=request.output,
        )
    base = request.file() if request.config else kept
    wanted = read(base, request.overrides)
    for key, old, new in _differences(before.model_dump(), wanted.model_dump()):
        # With a time budget the epochs were worked out when the training began.
        if key.removeprefix("train.") in FREE_ON_RESUME or (key == "train.epochs" and wanted.train.minutes):
            continue
        raise UserError(
            f"--resume goes on with what the training was started with: {key} was {old}, now {new}; "
            "leave it out, or train into another --output"
        )
    free = {name: getattr(wanted.train, name) for name in FREE_ON_RESUME}
    resumed: AnyConfig = before.model_copy(update={"train": before.train.model_copy(update=free)})
    return resumed


def _way_on(output: Path, config: AnyConfig) -> str:
    """How to train longer. Not by resuming: the learning rate has come down, and has to rise again."""
    last = output / LAST_FILE
    if not isinstance(config, ClassifyConfig):
        return f"to train on, begin another with its weights: --weights {last} --output ANOTHER"
    if isinstance(config.model, TorchvisionClassifierConfig):
        return f"to train on, begin another with its weights: model.pretrained={last} --output ANOTHER"
    return "to train longer, begin anew with more --epochs and --overwrite, or with another --output"


def _counted_epochs(state: TrainingState, config: AnyConfig) -> str:
    if config.train.minutes is not None:
        return f"{counted(state.progress.epoch, 'epoch')} in its {config.train.minutes:g} minutes"
    return f"{state.progress.epoch} of {config.train.epochs} epochs"


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    found = []
    for key, value in old.items():
        other = new.get(key)  # another network has other keys; its name, which comes first, differs as well
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            found += _differences(value, other, f"{prefix}{key}.")
        elif value != other:
            found.append((f"{prefix}{key}", value, other))
    return found


def _check_same_data(state: TrainingState, run: Mapping[str, Any], output: Path, compared: str) -> None:
    for key, what in (("names", "classes"), ("data", compared)):
        if state.run.get(key) != run[key]:
            raise UserError(
                f"the data set has other {what} than when this training began; it cannot go on", path=output
            )


def _finish(
    request: TrainRequest,
    display: TrainDisplay,
    progress: Progress,
    data: Any,
    stop: StopRequest,
    *,
    is_first: bool,
) -> None:
    if is_first and request.json is not None:
        write_json(request.json, summary(progress, data))
    display.end(progress, data, request.output)
    if stop.requested and not progress.done:
        raise typer.Exit(130)


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
