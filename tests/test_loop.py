"""The loop, as a person goes through it: label, train, correct proposals, train, serve, correct verdicts, train.

Everything by the commands and the pages' own addresses, from pictures without any label. The renderer knows the truth,
and what it says is what the person draws. After each training the model finds more in pictures that no training saw.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("fastapi", reason="the pages need pip install 'lightdet[service]'")
pytest.importorskip("httpx", reason="the tests of the pages need httpx")
sys.path.insert(0, str(Path(__file__).resolve().parent / "labelling"))

import httpx
from label_command import command

from lightdet.assembly.dataset import load_dataset
from lightdet.cli.app import main
from lightdet.data.dataset import read_split
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.evaluation.matching import FREE, match
from lightdet.structures import Annotation, Detections

SIDE, EPOCHS = 160, 30
PATIENCE = 240
"""Seconds for the service to start, and to end: on a busy computer both have taken more than one minute."""
NAME = "defect"
"""The person tells no kinds apart: of six, some have a handful of boxes, and a rise in them is chance."""
UNLABELLED, FIRST, FROM_LINE, TESTED = 60, 20, 60, 100
Boxes = list[dict[str, Any]]
"""``{"name", "box"}`` each, as both pages take them."""


def render(folder: Path, count: int, seed: int) -> dict[str, Annotation]:
    """Rendered pictures with their labels, by name, in `folder`; every kind of defect is just a defect."""
    write_synthetic(folder, SyntheticPlan(count, seed, SIDE, val=0))
    described = yaml.safe_load((folder / "dataset.yaml").read_text())
    for label in (folder / "labels" / "train").iterdir():
        rows = [f"0 {row.partition(' ')[2]}\n" for row in label.read_text().splitlines()]
        label.write_text("".join(rows))
    (folder / "dataset.yaml").write_text(yaml.safe_dump(described | {"classes": [NAME]}))
    annotations, _ = read_split(load_dataset(folder / "dataset.yaml"), "train")
    return {each.image.name: each for each in annotations}


def boxes_of(truth: Annotation) -> Boxes:
    return [{"name": NAME, "box": box} for box in truth.boxes.tolist()]


def lightdet(*words: object) -> None:
    assert main([str(word) for word in words]) == 0, words


def draw(folder: Path, told: Path, truths: dict[str, Annotation]) -> None:
    """Draw the boxes of these pictures on the labelling page, in place of what is proposed there."""
    with command(folder, told, "--class", NAME) as (_, url):
        client = httpx.Client(base_url=url, timeout=60)
        ids = {each["name"]: each["id"] for each in client.get("api/folder").json()["pictures"]}
        for name, truth in truths.items():
            address = f"api/pictures/{ids[name]}"
            marks = [each | {"origin": None} for each in boxes_of(truth)]
            sent = {"version": client.get(address).json()["version"], "marks": marks, "state": "labelled"}
            answer = client.put(address, json=sent)
            assert answer.status_code == 200, answer.text
        client.close()


def trained(seed: int, output: Path, *data: Path) -> Path:
    """Train as every time, from the package's weights; pictures without labels are left out."""
    # Four pictures for validation cannot tell which epoch is the best: it is the last one.
    settings = ("model.name=lightdet-nano", f"train.seed={seed}", f"train.validate_every={EPOCHS}")
    more = ("--imgsz", SIDE, "--epochs", EPOCHS, "--batch", 8, "--on-error", "skip")
    sets = [word for each in data for word in ("--data", each)]
    lightdet("train", *sets, "--output", output, *more, *settings)
    return output / "best.safetensors"


def score(weights: Path, test: Path) -> float:
    """mAP@0.5 in the pictures for testing."""
    told = weights.with_name("scores.json")
    lightdet("val", "--weights", weights, "--data", test, "--split", "train", "--json", told,
             "--output", weights.with_name("val"))  # fmt: skip
    found: float = json.loads(told.read_text())["map50"]
    return found


@contextmanager
def serving(weights: Path, folder: Path) -> Iterator[Any]:
    """The service on a free port, keeping every picture; gives a client."""
    folder.mkdir()
    told, log = folder / "ready.json", folder / "log"
    words = ["serve", str(weights), "--port", "0", "--database", str(folder / "inspections.sqlite3"), "--keep", "all"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "lightdet", *words, "--json", str(told)], stdout=file, stderr=file
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not told.is_file():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        with httpx.Client(base_url=json.loads(told.read_text())["url"], timeout=60) as client:
            yield client
    finally:
        process.terminate()
        process.wait(PATIENCE)


def is_right(result: dict[str, Any], truth: Annotation) -> bool:
    """Whether the defects found are those that are there, each at its place."""
    defects = [each for each in result["detections"] if each["defect"]]
    boxes = np.array([each["box"] for each in defects], np.float32).reshape(-1, 4)
    scores = np.array([each["score"] for each in defects], np.float32)
    matched = match(Detections(boxes, scores, np.zeros(len(defects), np.int64), (NAME,)), truth)
    return not matched.false_alarms.any() and bool((matched.detection != FREE).all())


def correct(client: Any, truths: dict[str, Annotation]) -> int:
    """Send the line's pictures, and correct what is wrong; returns how many that were."""
    wrong = 0
    for name, truth in truths.items():
        [result] = client.post("/api/detect", content=truth.image.read_bytes(), params={"name": name}).json()["results"]
        if is_right(result, truth):
            continue
        wrong += 1
        said = {"decision": "NG" if len(truth) else "OK", "note": "looked at by hand", "boxes": boxes_of(truth)}
        answer = client.post(f"/api/inspections/{result['id']}/corrections", json=said)
        assert answer.status_code == 201, answer.text
    return wrong


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [0, 1])
def test_each_round_finds_more(tmp_path: Path, seed: int) -> None:
    truths = render(tmp_path / "truth", UNLABELLED, 10 * seed + 1)
    line, tested = render(tmp_path / "line", FROM_LINE, 10 * seed + 2), tmp_path / "tested"
    render(tested, TESTED, 10 * seed + 3)
    parts, told = tmp_path / "parts", tmp_path / "told.json"
    parts.mkdir()
    for name, truth in truths.items():
        (parts / name).write_bytes(truth.image.read_bytes())
    names = sorted(truths)

    draw(parts, told, {name: truths[name] for name in names[:FIRST]})
    first = trained(seed, tmp_path / "first", parts)
    scores = [score(first, tested)]

    lightdet("data", "prelabel", parts, "--weights", first, "--format", "labelme", "--output", parts)
    draw(parts, told, {name: truths[name] for name in names[FIRST:]})
    second = trained(seed, tmp_path / "second", parts)
    scores.append(score(second, tested))

    with serving(second, tmp_path / "serve") as client:
        wrong = correct(client, line)
    lightdet("data", "collect", "--records", tmp_path / "serve", "--val", 0, "--output", tmp_path / "next")
    assert len(list((tmp_path / "next/images/train").iterdir())) == wrong > 0
    third = trained(seed, tmp_path / "third", parts, tmp_path / "next")
    scores.append(score(third, tested))
    print(f"mAP@0.5 with {FIRST}, {UNLABELLED} and {UNLABELLED} + {wrong} labelled pictures: {scores}")
    assert scores[0] < scores[1] < scores[2], scores
