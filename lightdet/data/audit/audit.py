"""The audit, from the first header to the last pair of pictures; it never stops at a fault."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from lightdet.data.audit.classes import check_classes
from lightdet.data.audit.compare import Member, check_colours, check_copies, check_near, check_shared
from lightdet.data.audit.findings import AuditReport, Finding
from lightdet.data.audit.labels import LABEL_AUDITS, LabelAudit
from lightdet.data.audit.pictures import PictureCheck, check_pictures
from lightdet.data.audit.statistics import SplitStatistics
from lightdet.data.dataset import split_records
from lightdet.data.formats.folders import folder_names
from lightdet.data.paired_records import pixel_base
from lightdet.data.records import Record
from lightdet.data.scanning import scan_pictures
from lightdet.data.spec import DatasetSpec
from lightdet.errors import UserError

ELONGATED = 4.0
"""From this ratio of its sides on, a picture counts as very long."""


def audit_dataset(
    spec: DatasetSpec, imgsz: int = 608, *, progress: Callable[[int, int], None] | None = None
) -> AuditReport:
    """Read every label, decode every picture and compare them all.

    Args:
        spec: the data set.
        imgsz: side of the network's input in pixels, for the sizes of the boxes.
        progress: called with (pictures decoded, pictures in all).

    Returns:
        The report. Faults of the data, including an unreadable split, are findings in it.
    """
    labels = LABEL_AUDITS[spec.label_kind]
    report = AuditReport(spec.name, spec.classes, imgsz, bit_depth=spec.bit_depth)
    records: dict[str, Sequence[Record]] = {}
    for split in spec.splits:
        try:
            records[split], faults = split_records(spec, split)
        except UserError as error:
            report.findings.append(Finding("split", "error", error.message, split, error.path, error.line))
            continue
        report.findings += [Finding(f.kind, "error", f.message, split, f.path, f.line) for f in faults]
    # Path.exists would raise at a name that no file can have; that is reported with its record.
    images = (record.image for group in records.values() for record in group)
    paths = dict.fromkeys(image for image in images if os.path.exists(image))  # noqa: PTH110
    checks = {check.path: check for check in check_pictures(list(paths), progress)}
    for split, group in records.items():
        report.findings += _record_findings(split, group, checks)
        report.findings += labels.findings(group, split, imgsz)
        report.splits[split] = labels.statistics(group, len(spec.classes), imgsz)
        _count_modes(report.splits[split], group, checks)
    report.findings += _absent_splits(spec, labels)
    report.findings += _counted_from(spec)
    report.findings += check_classes(report.splits, spec.classes, labels.example)
    report.findings += labels.background(report.splits)
    report.tiles = labels.tiles(records, imgsz)
    if report.tiles is not None:
        report.findings.append(Finding("tiles", "warning", report.tiles.message(), path=spec.path))
    report.findings += check_shared({split: [record.image for record in group] for split, group in records.items()})
    members = _members(records, checks, labels)
    copies, kept = check_copies(members)
    report.findings += copies
    report.findings += check_near([members[index] for index in kept], list(records))
    report.findings += check_colours(members)
    report.findings += _picture_findings(members)
    report.findings += _depth_findings(members, spec.bit_depth)
    report.findings += _empty_folders(spec)
    report.findings += _unlisted(spec, {record.image for group in records.values() for record in group})
    report.findings = _without_repeats(report.findings)
    report.tables = labels.tables(report.splits, spec.classes, imgsz) if report.splits else []
    once: dict[Path, Record] = {}
    for record in (record for group in records.values() for record in group):
        once.setdefault(record.image, record)
    report.gallery = labels.gallery(once, spec.classes)
    return report


def _absent_splits(spec: DatasetSpec, labels: LabelAudit) -> Iterator[Finding]:
    """Splits that the YAML names but that are missing, and those that training needs but would not find."""
    for name, error in spec.absent.items():
        yield Finding("split-gone", "warning", f"{error.message}; it is left out", name, error.path, error.line)
    other = spec.misnamed_val()
    if other is not None:
        yield Finding("val-name", "error", f"there is no split 'val', but '{other}'", other, spec.path)
    elif "val" not in spec.splits and "train" in spec.splits:
        effect = "no epoch of a training is scored, and the best one is unknown"
        message = f"there is no split 'val': {effect}; '{labels.splitter} --val 0.2' draws one"
        yield Finding("split-absent", "note", message, path=spec.path)
    if "train" not in spec.splits:
        message = "there is no split 'train': the data set is only for evaluation"
        yield Finding("split-absent", "note", message, path=spec.path)


def _counted_from(spec: DatasetSpec) -> Iterator[Finding]:
    """What the corners of Pascal VOC files are assumed to be counted from, if the YAML does not say."""
    try:
        base = pixel_base(spec)
    except UserError:
        return  # told by the split already
    if base.reason:
        message = f"corners are read as edges counted from 0, not as pixels counted from 1: {base.reason}"
        yield Finding("pixel-base", "warning", message, path=spec.path)


def _record_findings(split: str, records: Sequence[Record], checks: dict[Path, PictureCheck]) -> Iterator[Finding]:
    for record in records:
        check = checks.get(record.image)
        if check is not None and check.error is not None:
            yield Finding("picture", "error", check.error.message, split, record.image)
        for problem in record.problems:
            if problem.kind != "picture" or check is None or check.error is None:
                yield Finding(problem.kind, "error", problem.message, split, problem.path, problem.line)


def _count_modes(statistics: SplitStatistics, records: Sequence[Record], checks: dict[Path, PictureCheck]) -> None:
    for record in records:
        check = checks.get(record.image)
        if check is not None and check.facts is not None:
            statistics.modes[f"{check.facts.format} {check.facts.mode}"] += 1


def _members(
    records: Mapping[str, Sequence[Record]], checks: dict[Path, PictureCheck], labels: LabelAudit
) -> list[Member]:
    """Every picture once, under the first split that holds it."""
    members: dict[Path, Member] = {}
    for split, group in records.items():
        for record in group:
            if record.image in checks and record.image not in members:
                check, content = checks[record.image], labels.content(record)
                members[record.image] = Member(split, check, content, whole=labels.whole)
    return list(members.values())


def _picture_findings(members: list[Member]) -> Iterator[Finding]:
    for member in members:
        facts, path = member.check.facts, member.check.path
        if facts is None:
            continue
        if facts.orientation != 1:
            shown = f"{facts.size[0]} x {facts.size[1]}"
            yield Finding("exif", "note", f"its EXIF tag turns or mirrors it; shown as {shown}", member.split, path)
        if max(facts.size) > ELONGATED * min(facts.size):
            message = f"{facts.size[0]} x {facts.size[1]} pixels"
            yield Finding("elongated", "note", message, member.split, path)


def _depth_findings(members: list[Member], bit_depth: int) -> Iterator[Finding]:
    """Compare the largest value of all 16-bit pictures with the depth that the YAML gives."""
    deep = [member for member in members if member.check.facts is not None and member.check.facts.bits == 16]
    peaks = [member.check.peak for member in deep if member.check.facts and member.check.facts.format != "PPM"]
    if not peaks or not max(peaks):
        return
    brightest = next(member for member in deep if member.check.peak == max(peaks))
    needed = max(9, int(max(peaks)).bit_length())
    which = f"the largest value in {len(peaks)} 16-bit pictures is {max(peaks)}"
    if needed < bit_depth:
        message = f"{which}: read with a bit depth of {bit_depth} they stay dark; try 'bit_depth: {needed}'"
        yield Finding("bit-depth", "warning", message, brightest.split, brightest.check.path)
    elif needed > bit_depth:
        message = f"{which}: above 'bit_depth: {bit_depth}' everything is white; set {needed}"
        yield Finding("bit-depth", "warning", message, brightest.split, brightest.check.path)


def _unlisted(spec: DatasetSpec, used: set[Path]) -> Iterator[Finding]:
    folders = dict.fromkeys(folder for split in spec.splits.values() for folder in split.images)
    for folder in folders:
        if not folder.is_dir():
            continue  # told by the split already
        for path in scan_pictures(spec.format, folder):
            if path not in used:
                yield Finding("unlisted", "note", "is in no split", path=path)


def _empty_folders(spec: DatasetSpec) -> Iterator[Finding]:
    """Empty folders, which are not classes, if folders are the classes."""
    if spec.format != "folders":
        return
    for name, split in spec.splits.items():
        for folder in split.images if not split.listings else ():
            if not folder.is_dir():
                continue  # told by the split already
            filled = set(folder_names(folder))
            for below in sorted(folder.iterdir()):
                if below.is_dir() and not {below.name} & {*filled, *spec.classes} and not below.name.startswith("."):
                    yield Finding("folder-empty", "note", "holds no pictures", name, below)


def _without_repeats(findings: list[Finding]) -> list[Finding]:
    """Drop repeated findings of several splits about one shared file, keeping the first."""
    seen: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        place = (finding.path, finding.line) if finding.path else finding.split
        seen.setdefault((finding.kind, finding.message, place), finding)
    return list(seen.values())
