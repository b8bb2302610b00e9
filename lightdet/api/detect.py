"""``lightdet.detect`` and ``lightdet.explain``: pictures through a model, into files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lightdet.api.arguments import AnyPath, OnError, as_path, at_least, maybe_path, several, skips
from lightdet.display.detecting import DetectBar
from lightdet.display.progress import Bar
from lightdet.errors import UserError
from lightdet.explaining.answers import ExplainRequest
from lightdet.inference.save import Format
from lightdet.runs.detect import Detection, DetectRequest, Outcome, check_any_read
from lightdet.runs.explain import Explained, ExplainRun


def detect(
    sources: AnyPath | Sequence[AnyPath],
    model: AnyPath,
    *,
    imgsz: int | None = None,
    confidence: float | None = None,
    iou: float | None = None,
    agnostic: bool = False,
    max_detections: int | None = None,
    device: str = "auto",
    precision: Literal["fp32", "bf16", "fp16"] | None = None,
    threads: int | None = None,
    batch: int | None = None,
    tile: int | None = None,
    overlap: float | None = None,
    rect: bool = False,
    recursive: bool = False,
    max_frames: int | None = None,
    save: Format | Sequence[Format] = (),
    output: AnyPath | None = None,
    overwrite: bool = False,
    images: bool = True,
    explain: bool = False,
    on_error: OnError = "fail",
    progress: bool = True,
) -> Outcome:
    """Put pictures, folders, videos or streams through a model and write what it finds, as ``lightdet detect`` does.

    For one picture at a time, and pictures in memory: ``lightdet.load(model)(picture)``.

    >>> done = lightdet.detect("part.png", "best.safetensors", save="json", output="found", progress=False)
    >>> done.totals.pictures, (done.folder / "detections.json").is_file()
    (1, True)

    Args:
        sources: one or several: pictures, folders, globs, .txt lists, videos, a camera's number, RTSP or HTTP URLs.
        model: a trained model or an export.
        imgsz: side of the network input in pixels, a multiple of 32; by default the model's.
        confidence: of a detector, lowest score reported, in [0, 1]; by default 0.25, or what the model's rule counts.
        iou: of a detector, NMS threshold in [0, 1].
        agnostic: of a detector, boxes of different classes suppress each other, too.
        max_detections: of a detector, most boxes per picture, at least 1.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        precision: number format; by default fp32, or what an export was made for.
        threads: of the processor.
        batch: pictures per batch, at least 1.
        tile: of a detector, look at tiles of this side in pixels, at least 32.
        overlap: least overlap of tiles as a share of their side, in [0, 0.9]; by default 0.2.
        rect: of a detector, letterbox long pictures to rectangles.
        recursive: look into sub-folders of folders.
        max_frames: most frames of each video or stream.
        save: files to write: ``json``, ``csv``, and of a detector ``yolo`` and ``coco``.
        output: folder of the results; by default a fresh one: runs/detect, runs/detect-2, …
        overwrite: replace results that are there.
        images: write marked-up pictures and videos.
        explain: write pictures with the heat of what was found, too.
        on_error: of what cannot be read: ``fail``, or ``skip`` and list it.
        progress: show a bar.

    Returns:
        ``totals`` (counts, times, what was skipped), ``folder``, ``names``, ``decisions`` (OK and NG, with a rule).

    Raises:
        UserError: a source that is not there or cannot be read, results in the way, a value out of range.
    """
    at_least(1, batch=batch, max_frames=max_frames, max_detections=max_detections)
    if overlap is not None and tile is None:
        raise UserError("overlap is that of tiles: give tile as well, such as tile=608")
    detection = Detection(
        DetectRequest(
            sources=[str(each) for each in several(sources, "sources")],
            weights=as_path(model, "model"),
            imgsz=imgsz,
            confidence=confidence,
            iou=iou,
            agnostic=agnostic or None,
            max_detections=max_detections,
            device=device,
            precision=precision,
            threads=threads,
            batch=batch,
            tile=tile,
            overlap=0.2 if overlap is None else overlap,
            rect=rect,
            recursive=recursive,
            max_frames=max_frames,
            formats=tuple(several(save, "save")),
            output=maybe_path(output, "output"),
            overwrite=overwrite,
            images=images,
            skip_bad=skips(on_error),
            explain=explain,
        )
    )
    with DetectBar(detection.sources, shown=progress) as bar:
        detection.run(bar)
    assert detection.outcome is not None  # noqa: S101 - set by every run that comes to its end
    check_any_read(detection.outcome.totals)
    return detection.outcome


def explain(
    sources: AnyPath | Sequence[AnyPath],
    model: AnyPath,
    *,
    class_name: str | None = None,
    box: int | None = None,
    top: int | None = None,
    method: Literal["hires-cam", "grad-cam"] = "hires-cam",
    imgsz: int | None = None,
    confidence: float | None = None,
    iou: float | None = None,
    device: str = "auto",
    recursive: bool = False,
    output: AnyPath | None = None,
    overwrite: bool = False,
    on_error: OnError = "fail",
    progress: bool = True,
) -> Explained:
    """Show where in pictures the evidence lies for what a model reports, as ``lightdet explain`` does.

    >>> why = lightdet.explain("part.png", "best.safetensors", class_name="surface", output="heat")
    >>> why.pictures, why.entries[0]["name"]
    (1, 'surface')

    Args:
        sources: one or several pictures, folders, globs or .txt lists.
        model: a trained model (.safetensors); exports have no gradients.
        class_name: why, or why not, this class; by default what the model reports.
        box: of a detector, why this box, from 1, best score first.
        top: explain at most so many boxes or classes, at least 1.
        method: ``hires-cam`` or ``grad-cam``.
        imgsz: side of the network input in pixels, a multiple of 32; by default the model's.
        confidence, iou: of a detector, lowest score of a box and NMS threshold, in [0, 1].
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        recursive: look into sub-folders of folders.
        output: folder of the overlays; by default a fresh one: runs/explain, runs/explain-2, …
        overwrite: replace overlays that are there.
        on_error: of what cannot be read: ``fail``, or ``skip`` and list it.
        progress: show a bar.

    Returns:
        ``folder``, ``pictures``, ``entries`` (one per overlay, plain values), ``empty`` and ``skipped``.

    Raises:
        UserError: a class or box that is not there, options that exclude each other, a file that cannot be read.
    """
    at_least(1, box=box, top=top)
    run = ExplainRun(
        ExplainRequest(
            sources=[str(each) for each in several(sources, "sources")],
            weights=as_path(model, "model"),
            class_name=class_name,
            box=box,
            top=top,
            method=method,
            imgsz=imgsz,
            confidence=confidence,
            iou=iou,
            device=device,
            recursive=recursive,
            output=maybe_path(output, "output"),
            overwrite=overwrite,
            skip_bad=skips(on_error),
        )
    )
    with Bar("explain", len(run.sources), shown=progress) as bar:
        return run.run(lambda _source: bar.step())
