"""A folder of pictures → what a model finds in them, as proposals that a labelling tool shows to be corrected."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

import numpy as np

from lightdet.data.formats.cvat import cvat_text
from lightdet.data.formats.label_studio import label_studio_config, label_studio_text
from lightdet.data.formats.labelme import labelme_text
from lightdet.data.paths import below_root, path_from
from lightdet.errors import UserError
from lightdet.files import run_name, write_text
from lightdet.inference.pipeline import DetectionRun
from lightdet.inference.save import MIN_SIDE, Record
from lightdet.inference.source import Source, printable
from lightdet.inference.sources import expand_sources
from lightdet.runs.load import load
from lightdet.storage.stored_file import StoredFile
from lightdet.structures import Annotation
from lightdet.tasks import require_detector
from lightdet.wording import counted

Tool: TypeAlias = Literal["label-studio", "cvat", "labelme"]
SUFFIXES = {"label-studio": ".json", "cvat": ".xml"}
"""These tools read one file; LabelMe reads one per picture."""
LOCAL_FILES = "/data/local-files/?d="
"""Begins the address of a picture in a folder that Label Studio may read."""


@dataclass
class Prelabelled:
    """What was written.

    Attributes:
        files: the files.
        pictures: how many pictures have proposals now, or were found free of any.
        boxes: how many boxes were proposed, by class name.
        left: pictures whose file was there already, and was left as it is.
        skipped: what could not be read, and why.
        notes: what a person should know, one line each.
    """

    files: list[Path] = field(default_factory=list)
    pictures: int = 0
    boxes: dict[str, int] = field(default_factory=dict)
    left: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "files": [printable(path) for path in self.files],
            "pictures": self.pictures,
            "boxes": self.boxes,
            "left": self.left,
            "skipped": [list(each) for each in self.skipped],
            "notes": self.notes,
        }


def prelabel(
    sources: Sequence[str],
    weights: Path,
    tool: Tool,
    output: Path,
    *,
    root: Path | None = None,
    address: str = LOCAL_FILES,
    recursive: bool = False,
    overwrite: bool = False,
    skip_broken: bool = False,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Prelabelled:
    """Write what a detector finds in pictures as proposals for `tool`; the pictures are not touched.

    Args:
        sources: pictures, folders, patterns or lists; but for LabelMe also by URL and in archives.
        weights: the detector's model file.
        tool: who reads the proposals.
        output: the file to write; for LabelMe the folder for a file per picture.
        root: the folder that the tool has; pictures are named by their place below it. Default: the folder that all
            pictures have in common.
        address: for Label Studio, what comes before that name.
        recursive: search sub-folders too.
        overwrite: replace files that are there. Otherwise LabelMe's are left as they are, and others are an error.
        skip_broken: leave out pictures that cannot be read, instead of raising.
        options: how the model looks at pictures, as for `lightdet.load`; None: as it was calibrated or trained.
        progress: called with (pictures looked at, pictures in all).

    Raises:
        UserError: a classifier, a source that is missing or no picture, a picture that cannot be read or whose label
            file would be another's, a file that would be overwritten.
    """
    require_detector(weights, "boxes are proposed by a detector")
    pictures = _pictures(sources, recursive, stored=tool != "labelme")  # its files lie beside the pictures
    names = _names(pictures, root)
    done = Prelabelled()
    if tool == "labelme":
        pictures = _without_file(pictures, _labelme_places(names, output), done, overwrite=overwrite)
    else:
        _check_file(tool, output, overwrite=overwrite)
    if not pictures:
        done.notes.append("every picture has a file already; --overwrite replaces them")
        return done
    given = {name: value for name, value in (options or {}).items() if value is not None}
    # What is proposed is not judged: a value that contradicts the calibration is no mistake here.
    contradicts = bool(given.keys() - {"device", "confidence"})
    predictor = load(weights, no_promise=contradicts, **given)
    collected = _collect(predictor, pictures, skip_broken=skip_broken, progress=progress, done=done)
    if not collected:
        raise UserError(f"none of {counted(len(pictures), 'picture')} can be read; the first: {done.skipped[0][1]}")
    classes = tuple(predictor.names)
    if tool == "labelme":
        places = _labelme_places(names, output)
        _write_each([(places[name], each) for name, each in collected.items()], classes, done, overwrite=overwrite)
        return done
    _check_file(tool, output, overwrite=overwrite)
    _write(tool, output, {names[name]: each for name, each in collected.items()}, classes, address, weights, done)
    return done


@dataclass(frozen=True)
class Proposed:
    """A picture with the boxes that a model proposes, the surest first, and their scores."""

    annotation: Annotation
    scores: list[float]


class _Collector:
    """Takes the results of a run, as a writer of it."""

    def __init__(self, pictures: Sequence[Source], progress: Callable[[int, int], None]) -> None:
        self.found: dict[str, Proposed] = {}
        self.several: dict[str, str] = {}
        self._targets = {source.name: source.target for source in pictures}
        self._progress, self._total, self._done = progress, len(pictures), 0

    def add(self, record: Record) -> None:
        """Keep the boxes of one picture."""
        target = self._targets.get(record.source)
        path = Path(target.place) if isinstance(target, StoredFile) else target
        if not isinstance(path, Path):  # a page of a file: labels cannot say which one they are for
            self.several[record.source.rpartition("#")[0]] = "holds several pictures; save each as a file of its own"
            return
        found = record.detections
        wide = np.minimum(found.boxes[:, 2] - found.boxes[:, 0], found.boxes[:, 3] - found.boxes[:, 1]) >= MIN_SIDE
        order = [int(index) for index in np.argsort(-found.scores, kind="stable") if wide[index]]
        annotation = Annotation(path, found.size, found.boxes[order].reshape(-1, 4), found.labels[order])
        self.found[record.source] = Proposed(annotation, found.scores[order].tolist())

    def close(self, summary: Mapping[str, Any]) -> None:
        """Nothing is left to do."""

    def begin(self, source: Source, frames: int) -> None:
        """Videos do not occur."""

    def step(self, source: Source) -> None:
        """Pages do not count."""

    def end(self, source: Source) -> None:
        """One more is done."""
        self._done += 1
        self._progress(self._done, self._total)


def _collect(
    predictor: Any,
    pictures: Sequence[Source],
    *,
    skip_broken: bool,
    progress: Callable[[int, int], None],
    done: Prelabelled,
) -> dict[str, Proposed]:
    """Run the detector, as ``detect`` does; by the pictures' names, in their order."""
    collector = _Collector(pictures, progress)
    run = DetectionRun(predictor, [collector], folder=None, watcher=collector, skip_bad=skip_broken)
    totals = run.run(pictures)
    done.skipped += totals.skipped
    for name, message in collector.several.items():
        if not skip_broken:
            raise UserError(message, path=name)
        done.skipped.append((name, message))
    return collector.found


def _pictures(sources: Sequence[str], recursive: bool, *, stored: bool) -> list[Source]:
    if not sources:
        raise UserError("name the pictures: a folder, files or a list")
    found = list(expand_sources(sources, recursive=recursive, stored=stored))
    for source in found:
        if source.kind != "picture":
            raise UserError(f"is a {source.kind}; boxes are proposed for pictures", path=source.name)
    return found


def _names(pictures: Sequence[Source], root: Path | None) -> dict[str, str]:
    """By a source's name, what the picture is called below the root, or below what was listed in a store."""
    if any(isinstance(source.target, StoredFile) for source in pictures):
        return _stored_names(pictures, root)
    paths = {source.name: Path(str(source.target)).absolute() for source in pictures}
    try:
        base = root or Path(os.path.commonpath([path.parent for path in paths.values()]))
    except ValueError:  # different drives
        raise UserError("the pictures have no folder in common; name one with --root") from None
    names = {name: below_root(path, base) for name, path in paths.items()}
    for name, shown in names.items():
        if Path(shown).is_absolute():
            raise UserError(f"does not lie below {base}; correct --root", path=name)
    return names


def _stored_names(pictures: Sequence[Source], root: Path | None) -> dict[str, str]:
    if root is not None:
        raise UserError("--root names a folder of this computer; the pictures are named by their place below the URL")
    names: dict[str, str] = {}
    taken: set[str] = set()
    for source in pictures:
        if not isinstance(source.target, StoredFile):
            raise UserError("is a file of this computer, unlike others; propose for them apart", path=source.name)
        place = source.target.place
        if place in taken:
            raise UserError(f"would be called '{place}' like another; propose for them apart", path=source.name)
        taken.add(place)
        names[source.name] = place
    return names


def _labelme_places(names: Mapping[str, str], output: Path) -> dict[str, Path]:
    places: dict[str, Path] = {}
    taken: dict[str, str] = {}
    for name, shown in names.items():
        places[name] = output / Path(shown).with_suffix(".json")
        key = str(places[name]).casefold()
        if key in taken:
            raise UserError(f"would have the same label file as '{taken[key]}'; rename one of the two", path=name)
        taken[key] = name
    if output.exists() and not output.is_dir():
        raise UserError("is a file; --output names the folder for a JSON per picture", path=output)
    return places


def _without_file(
    pictures: Sequence[Source], places: Mapping[str, Path], done: Prelabelled, *, overwrite: bool
) -> list[Source]:
    """The pictures whose file is not there; all if files are to be replaced."""
    kept = [source for source in pictures if overwrite or not places[source.name].exists()]
    done.left = len(pictures) - len(kept)
    return kept


def _check_file(tool: str, output: Path, *, overwrite: bool) -> None:
    suffix = SUFFIXES[tool]
    if output.suffix.lower() != suffix:
        raise UserError(f"--output names the file to write, such as proposals{suffix}", path=output)
    files = [output, _config_place(output)] if tool == "label-studio" else [output]
    for each in files:
        if each.exists() and not overwrite:
            raise UserError("exists already; --overwrite replaces it", path=each)


def _config_place(output: Path) -> Path:
    return output.with_name(f"{output.stem}-labels.xml")


def _write_each(
    found: Sequence[tuple[Path, Proposed]], classes: tuple[str, ...], done: Prelabelled, *, overwrite: bool
) -> None:
    """Write a file per picture, but none that a person made while the model was running."""
    for place, proposed in found:
        if not overwrite and place.exists():
            done.left += 1
            continue
        way = path_from(place.parent, proposed.annotation.image)
        write_text(place, labelme_text(proposed.annotation, classes, way, proposed.scores))
        done.files.append(place)
        _count(proposed, classes, done)


def _count(proposed: Proposed, classes: tuple[str, ...], done: Prelabelled) -> None:
    done.pictures += 1
    for label in proposed.annotation.labels.tolist():
        done.boxes[classes[label]] = done.boxes.get(classes[label], 0) + 1


def _write(
    tool: Tool,
    output: Path,
    found: Mapping[str, Proposed],
    classes: tuple[str, ...],
    address: str,
    weights: Path,
    done: Prelabelled,
) -> None:
    """Write the one file of a tool; `found` is by the pictures' names in it."""
    for proposed in found.values():
        _count(proposed, classes, done)
    annotations = [each.annotation for each in found.values()]
    if tool == "cvat":
        write_text(output, cvat_text(annotations, classes, list(found), predicted=True))
        done.files.append(output)
        return
    addresses = [address + quote(name.encode("utf-8", "surrogateescape")) for name in found]  # as the disk has it
    scores = [each.scores for each in found.values()]
    write_text(output, label_studio_text(annotations, classes, addresses, run_name(weights), scores))
    write_text(_config_place(output), label_studio_config(classes))
    done.files += [output, _config_place(output)]
