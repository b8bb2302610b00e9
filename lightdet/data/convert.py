"""A data set written in another format: pictures byte for byte, labels in the format's own convention."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from lightdet.data.audit.pictures import PictureCheck, check_pictures
from lightdet.data.convert_labels import FOLDERS, write_labels, yaml_text
from lightdet.data.convert_names import target_names
from lightdet.data.dataset import DatasetSpec, Format, OnError, SplitSpec, read_split
from lightdet.data.formats import embedded
from lightdet.data.formats.masks import told_apart
from lightdet.data.images import picture_facts
from lightdet.data.paired_records import pixel_base
from lightdet.data.splits import alike_groups, draw_validation, told_left_out, unlike_kept
from lightdet.data.unread_marks import marks_not_read
from lightdet.errors import UserError
from lightdet.files import make_folder, refuse_filled, write_text
from lightdet.structures import Annotation
from lightdet.wording import counted


@dataclass
class Conversion:
    """The result of a conversion.

    Attributes:
        yaml: the new data set's YAML.
        pictures, boxes: how many of each, by split.
        notes: what the new format could not hold.
        skipped: what was left out of the source with ``on_error="skip"``.
    """

    yaml: Path
    format: Format
    pictures: dict[str, int] = field(default_factory=dict)
    boxes: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    skipped: list[UserError] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Return plain values ready for JSON."""
        return {
            "yaml": str(self.yaml),
            "format": self.format,
            "splits": {name: {"pictures": self.pictures[name], "boxes": self.boxes[name]} for name in self.pictures},
            "notes": self.notes,
            "skipped": [str(error) for error in self.skipped],
        }


def convert_dataset(
    spec: DatasetSpec,
    output: Path,
    form: Format,
    *,
    link: bool = False,
    on_error: OnError = "fail",
    val: float | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Conversion:
    """Write every split of `spec` to the new folder `output` in the format `form`.

    The whole source is read, and every picture decoded, before anything is written; it is never changed. The YAML comes
    last, so a folder with one is complete. Labels keep their float32 corners in COCO, 8 decimals of the side in YOLO,
    and are rounded to whole pixels in VOC and DeepPCB.

    Args:
        spec: the source.
        output: a folder that is empty or does not exist, outside the source.
        form: the format to write.
        link: make symbolic links to the pictures instead of copies.
        on_error: stop at a fault in the source (a label, or a picture that cannot be decoded), or leave the picture
            out and list it.
        val: split the pictures again: this share (0-1) becomes ``val``, the rest ``train``; ``test`` is kept, and its
            look-alikes are left out.
        seed: seed of that split.
        progress: called with (steps done, steps in all): each picture is read, then written.

    Raises:
        UserError: a data set without boxes, a fault in the source, no good picture in a split, or an output that is
            not empty, not writable or inside the source.
    """
    if spec.label_kind == "class":
        raise UserError("has no boxes to convert; split it again with 'lightdet data split'", path=spec.path)
    _check_output(spec, output)
    if spec.format == "voc":
        spec = replace(spec, first_pixel=pixel_base(spec).first)
    splits: dict[str, list[Annotation]] = {}
    skipped: list[UserError] = []
    new_notes: list[str] = []
    for name in spec.splits:
        splits[name], left_out = read_split(spec, name, on_error=on_error)
        skipped += left_out
    splits, checks, broken = _looked_at(spec, splits, on_error, keep=val is not None, progress=progress)
    skipped += broken
    if val is not None:
        spec, splits, new_notes = _divided(spec, splits, checks, val, seed)
    everything = [annotation for found in splits.values() for annotation in found]
    notes = new_notes + _losses(spec, form, everything)
    notes += spec.remarks()
    refuse_filled(output)  # again: decoding takes minutes, in which another run may have begun to write here
    done = Conversion(output / f"{spec.name}.yaml", form, notes=notes, skipped=skipped)
    _write_splits(spec, splits, output, done, link=link, progress=progress)
    done.notes = list(dict.fromkeys(done.notes))
    if form in ("yolo", "deeppcb"):
        write_text(output / "classes.txt", "".join(f"{name}\n" for name in spec.classes))
    write_text(done.yaml, yaml_text(spec, form))
    return done


def _write_splits(
    spec: DatasetSpec,
    splits: Mapping[str, Sequence[Annotation]],
    output: Path,
    done: Conversion,
    *,
    link: bool,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Place the pictures, and write the labels beside them."""
    form, total = done.format, sum(map(len, splits.values()))
    count = 0  # what was looked at is half of the work
    for name, found in splits.items():
        pairs = list(zip(found, target_names(spec, spec.splits[name], form, found, done.notes), strict=True))
        for annotation, target in pairs:
            _place_picture(annotation.image, output / FOLDERS[form][0] / name / target, link)
            count += 1
            if progress is not None:
                progress(total + count, 2 * total)
        write_labels(output, form, name, pairs, spec)
        done.pictures[name] = len(found)
        done.boxes[name] = sum(len(annotation) for annotation in found)


def _check_output(spec: DatasetSpec, output: Path) -> None:
    target = output.resolve()
    sources = {spec.root.resolve()} | {
        folder.resolve() for split in spec.splits.values() for folder in (*split.images, split.labels) if folder
    }
    if any(target == source or target.is_relative_to(source) for source in sources):
        raise UserError(f"lies inside the source {spec.root}, which is never changed; choose another", path=output)
    refuse_filled(output)
    make_folder(output)


def _looked_at(
    spec: DatasetSpec,
    splits: dict[str, list[Annotation]],
    on_error: OnError,
    *,
    keep: bool,
    progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, list[Annotation]], dict[Path, PictureCheck], list[UserError]]:
    """Decode every picture: with a damaged one, the copy could not be used for training.

    Returns:
        The splits without pictures that cannot be decoded, the descriptions of the others (with `keep`), and what is
        wrong with those left out.
    """
    paths = list(dict.fromkeys(annotation.image for found in splits.values() for annotation in found))
    checks: dict[Path, PictureCheck] = {}
    errors: dict[Path, UserError] = {}
    report = None if progress is None else lambda done, total: progress(done, 2 * total)
    with closing(check_pictures(paths, report)) as found:
        for check in found:
            if check.error is not None:
                if on_error == "fail":
                    raise check.error
                errors[check.path] = check.error
            elif keep:
                checks[check.path] = check
    good = {name: [a for a in found if a.image not in errors] for name, found in splits.items()}
    for name, left in good.items():
        if not left:
            first = errors[splits[name][0].image]
            raise UserError(f"no picture of the split '{name}' can be read; the first fault: {first}", path=spec.path)
    return good, checks, list(errors.values())


def _divided(
    spec: DatasetSpec,
    splits: dict[str, list[Annotation]],
    checks: Mapping[Path, PictureCheck],
    share: float,
    seed: int,
) -> tuple[DatasetSpec, dict[str, list[Annotation]], list[str]]:
    """Pool all splits but ``test`` and split them again, without look-alikes of ``test``."""
    pooled = {a.image: a for name, found in splits.items() if name != "test" for a in found}
    kept = [a.image for a in splits.get("test", [])]
    groups = alike_groups([checks[path] for path in (*pooled, *kept)])
    free = unlike_kept(groups, len(kept))
    if not free.any():
        raise UserError("every picture to split looks like one of 'test', which is kept", path=spec.path)
    pool, groups = [a for a, out in zip(pooled.values(), free, strict=True) if out], groups[: len(pooled)][free]
    chosen = draw_validation(pool, groups, share, seed)
    if chosen.all() or not chosen.any():
        raise UserError(f"{counted(len(pool), 'picture')} cannot be split by --val {share:g}", path=spec.path)
    divided = {
        side: [a for a, v in zip(pool, chosen, strict=True) if v == (side == "val")] for side in ("train", "val")
    }
    folders = dict.fromkeys(place for name, split in spec.splits.items() if name != "test" for place in split.images)
    places = {"train": SplitSpec(tuple(folders)), "val": SplitSpec(tuple(folders))}
    if "test" in splits:
        divided["test"], places["test"] = splits["test"], spec.splits["test"]
    alike = len(pool) - len(set(groups.tolist()))
    note = f"split again (seed {seed}); {counted(alike, 'picture')} kept with a similar one"
    return replace(spec, splits=places), divided, [note, *told_left_out(free)]


def _losses(spec: DatasetSpec, form: Format, annotations: Sequence[Annotation]) -> list[str]:
    """Say what `form` cannot hold of the source."""
    notes = marks_not_read(spec, annotations)
    crowds = sum(int(annotation.crowd.sum()) for annotation in annotations if annotation.crowd is not None)
    if crowds and form != "coco":
        notes.append(
            f"{counted(crowds, 'crowd region')} left out, their area counts as background: {form} cannot hold them"
        )
    if form in ("deeppcb", "masks") or (form == "voc" and spec.first_pixel != 0):
        rounded = sum(int((annotation.boxes % 1 != 0).any(axis=1).sum()) for annotation in annotations)
        if rounded:
            notes.append(f"{counted(rounded, 'box')} rounded to whole pixels, which is what {form} holds")
    if form == "masks":
        merged = sum(not told_apart(annotation) for annotation in annotations)
        if merged:
            notes.append(f"in {counted(merged, 'picture')} boxes of a class touch: a mask cannot tell them apart")
    if spec.bit_depth != 16:
        notes.append(f"the bit depth {spec.bit_depth} is only in the YAML; other programs do not know it")
    turned = sum(picture_facts(annotation.image).orientation != 1 for annotation in annotations)
    if turned:
        notes.append(f"{counted(turned, 'picture')} rotated by an EXIF tag; the boxes belong to the picture as shown")
    return notes


def _place_picture(source: Path, target: Path, link: bool) -> None:
    make_folder(target.parent)
    try:
        if source.suffix.lower() == embedded.SUFFIX:
            target.write_bytes(embedded.embedded_picture(source))
        elif link:
            target.symlink_to(source.resolve())
        else:
            shutil.copyfile(source, target)
    except OSError as error:
        raise UserError(f"the picture cannot be written: {error.strerror}", path=target) from None
