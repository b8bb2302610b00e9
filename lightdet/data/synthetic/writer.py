"""A whole synthetic data set on disk: pictures, labels, and last its YAML."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path

import cv2
import numpy as np
import yaml

from lightdet.arrays import Image
from lightdet.data.convert_labels import FOLDERS
from lightdet.data.formats.coco import coco_text
from lightdet.data.formats.voc import voc_text
from lightdet.data.formats.yolo import yolo_text
from lightdet.data.synthetic.plan import ENCODING, PictureFormat, SyntheticPlan, check_range
from lightdet.errors import UserError
from lightdet.files import make_folder, write_text
from lightdet.structures import Annotation

YAML_NAME = "dataset.yaml"
_JSON_LABELS = "annotations"


@dataclass(frozen=True)
class SyntheticSet:
    """What was written: the YAML, pictures and boxes by split, boxes by class, pictures without defects."""

    yaml: Path
    pictures: dict[str, int]
    boxes: dict[str, int]
    classes: dict[str, int]
    clean: int

    def as_dict(self) -> dict[str, object]:
        """Return plain values ready for JSON."""
        splits = {name: {"pictures": self.pictures[name], "boxes": self.boxes[name]} for name in self.pictures}
        return {"yaml": str(self.yaml), "splits": splits, "classes": self.classes, "clean": self.clean}


def write_synthetic(
    output: str | Path, plan: SyntheticPlan, *, workers: int = 1, progress: Callable[[int, int], None] | None = None
) -> SyntheticSet:
    """Render a data set into the new folder `output`, ready for `lightdet.assembly.dataset.load_dataset`.

    The YAML is written last: a folder with one is complete, whatever happened to the process.

    Args:
        output: a folder that is empty or does not exist.
        plan: what to render.
        workers: processes that render; the files are the same for any number. More than one needs a main module
            that may be imported (``if __name__ == "__main__":``).
        progress: called with (pictures done, pictures in all).

    Raises:
        UserError: the folder is not empty or cannot be written, or `workers` is out of range.
    """
    check_range("number of processes", workers, 1, 256)
    folder = Path(output)
    _check_empty(folder)
    for kind in FOLDERS[plan.format]:
        for split in plan.splits:
            make_folder(folder / kind if kind == _JSON_LABELS else folder / kind / split)
    annotations: list[Annotation] = []
    for annotation in _rendered(folder, plan, workers):
        annotations.append(annotation)
        if progress is not None:
            progress(len(annotations), plan.images)
    by_split = {split: [a for a in annotations if a.image.parent.name == split] for split in plan.splits}
    if plan.format == "coco":
        for split, found in by_split.items():
            names = [annotation.image.name for annotation in found]
            write_text(folder / _JSON_LABELS / f"{split}.json", coco_text(found, plan.classes, names))
    write_text(folder / YAML_NAME, _yaml_text(plan))
    counts = Counter(int(label) for annotation in annotations for label in annotation.labels)
    return SyntheticSet(
        yaml=folder / YAML_NAME,
        pictures={split: len(found) for split, found in by_split.items()},
        boxes={split: sum(len(annotation) for annotation in found) for split, found in by_split.items()},
        classes={name: counts[label] for label, name in enumerate(plan.classes)},
        clean=sum(len(annotation) == 0 for annotation in annotations),
    )


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError("is a file; name a new folder for the pictures", path=folder)
    try:
        found = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path=folder) from None
    if YAML_NAME in found:
        raise UserError("holds a data set already; name a new folder, or remove this one first", path=folder)
    if found and found <= {name for pair in FOLDERS.values() for name in pair}:
        raise UserError("holds an unfinished data set; remove it, or name a new folder", path=folder)
    if found:
        raise UserError("the folder is not empty; name a new one", path=folder)


def _rendered(folder: Path, plan: SyntheticPlan, workers: int) -> Iterator[Annotation]:
    """Write the pictures (and their labels, unless one file holds them all) and yield them in order."""
    task = partial(_write_picture, folder, plan)
    if workers == 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # the pictures are too small to share out
        try:
            yield from map(task, range(plan.images))
        finally:
            cv2.setNumThreads(threads)
        return
    # Fresh processes everywhere: a forked one may hang on a lock that a thread of its parent held.
    others = set(active_children())
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield from pool.map(task, range(plan.images), chunksize=8)
    except BrokenProcessPool:
        raise UserError("a rendering process was killed from outside (memory?); try --workers 1") from None
    except BaseException:
        # A Ctrl-C while the pool starts would leave workers waiting for work, and the interpreter waiting for them.
        for worker in set(active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    if sys.platform != "win32":  # Ctrl-C is for the parent, which then ends its workers
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write_picture(folder: Path, plan: SyntheticPlan, index: int) -> Annotation:
    sample = plan.sample(index)
    split, name = plan.split_of(index), plan.name_of(index)
    pictures, labels = FOLDERS[plan.format]
    image = folder / pictures / split / name
    annotation = Annotation(image, plan.shape, sample.boxes, sample.labels)
    _write(image, _encoded(sample.image, plan.picture))
    if plan.format != "coco":
        text = yolo_text(annotation) if plan.format == "yolo" else voc_text(annotation, plan.classes)
        suffix = ".txt" if plan.format == "yolo" else ".xml"
        _write(folder / labels / split / f"{image.stem}{suffix}", text.encode())
    return annotation


def _encoded(image: Image, kind: PictureFormat) -> bytes:
    done, data = cv2.imencode(f".{kind}", np.ascontiguousarray(image[..., ::-1]), ENCODING[kind])
    if not done:
        raise RuntimeError(f"OpenCV did not encode a picture as {kind}")
    return bytes(data)


def _write(path: Path, data: bytes) -> None:
    try:  # not synced one by one: the YAML, written last, says that all files exist
        path.write_bytes(data)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", path=path) from None


def _yaml_text(plan: SyntheticPlan) -> str:
    pictures, labels = FOLDERS[plan.format]
    suffix = ".json" if plan.format == "coco" else ""
    splits = {name: {"images": f"{pictures}/{name}", "labels": f"{labels}/{name}{suffix}"} for name in plan.splits}
    name = "synthetic" if plan.recipe == "parts" else f"synthetic-{plan.recipe}"
    values = {"name": name, "root": ".", "format": plan.format, "classes": list(plan.classes), "splits": splits}
    recipe = "" if plan.recipe == "parts" else f"--recipe {plan.recipe} "
    size = f"--imgsz {plan.imgsz}" if plan.size is None else f"--size {plan.size[0]}x{plan.size[1]}"
    if plan.defects is not None:
        size += f" --defects {plan.defects[0]}-{plan.defects[1]}"
    command = (
        f"lightdet data synth --images {plan.images} --seed {plan.seed} {size} --val {plan.val} "
        f"--clean {plan.clean} --format {plan.format} --picture {plan.picture} {recipe}--output DIR"
    )
    what = "parts with defects" if plan.recipe == "parts" else "many kinds of defects, for pretraining"
    header = f"# Rendered pictures of {what}; made again by:\n#   {command}\n"
    return header + yaml.safe_dump(values, sort_keys=False)
