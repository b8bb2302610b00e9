"""``lightdet compare``: several detectors, or several classifiers, the same data and training, one page."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightdet.cli.common import (
    Data,
    DataRoot,
    Device,
    Epochs,
    Json,
    OnError,
    OnErrorOption,
    Output,
    TrainBatch,
    TrainImgsz,
)

if TYPE_CHECKING:
    from lightdet.runs.compare.request import CompareRequest

MODEL_ENDINGS = (".yaml", ".yml", ".safetensors")


class Take(StrEnum):
    """Which weights of a training count."""

    last = "last"
    best = "best"


def compare(
    context: typer.Context,
    data: Data,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]MODEL|KEY.PATH=VALUE",
            help="Configurations (.yaml) to train, trained models (.safetensors), and values for all configurations.",
        ),
    ] = None,
    config: Annotated[
        list[str] | None, typer.Option("--config", "-c", metavar="[NAME=]FILE", help="One more configuration to train.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option("--weights", "-w", metavar="[NAME=]FILE", help="One more trained model; same NAME: one more run."),
    ] = None,
    predictions: Annotated[
        list[str] | None,
        typer.Option("--predictions", metavar="[NAME=]FILE", help="Detections from elsewhere as COCO JSON: one row."),
    ] = None,
    model_list: Annotated[
        Path | None, typer.Option("--models", metavar="FILE", help="YAML list of models with settings of their own.")
    ] = None,
    seeds: Annotated[
        list[str] | None,
        typer.Option("--seeds", metavar="S,S,…", help="Seeds to train each configuration with (0,1,2 or 0 1 2)."),
    ] = None,
    seeds_for: Annotated[
        list[str] | None, typer.Option("--seeds-for", metavar="NAME=S,S,…", help="Other seeds for one configuration.")
    ] = None,
    epochs: Epochs = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0.01, metavar="M", help="Instead of --epochs: each training as many as fit."),
    ] = None,
    imgsz: TrainImgsz = None,
    batch: TrainBatch = None,
    data_root: DataRoot = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="NAME",
            help="Which split to score on (val); of classifiers, all are: which one to show first (test, else val).",
        ),
    ] = None,
    device: Device = "auto",
    together: Annotated[int, typer.Option("--together", min=1, max=64, metavar="N", help="Trainings at a time.")] = 1,
    take: Annotated[Take, typer.Option("--take", help="Weights of the last epoch, or of the one that scored best.")] = (
        Take.last
    ),
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Train what is missing, or write the page of what there is.")
    ] = True,
    pictures: Annotated[
        int, typer.Option("--pictures", min=0, max=100, metavar="N", help="Pictures to show side by side.")
    ] = 6,
    runs: Annotated[int, typer.Option("--runs", min=1, max=100_000, metavar="N", help="Pictures timed a model.")] = 50,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, max=1024, metavar="N", help="Threads on the CPU for the timing.")
    ] = None,
    output: Output = Path("runs/compare"),
    on_error: OnErrorOption = OnError.fail,
    json: Json = None,
) -> None:
    """Train, score and time several detectors, or classifiers, alike: comparison.html, .md, .json and tables/*.csv.

    The same command goes on where an interrupted comparison stood, and takes in models and seeds that are new.
    Exit code 1 if a training failed: the others are compared, and the page says why.
    """
    from lightdet.runs.compare.request import CompareRequest

    files, overrides, numbers = _sort(models or [])
    wanted = _seeds(seeds, numbers)
    flags = {"imgsz": imgsz, "train.batch": batch, "train.epochs": epochs, "train.minutes": minutes}
    request = CompareRequest(
        data=data,
        output=output,
        launcher="lightdet.cli.stop_with_parent",
        models=files,
        configs=config or (),
        weights=weights or (),
        predictions=predictions or (),
        model_list=model_list,
        overrides=[*(f"{key}={value}" for key, value in flags.items() if value is not None), *overrides],
        seeds=wanted,
        seeds_for=seeds_for or (),
        data_root=data_root,
        split=split or "",
        device=device,
        together=together,
        take=take.value,
        train=train,
        pictures=pictures,
        profile_runs=runs,
        threads=threads,
        skip_bad=on_error is OnError.skip,
        json=json,
        command=_command(context, [*files, *overrides], wanted),
    )
    _run(request)


def _run(request: CompareRequest) -> None:
    from lightdet.assembly.dataset import load_dataset
    from lightdet.runs.compare.request import entries_of, task_of_entries
    from lightdet.tasks import task_of_dataset

    # Before torch is imported, which takes seconds: most mistakes are told at once.
    task = task_of_entries(entries_of(request))
    spec = load_dataset(request.data, request.data_root)
    if task is None:  # loading the weights says what is wrong with them
        task = task_of_dataset(spec)
    spec.split(request.split or task.comparing.default_split(spec))

    from lightdet.cli.compare_display import CompareDisplay
    from lightdet.runs.compare.run import ModelComparison

    comparison = ModelComparison(request, task)
    display = CompareDisplay()
    with display.working():
        outcome = comparison.run(display)
    display.end(outcome)
    if outcome.problems:
        raise typer.Exit(1)


def _sort(texts: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Files, overrides and bare numbers (seeds) among the arguments."""
    files, overrides, numbers = [], [], []
    for text in texts:
        key, equals, value = text.partition("=")
        if text.isascii() and text.isdecimal() and not Path(text).exists():
            numbers.append(text)
        elif equals and not Path(text).exists() and ("." in key or not value.lower().endswith(MODEL_ENDINGS)):
            overrides.append(text)
        else:
            files.append(text)
    return files, overrides, numbers


def _seeds(given: list[str] | None, numbers: list[str]) -> tuple[int, ...]:
    """``--seeds 0 1 2``: the numbers after the first come as arguments."""
    from lightdet.errors import UserError
    from lightdet.runs.compare.request import parse_seeds

    if numbers and not given:
        raise UserError(f"'{numbers[0]}' is neither a file nor KEY.PATH=VALUE; seeds stand after --seeds")
    found = parse_seeds([*(given or []), *numbers])
    if given and not found:
        raise UserError("--seeds: give whole numbers, such as 0,1,2")
    return found or (0,)


def _command(context: typer.Context, words: list[str], seeds: tuple[int, ...]) -> str:
    """The command as it could be typed: what was given, not what was left at its default."""
    words = ["lightdet", "compare", *words]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.name in ("models", "seeds") or value in (None, [], ()) or value == parameter.default:
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, bool):
                words.append(parameter.opts[0] if each else parameter.secondary_opts[0])
            else:
                words += [parameter.opts[0], str(each)]
    return shlex.join([*words, *(["--seeds", ",".join(map(str, seeds))] if context.params["seeds"] else [])])
