"""The records of a split whose pictures have one label file each: YOLO, Pascal VOC, DeepPCB, LabelMe, masks."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lightdet.data.class_sources import check_class_sources
from lightdet.data.faults import DataError
from lightdet.data.formats.deeppcb import parse_deeppcb
from lightdet.data.formats.label_file import LabelFile
from lightdet.data.formats.labelme import parse_labelme
from lightdet.data.formats.masks import parse_mask
from lightdet.data.formats.voc import parse_voc
from lightdet.data.formats.yolo import parse_yolo
from lightdet.data.headers import checked_facts
from lightdet.data.orphans import orphan_labels
from lightdet.data.pairing import Pair, find_pairs, unclear_pairs
from lightdet.data.picture_header import EXCHANGED_SIDES, PictureFacts
from lightdet.data.pixel_base import PixelBase, find_pixel_base
from lightdet.data.records import BoxRecord
from lightdet.data.spec import DatasetSpec, SplitSpec
from lightdet.errors import UserError


def paired_records(spec: DatasetSpec, split: str, place: SplitSpec) -> tuple[list[BoxRecord], list[DataError]]:
    """Find and read the label file of every picture of `split`; see `lightdet.data.dataset.split_records`."""
    found, faults = _find(spec, place)
    background = place.unlabelled == "background" or (place.unlabelled == "auto" and spec.format == "yolo")
    if found and place.unlabelled == "auto" and all(pair.label is None for pair in found):
        message = (
            f"no picture of the split '{split}' has a label file; expected for example {found[0].expected}"
            f" (set 'labels' to their folder, or 'unlabelled: background' if all are free of defects)"
        )
        raise spec.split_error(split, message)
    own = split if place.origin is None or not spec.sources else place.origin
    everything = _pairs_of_others(spec, own) | {own: found}
    unclear = unclear_pairs(own, everything)
    folders = {name: (other.images, other.labels) for name, other in (spec.sources or spec.splits).items()}
    orphans = orphan_labels(spec.format, spec.root, folders, own, everything)
    labels = {pair.label: None for pairs in everything.values() for pair in pairs if pair.label is not None}
    check_class_sources(spec, [label.parent for label in labels])
    if spec.format == "voc" and spec.first_pixel is None:
        spec = replace(spec, first_pixel=find_pixel_base(labels).first)
    records = [
        BoxRecord(pair.image, problems=[unclear[pair.image]])
        if pair.image in unclear
        else _record(spec, pair, background)
        for pair in found
    ]
    return records, faults + orphans


def _find(spec: DatasetSpec, place: SplitSpec) -> tuple[list[Pair], list[DataError]]:
    return find_pairs(spec.format, spec.root, place.images, place.labels, place.listings)


def _pairs_of_others(spec: DatasetSpec, split: str) -> dict[str, list[Pair]]:
    """The pairs of the other splits; unreadable ones are reported when it is their turn."""
    found = {}
    for name, place in (spec.sources or spec.splits).items():
        if name != split:
            with suppress(UserError):
                found[name] = _find(spec, place)[0]
    return found


def _record(spec: DatasetSpec, pair: Pair, background: bool) -> BoxRecord:
    record = BoxRecord(pair.image)
    try:
        facts = checked_facts(pair.image)
    except DataError as error:
        record.problems.append(error)
        return record
    if pair.label is not None:
        record.labels = parse_labels(spec, pair.label, facts)
        record.problems += record.labels.problems
    elif background:
        record.labels = LabelFile(None, facts.size, spec.classes)
    else:
        message = f"the picture has no label file; expected {pair.expected} (or set 'unlabelled: background')"
        record.problems.append(DataError(message, "missing-label", path=pair.image))
    return record


def parse_labels(spec: DatasetSpec, label: Path, facts: PictureFacts) -> LabelFile:
    """Read the label file of a picture with these `facts`, noting what is wrong instead of raising."""
    size, turned = facts.size, facts.orientation >= EXCHANGED_SIDES
    if spec.format == "masks":
        return parse_mask(label, size, spec.classes, spec.outside, dict(spec.rules.values))
    if spec.format == "labelme":
        return parse_labelme(label, size, spec.classes, spec.outside, spec.rules, turned=turned)
    if spec.format == "voc":
        first_pixel = 1 if spec.first_pixel is None else spec.first_pixel
        return parse_voc(label, size, spec.classes, spec.outside, first_pixel=first_pixel, turned=turned)
    if spec.format == "deeppcb":
        return parse_deeppcb(label, size, spec.classes, spec.outside)
    return parse_yolo(label, size, spec.classes, spec.outside, spec.rows)


def pixel_base(spec: DatasetSpec) -> PixelBase:
    """What the corners of a Pascal VOC data set are counted from: by its YAML, otherwise by its files.

    Raises:
        UserError: some files count from 0 and others from 1.
    """
    if spec.format != "voc" or spec.first_pixel is not None:
        return PixelBase(1 if spec.first_pixel is None else spec.first_pixel)
    pairs = [pair for found in _pairs_of_others(spec, "").values() for pair in found]
    return find_pixel_base(dict.fromkeys(pair.label for pair in pairs if pair.label is not None))
