"""What pictures are called in the format that a data set is written in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lightdet.data.dataset import DatasetSpec, Format, SplitSpec
from lightdet.data.formats import embedded
from lightdet.data.images import picture_facts
from lightdet.structures import Annotation

_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2"}


def target_names(
    spec: DatasetSpec, split: SplitSpec, form: Format, annotations: Sequence[Annotation], notes: list[str]
) -> list[PurePosixPath]:
    """A path below the split's picture folder for each picture: its old one, made unique by stem.

    DeepPCB's ``_test`` is part of its convention, not of the name: ``x`` of another format becomes ``x_test`` and ``x``
    again, which is also what DeepPCB's own lists and labels call it.
    """
    taken: set[str] = set()
    names = []
    for annotation in annotations:
        base = next((place for place in (*split.images, spec.root) if annotation.image.is_relative_to(place)), None)
        relative = annotation.image.relative_to(base) if base else Path(annotation.image.name)
        # A part called 'images' would mislead programs that replace it with 'labels'.
        parts = [part for part in relative.parts[:-1] if part.lower() not in ("images", "labels", "..")]
        name = PurePosixPath(*parts, _picture_name(annotation.image, relative.name))
        if spec.format == "deeppcb":
            name = _without_ending(name, notes if form != "deeppcb" else [])
        if form == "deeppcb":
            name = _without_spaces(name, notes)
        stem, number = name.stem, 2
        while str(name.with_suffix("")).casefold() in taken:
            name = _restem(name, stem, form, number)
            number += 1
            notes.append("some pictures with equal names got a number appended")
        taken.add(str(name.with_suffix("")).casefold())
        names.append(name)
    return names


def _picture_name(picture: Path, name: str) -> str:
    """The name of the picture's own file: one that is in a JSON file gets the suffix of its format."""
    if picture.suffix.lower() != embedded.SUFFIX:
        return name
    form = picture_facts(picture).format
    return str(PurePosixPath(name).with_suffix(_SUFFIXES.get(form, f".{form.lower()}")))


def _restem(name: PurePosixPath, stem: str, form: Format, number: int) -> PurePosixPath:
    if form == "deeppcb":
        return name.with_name(f"{stem.removesuffix('_test')}_{number}_test{name.suffix}")
    return name.with_name(f"{stem}_{number}{name.suffix}")


def _without_ending(name: PurePosixPath, notes: list[str]) -> PurePosixPath:
    stem = name.stem.removesuffix("_test")
    if not stem or stem == name.stem:
        return name
    notes.append("deeppcb's suffix _test was removed from the names of pictures")
    return name.with_name(stem + name.suffix)


def _without_spaces(name: PurePosixPath, notes: list[str]) -> PurePosixPath:
    """DeepPCB's lists separate their fields by spaces, and its pictures are called ``*_test``."""
    wanted = PurePosixPath("_".join(str(name.with_name(f"{name.stem}_test{name.suffix}")).split()))
    notes.append("pictures were renamed to deeppcb's convention: *_test, no spaces")
    return wanted
