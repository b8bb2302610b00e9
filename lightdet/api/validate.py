"""``lightdet.validate`` and ``lightdet.calibrate``: what a model is worth on pictures whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lightdet.api.arguments import AnyPath, OnError, as_path, at_least, maybe_path, one_of, several, skips
from lightdet.display.progress import Bar
from lightdet.errors import UserError
from lightdet.runs.calibrate import Calibrated, Calibration, CalibrationRequest
from lightdet.runs.validate import Outcome, Validation, ValRequest

Precision = Literal["fp32", "bf16", "fp16"]
PRECISIONS = ("fp32", "bf16", "fp16")


def validate(
    model: AnyPath,
    data: AnyPath,
    *,
    split: str = "val",
    imgsz: int | None = None,
    batch: int | None = None,
    device: str = "auto",
    precision: Precision | None = None,
    threads: int | None = None,
    agnostic: bool = False,
    output: AnyPath | None = None,
    pictures: int = 8,
    data_root: AnyPath | None = None,
    on_error: OnError = "fail",
    progress: bool = True,
) -> Outcome:
    """Evaluate a detector or a classifier on a data set, as ``lightdet val`` does, and write a report.

    >>> report = lightdet.validate("best.safetensors", "mine.yaml", output="report")
    >>> 0 <= report.metrics.map50 <= 1, report.html.name
    (True, 'report.html')

    Args:
        model: a trained model or an export.
        data: the data set, a YAML file.
        split: which part of it.
        imgsz: side of the network input in pixels, a multiple of 32; by default the model's.
        batch: pictures per batch, at least 1.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        precision: number format; by default fp32, or what an export was made for.
        threads: of the processor; by default what the runtime chooses.
        agnostic: of a detector, boxes of different classes suppress each other, too.
        output: folder of the report; by default a fresh one: runs/val, runs/val-2, …
        pictures: worst misses and worst false alarms to show, 0 to 200.
        data_root: where the data set lies; replaces its YAML's root.
        on_error: of a bad picture or label: ``fail``, or ``skip`` and list it.
        progress: show a bar.

    Returns:
        The evaluation: ``metrics`` (of a detector ``map50``, ``map50_95``, …, each in [0, 1]; of a classifier
        ``accuracy``, … with ``value``, ``low`` and ``high``), ``html`` and ``json`` (files), ``to_dict()``.

    Raises:
        UserError: a file that cannot be read, a model with other classes than the data set, a value out of range.
    """
    at_least(1, batch=batch)
    at_least(0, pictures=pictures)
    if precision is not None:
        one_of(precision, PRECISIONS, "precision")
    validation = Validation(
        ValRequest(
            data=as_path(data, "data"),
            weights=as_path(model, "model"),
            split=split,
            data_root=maybe_path(data_root, "data_root"),
            imgsz=imgsz,
            batch=batch,
            device=device,
            precision=precision,
            threads=threads,
            agnostic=agnostic or None,
            output=maybe_path(output, "output"),
            pictures=pictures,
            skip_bad=skips(on_error),
        )
    )
    with Bar("evaluate", shown=progress) as bar:
        return validation.run(bar)


def calibrate(
    model: AnyPath,
    data: AnyPath,
    *,
    escape_rate: float | None = None,
    false_reject_rate: float | None = None,
    confidence: float = 0.95,
    per_class: bool = False,
    min_size: float = 0.0,
    bad: str | Sequence[str] = (),
    split: str = "val",
    imgsz: int | None = None,
    batch: int | None = None,
    device: str = "auto",
    output: AnyPath | None = None,
    data_root: AnyPath | None = None,
    on_error: OnError = "fail",
    progress: bool = True,
) -> Calibrated:
    """Choose the threshold from which a part is NG, so that a rate is kept, as ``lightdet calibrate`` does.

    The rule is written into the model file; what `lightdet.load` gives then decides by it.

    >>> calibrated = lightdet.calibrate("best.safetensors", "mine.yaml", false_reject_rate=0.9, output="ng.safetensors")
    >>> calibrated.written.name, 0 <= calibrated.rule.threshold <= 1
    ('ng.safetensors', True)

    Args:
        model: a trained model (.safetensors).
        data: the data set, a YAML file; pictures that the model was not trained on.
        escape_rate: largest share of bad parts that pass, in (0, 1); or
        false_reject_rate: largest share of good parts that are rejected, in (0, 1).
        confidence: of the promise, in (0, 1).
        per_class: a threshold for each class, with `escape_rate`.
        min_size: of a detector, shortest defect that counts, in pixels of the picture.
        bad: of a classifier, the classes of bad parts; by default as the data set, or their names, say.
        split: which part of the data set.
        imgsz: side of the network input in pixels, a multiple of 32; by default the model's.
        batch: pictures per batch, at least 1.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        output: the model file to write; by default `model` itself.
        data_root: where the data set lies; replaces its YAML's root.
        on_error: of a bad picture or label: ``fail``, or ``skip``.
        progress: show a bar.

    Returns:
        ``rule``, ``record`` (plain values: what it promises and rests on), ``judgement``, ``written`` (the model file).

    Raises:
        UserError: neither or both rates; the promise cannot be given with these pictures or this model.
    """
    if (escape_rate is None) == (false_reject_rate is None):
        raise UserError("give either escape_rate or false_reject_rate, such as escape_rate=0.01")
    at_least(1, batch=batch)
    at_least(0, escape_rate=escape_rate, false_reject_rate=false_reject_rate, confidence=confidence, min_size=min_size)
    calibration = Calibration(
        CalibrationRequest(
            data=as_path(data, "data"),
            kind="escape_rate" if false_reject_rate is None else "false_reject_rate",
            target=float(escape_rate or false_reject_rate or 0.0),
            weights=as_path(model, "model"),
            confidence=confidence,
            per_class=per_class,
            min_size=min_size,
            split=split,
            data_root=maybe_path(data_root, "data_root"),
            imgsz=imgsz,
            batch=batch,
            device=device,
            output=maybe_path(output, "output"),
            skip_bad=skips(on_error),
            bad=tuple(several(bad, "bad")),
        )
    )
    with Bar("evaluate", shown=progress) as bar:
        return calibration.run(bar)
