"""A model file → a predictor, for either task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lightdet.card import peek_model_card
from lightdet.decisions.promise import stored_conditions
from lightdet.decisions.zones import Zones
from lightdet.errors import UserError
from lightdet.inference.open_exported import read_card
from lightdet.missing import require_file
from lightdet.model_kind import is_export
from lightdet.storage.kept import local_file
from lightdet.tasks import Task, task_of_model
from lightdet.wording import counted

if TYPE_CHECKING:
    from lightdet.card import ModelCard
    from lightdet.decisions.conditions import Conditions
    from lightdet.inference.classifier import ClassifierPredictor
    from lightdet.inference.export_card import ExportCard
    from lightdet.inference.predictor import Predictor
    from lightdet.structures import Tiling


NO_TILES = "an overlap needs tiles, and this model looks at whole pictures: give --tile as well, such as --tile 608"
TILING = ("tile", "overlap", "tile_iou", "tile_detections")
"""The conditions of tiles (`lightdet.decisions.conditions.Conditions`)."""


def load(
    path: str | Path,
    *,
    device: str = "cpu",
    imgsz: int | None = None,
    confidence: float | None = None,
    iou: float | None = None,
    max_detections: int | None = None,
    precision: Literal["fp32", "bf16", "fp16"] | None = None,
    threads: int | None = None,
    rect: bool = False,
    agnostic: bool | None = None,
    tile: int | None = None,
    overlap: float | None = None,
    zones: str | Path | Zones | None = None,
    no_promise: bool = False,
) -> Any:
    """Return a predictor for a trained model or an export; only the former needs torch.

    >>> model = lightdet.load("best.safetensors")
    >>> found = model("part.png")
    >>> found.to_dict()["width"], found.plot().size[0], found.decision is None
    (96, 96, True)

    Args:
        path: the model file that training wrote (``best.safetensors``), or an export (``.onnx``, ``.xml``); or its URL.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``; for ``.xml`` OpenVINO's devices: ``cpu``, ``gpu``, ``auto``.
        imgsz: side of the network input, a multiple of 32; default: that of the training or export.
        confidence: for a detector, lowest score reported, in [0, 1]; default: that of the training (0.25) or export,
            or lower if the model's OK/NG rule counts lower scores.
        iou: for a detector, NMS threshold in [0, 1]; default 0.55, or the export's own.
        max_detections: for a detector, most boxes per picture; default 300, or the export's own.
        precision: fp32, bf16 or fp16; default fp32, or the export's own.
        threads: processor threads; default: the runtime's choice.
        rect: for a detector, letterbox to rectangles in multiples of 32 instead of squares.
        agnostic: for a detector, boxes of different classes also suppress each other; default no, or the export's
            own.
        tile: for a detector, split pictures into tiles of this side in pixels; 0: do not; default: as it was trained.
        overlap: smallest overlap of tiles, a share of their side; default: as it was trained, or 0.2.
        zones: for a detector, where to look and what to ignore: a YAML file, or `Zones`; default: everywhere.
        no_promise: for a calibrated model, take the defaults above and judge by its OK/NG rule under any conditions.
            Otherwise the defaults are those of its calibration, and its rule cannot be used with others.

    Returns:
        A `lightdet.Predictor` (a `TiledPredictor` with tiles, a `lightdet.inference.zoned.ZonedPredictor` with zones)
        finds boxes, a `lightdet.ClassifierPredictor` gives each picture a class.

    Raises:
        UserError: a missing, truncated or foreign file, a device that is not there, a value out of range, an option
            that belongs to the other task.
    """
    source = local_file(path)
    _check(source, max_detections, threads)
    boxes: dict[str, Any] = {"confidence": confidence, "iou": iou, "max_detections": max_detections}
    boxes |= {"rect": rect or None, "agnostic": agnostic, "tile": tile, "overlap": overlap, "zones": _read(zones)}
    given = {name: value for name, value in boxes.items() if value is not None}
    task = task_of_model(source)
    task.check_options(given, source)
    given = {**given, "imgsz": imgsz, "precision": precision}
    return _predictor(source, task, given, device=device, threads=threads, no_promise=no_promise)


def _read(zones: str | Path | Zones | None) -> Zones | None:
    if not isinstance(zones, str | Path):
        return zones
    from lightdet.assembly.zones import read_zones  # noqa: PLC0415 - only where there are some

    return read_zones(zones)


def calibrated_conditions(path: str | Path) -> Conditions | None:
    """Return the conditions under which a model's rule was calibrated; None without any, or for a damaged file."""
    try:
        card = _card(path)
        return None if card is None else stored_conditions(card.decision, path)
    except UserError:  # reported when the model is loaded, or its rule is used
        return None


def trained_tiles(path: str | Path) -> Tiling | None:
    """Return how large pictures were cut when a model was trained; None: they were not, or for a damaged file."""
    try:
        card = _card(path)
    except UserError:  # reported when the model is loaded
        return None
    return None if card is None else card.tiles


def _card(path: str | Path) -> ModelCard | ExportCard | None:
    return read_card(path) if is_export(path) else peek_model_card(path)


def calibrated_values(then: Conditions, given: Mapping[str, Any], *, exported: bool) -> dict[str, Any]:
    """Return the options to load a calibrated model with: as given, or else as at its calibration.

    Args:
        then: the calibration's conditions.
        given: by name; None: not given.
        exported: the model is an export, whose own defaults are those of its calibration.
    """
    names = TILING if exported else (*TILING, "imgsz", "precision", "iou", "max_detections", "agnostic", "rect")
    values = {name: value for name in names if (value := getattr(then, name)) is not None}
    if then.zones is not None:
        values["zones"] = Zones.from_dict(then.zones)
    return {**given, **{name: value for name, value in values.items() if given.get(name) is None}}


def _check(path: Path, max_detections: int | None, threads: int | None) -> None:
    """Refuse what can be told before torch is imported, which takes seconds."""
    require_file(path, give="the model file in it")
    if max_detections is not None and max_detections < 1:  # every part would pass for good
        raise UserError(f"max_detections must be at least 1, got {max_detections}")
    from lightdet.inference.onnx_runtime import check_threads  # noqa: PLC0415 - numpy only when a network is wanted

    check_threads(threads)


def _predictor(path: Path, task: Task, given: dict[str, Any], *, no_promise: bool, **computing: Any) -> Any:
    """Load a model with what is given, and for the rest as at its calibration, or else as it was trained."""
    then, asked = None if no_promise else calibrated_conditions(path), dict(given)
    trained = trained_tiles(path)
    if then is not None:
        given = calibrated_values(then, given, exported=is_export(path))
    elif trained is not None and given.get("tile") != 0:
        given = {"tile": trained.size, "overlap": trained.overlap, **given}
    tiling = {name: given.pop(name, None) for name in TILING}
    if asked.get("overlap") is not None and not tiling["tile"]:
        raise UserError(NO_TILES, path=path)
    zones: Zones | None = given.pop("zones", None)

    def made(**lower: float) -> Any:
        if not tiling["tile"]:
            return task.predictor(path, no_promise=no_promise, **computing, **{**given, **lower})
        predictor = task.predictor(path, no_promise=no_promise, tiled=True, **computing, **{**given, **lower})
        return _tiled(predictor, tiling, iou=asked.get("iou"), max_detections=asked.get("max_detections"))

    predictor = made()
    return predictor if zones is None else _zoned(predictor, zones, made)


def _zoned(predictor: Any, zones: Zones, made: Callable[..., Any]) -> Any:
    """With the zones applied; where one has a lower threshold than what is reported, the network is asked for more."""
    from lightdet.inference.zoned import ZonedPredictor  # noqa: PLC0415

    lowest, usual = zones.lowest_threshold, predictor.confidence
    if lowest is not None and lowest < usual:
        predictor = made(confidence=lowest)
    return ZonedPredictor(predictor, zones, confidence=usual)


def _tiled(predictor: Predictor, tiling: Mapping[str, Any], *, iou: float | None, max_detections: int | None) -> Any:
    from lightdet.inference.tiled import OVERLAP, TILE_IOU, TILED_DETECTIONS, TiledPredictor  # noqa: PLC0415

    overlap = tiling["overlap"]
    return TiledPredictor(
        predictor,
        tile=tiling["tile"],
        overlap=OVERLAP if overlap is None else overlap,
        iou=iou if iou is not None else tiling["tile_iou"] or TILE_IOU,
        max_detections=max_detections or tiling["tile_detections"] or TILED_DETECTIONS,
    )


def parameter_count(predictor: Predictor | ClassifierPredictor) -> int | None:
    """Return the number of parameters of the network as trained; None if an export's card does not say."""
    runtime: Any = predictor.runtime
    card = getattr(runtime, "card", None)
    if card is not None:
        params = card.facts.get("complexity", {}).get("params")
        return None if params is None else int(params)
    network = getattr(runtime, "network", None)
    return None if network is None else sum(parameter.numel() for parameter in network.parameters())


def computed(predictor: Predictor | ClassifierPredictor) -> str:
    """How a predictor computes, in words, such as ``cpu, fp32, channels last, rewritten network, 2 threads``."""
    runtime: Any = predictor.runtime
    device, precision = getattr(runtime, "device", "cpu"), getattr(runtime, "precision", "fp32")
    computing = getattr(runtime, "computing", None)  # other runtimes arrange this themselves
    if computing is None or str(device) != "cpu":
        return f"{device}, {precision}"
    return f"{device}, {computing.precision}, {computing.kernels}, {counted(computing.threads, 'thread')}"
