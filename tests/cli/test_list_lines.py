"""Lists of pictures that the commands write name every picture, whatever its name begins with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_detector import save_small_detector

from lightdet.assembly.dataset import load_dataset
from lightdet.cli.app import main
from lightdet.data.dataset import read_split
from lightdet.data.scanning import list_entries, list_text
from lightdet.inference.sources import expand_sources
from lightdet.labelling.open_folder import open_folder

NAMES = ["#12 left", " 3 right", "plain", "# 7", "##", "4", "5", "6", "7", "8"]


def pictures(folder: Path) -> None:
    """Ten pictures, no two alike."""
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        noise = np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8)
        Image.fromarray(noise).resize((64, 64)).save(folder / f"{name}.png")


def yolo(folder: Path) -> None:
    pictures(folder / "images/train")
    (folder / "labels/train").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (folder / f"labels/train/{name}.txt").write_text(f"{number % 2} 0.5 0.5 0.2 0.2\n")
    (folder / "classes.txt").write_text("a\nb\n")


def classes(folder: Path) -> None:
    for name in ("#good", "bad"):
        pictures(folder / name)


def read(yaml: Path) -> list[str]:
    spec = load_dataset(yaml)
    return sorted(
        each.image.relative_to(yaml.parent).as_posix() for split in spec.splits for each in read_split(spec, split)[0]
    )


@pytest.mark.parametrize("made", [yolo, classes])
def test_init(tmp_path: Path, made: Callable[[Path], None]) -> None:
    folder = tmp_path / "set"
    made(folder)
    assert main(["data", "init", str(folder)]) == 0
    assert read(folder / "dataset.yaml") == sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*.png")
    )


def test_split(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    classes(folder)
    output = folder / "drawn"
    assert main(["data", "split", "--data", str(folder), "--output", str(output)]) == 0
    spec = load_dataset(output / "dataset.yaml")
    assert sum(len(read_split(spec, split)[0]) for split in spec.splits) == 2 * len(NAMES)


def test_pick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(tmp_path / "#parts")
    save_small_detector(tmp_path / "model.safetensors", ["a", "b"], bias=-1.0)
    monkeypatch.chdir(tmp_path)
    told = tmp_path / "pick.json"
    given = ["#parts", "-w", "model.safetensors", "-n", "20", "--output", "pick.txt", "--json", str(told)]
    assert main(["data", "pick", *given]) == 0
    picked = [entry["path"] for entry in json.loads(told.read_text())["picked"]]
    assert len(picked) == len(NAMES) and picked[0].startswith("#parts")
    read = [Path(str(source.target)) for source in expand_sources(["pick.txt"])]
    assert [path.resolve() for path in read] == [Path(name).resolve() for name in picked]


def test_an_order_for_labelling(tmp_path: Path) -> None:
    pictures(tmp_path / "set")
    pictures(tmp_path / "set/deeper")
    shown = [f"{name}.png" for name in NAMES] + [f"deeper/{name}.png" for name in NAMES]
    (tmp_path / "order.txt").write_text(list_text(shown))
    folder, _ = open_folder(tmp_path / "set", order=tmp_path / "order.txt")
    assert [picture.name for picture in folder.pictures] == shown


def test_other_lines_stay_as_they_are(tmp_path: Path) -> None:
    lines = ["a.png", "b/#1.png", "b/c.png\tgood", "/x/y.png"]
    assert list_text(lines) == "a.png\nb/#1.png\nb/c.png\tgood\n/x/y.png\n"
    (tmp_path / "list.txt").write_text(list_text([*lines, "#1.png", " 2.png"]))
    assert [entry for _, entry in list_entries(tmp_path / "list.txt")] == [*lines, "./#1.png", "./ 2.png"]
