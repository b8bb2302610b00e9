"""Everything beside the picture that decides what a model finds in it, and so what a calibrated threshold means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lightdet.decisions.zones import Zones, zones_digest
from lightdet.errors import UserError

Value = bool | int | float | str | None

_OPTIONS = {
    "imgsz": "--imgsz {}",
    "precision": "--precision {}",
    "runtime": "the runtime {}",
    "iou": "an NMS threshold of {}",
    "agnostic": "NMS over all classes",
    "rect": "--rect",
    "max_detections": "at most {} boxes per picture",
    "tile": "--tile {}",
    "overlap": "an overlap of tiles of {}",
    "tile_iou": "an NMS threshold between tiles of {}",
    "tile_detections": "at most {} boxes per picture of tiles",
    "tile_merge": "tiles joined by procedure {}",
    "confidence": "a lowest score of {}",
}
UNKNOWN = "unknown"
"""The number format of a runtime that does not tell it."""
_WITHOUT = {"agnostic": "NMS by class", "rect": "square inputs", "tile": "whole pictures", "zones": "no zones"}


@dataclass(frozen=True)
class Conditions:
    """How a model looks at a picture.

    Attributes:
        runtime: ``torch``, ``onnx`` or ``openvino``.
        precision: the number format it computes in, with ``int8+bf16`` for two; `UNKNOWN` or empty is unlike any, also
            unlike itself.
        imgsz: side of the network's input in pixels.
        preprocessing: how a picture becomes input (`lightdet.structures.Preprocessing` without `imgsz`).
        weights: SHA-256 of the trained tensors; None for an export, whose file has a checksum over all of it.
        rect: inputs are rectangles; None for classifiers, and so are all that follow.
        iou: NMS threshold.
        agnostic: boxes of different classes also suppress each other.
        max_detections: most boxes per picture.
        confidence: lowest score that takes part in NMS and in the boxes' vote; see `same_boxes`.
        tile: side of the tiles in pixels of the picture; None: whole pictures.
        overlap: smallest overlap of tiles, a share of their side.
        tile_iou: threshold of the suppression between tiles.
        tile_detections: most boxes per picture, after their tiles are joined.
        tile_merge: version of the procedure that joins tiles; None with a `tile`: the first, which was not recorded.
        zones: where is looked (`lightdet.decisions.zones.Zones.as_dict`); None: everywhere.
    """

    runtime: str
    precision: str
    imgsz: int
    preprocessing: Mapping[str, Any]
    weights: str | None = None
    rect: bool | None = None
    iou: float | None = None
    agnostic: bool | None = None
    max_detections: int | None = None
    confidence: float | None = None
    tile: int | None = None
    overlap: float | None = None
    tile_iou: float | None = None
    tile_detections: int | None = None
    tile_merge: int | None = None
    zones: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; `from_dict` reads them."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @staticmethod
    def from_dict(values: object) -> Conditions:
        """Read what `as_dict` gave.

        Raises:
            ValueError: it is something else. An unknown key may be a condition of a newer version.
        """
        known = {each.name for each in fields(Conditions)}
        if not isinstance(values, Mapping) or not set(values) <= known or not isinstance(values.get("imgsz"), int):
            raise ValueError("not conditions")
        texts = (values.get("runtime"), values.get("precision"))
        if not isinstance(values.get("preprocessing"), Mapping) or not all(isinstance(text, str) for text in texts):
            raise ValueError("not conditions")
        if values.get("zones") is not None:
            try:
                Zones.from_dict(values["zones"])
            except (UserError, LookupError, AttributeError) as error:
                raise ValueError("not conditions") from error
        return Conditions(**values)

    @property
    def joined_as_before(self) -> bool:
        """Whether tiles were joined as no version does any more."""
        return self.tile is not None and self.tile_merge is None

    def differences(self, now: Conditions) -> list[tuple[str, str]]:
        """Return what `now` is and what these conditions are, in words, for each that differs.

        `confidence` is left out: whether it changes a verdict depends on the rule. So is the first way of joining
        tiles, which no predictor has any more: such a rule is used, and promises nothing (`decisions.promise`).
        """
        ours, theirs = self.as_dict(), now.as_dict()
        if self.tile is None or now.tile is None:  # one sentence about tiles is enough
            for key in ("overlap", "tile_iou", "tile_detections", "tile_merge"):
                ours[key] = theirs[key] = None
        if self.joined_as_before:
            theirs["tile_merge"] = None
        different = [key for key in ours if key != "confidence" and ours[key] != theirs[key]]
        if "precision" not in different and _is_unknown(self.precision):
            different.append("precision")
        return [(_words(key, theirs[key]), _words(key, ours[key])) for key in different]


def _plain(value: Any) -> Any:
    """A value as it comes back from JSON."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _is_unknown(precision: str) -> bool:
    return precision in ("", UNKNOWN)


def _words(key: str, value: Any) -> str:
    if key == "precision" and _is_unknown(value):
        return "a number format that the runtime does not tell"
    if key == "precision" and "+" in value:
        return " and the rest in ".join(value.split("+"))
    if key == "weights":
        return "other weights"
    if key == "preprocessing":
        return "another preprocessing"
    if key == "zones" and value is not None:
        return f"the zones {', '.join(repr(zone['name']) for zone in value['zones'])} ({zones_digest(value)})"
    if value is None or value is False:
        return _WITHOUT.get(key, f"no {key}")
    return _OPTIONS[key].format(value)
