"""``lightdet compare`` with classifiers: trained, scored over every split, timed, written, gone on with, refused."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from in_this_process import trained_here
from PIL import Image

from lightdet.cli.app import main
from lightdet.comparison.class_tables import measure, measure_of
from lightdet.comparison.classifier_view import ClassifierView, hardest
from lightdet.comparison.page import comparison_page
from lightdet.comparison.results import Comparison, Cost, Model, Run, Spread
from lightdet.comparison.tables import Column, Row, Table, csv_text, html, markdown

CONFIG = """\
task: classify
imgsz: 32
model: {model}
train: {{epochs: 4, batch: 8, lr: 0.003, warmup_epochs: 0.5, precision: fp32, workers: 1}}
"""
MODELS = {"one": "{name: cnn, widths: [8, 16], hidden: [16], dropout: 0.1}", "two": "{name: dnn, hidden: [8]}"}
SIZES = {"train": (24, 10), "val": (6, 6), "test": (5, 5)}
Told = tuple[int, str, str]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of discs with and without a dark hole."""
    root, rng = tmp_path_factory.mktemp("discs"), np.random.default_rng(0)
    for split, counts in SIZES.items():
        for kind, count in zip(("good", "bad"), counts, strict=True):
            (root / split / kind).mkdir(parents=True)
            for number in range(count):
                picture = rng.normal(90, 8, (40, 40)).clip(0, 255).astype(np.uint8)
                cv2.circle(picture, (20, 20), 14, 180, -1)
                if kind == "bad":
                    cv2.circle(picture, (int(rng.integers(14, 27)), int(rng.integers(14, 27))), 5, 20, -1)
                Image.fromarray(picture).save(root / split / kind / f"{split}{number}.png")
    (root / "parts.yaml").write_text(
        "format: folders\nclasses: [good, bad]\nsplits: {train: train, val: val, test: test}\n"
    )
    return root / "parts.yaml"


@pytest.fixture(scope="module")
def whole(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the configurations and a comparison of them."""
    folder = tmp_path_factory.mktemp("classifiers")
    for name, network in MODELS.items():
        (folder / f"{name}.yaml").write_text(CONFIG.format(model=network))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with trained_here():
            assert main(command(parts)) == 0
    return folder


def command(parts: Path, *more: str) -> list[str]:
    quick = ["--device", "cpu", "--runs", "2", "--threads", "1", "--pictures", "2", "--output", "out"]
    return ["compare", "one.yaml", "two.yaml", "--data", str(parts), *quick, *more]


@pytest.fixture
def here(whole: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(whole)
    return whole


@pytest.fixture
def run(here: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def run(*args: str) -> Told:
        code = main(list(args))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_every_number_is_that_of_val(here: Path, run: Callable[..., Told], parts: Path, tmp_path: Path) -> None:
    value = json.loads((here / "out/comparison.json").read_text())
    assert value["task"] == "classify" and value["splits"] == ["train", "val", "test"] and value["headline"] == "test"
    for model in value["models"]:
        (only,) = model["runs"]
        assert only["epochs"] == 4 and only["seed"] == 0 and only["fit"]
        assert {split: numbers["pictures"] for split, numbers in only["splits"].items()} == {
            split: sum(counts) for split, counts in SIZES.items()
        }
        assert model["cost"]["imgsz"] == 32 and model["cost"]["latency_ms"]["total"] > 0
    assert value["models"][1]["cost"]["params"] == (32 * 32 * 3 * 8 + 8) + (8 + 1)
    assert value["models"][1]["cost"]["flops"] == 2 * (32 * 32 * 3 * 8 + 8)
    weights = str(here / "out/models/one/seed0/last.safetensors")
    flags = ["--data", str(parts), "--split", "test", "--device", "cpu", "--output", str(tmp_path / "v")]
    assert run("val", "--weights", weights, *flags)[0] == 0
    told = json.loads((tmp_path / "v/metrics.json").read_text())
    mine = value["models"][0]["runs"][0]["splits"]["test"]
    assert {key: mine[key] for key in ("accuracy", "macro", "confusion", "per_class")} == {
        key: told[key] for key in ("accuracy", "macro", "confusion", "per_class")
    }


def test_files_and_page(here: Path) -> None:
    tables = {path.stem for path in (here / "out/tables").glob("*.csv")}
    assert tables == {"summary", "splits", "split_train", "split_val", "split_test", "classes", "cost", "runs"}
    row = next(csv.DictReader((here / "out/tables/split_test.csv").read_text().splitlines()))
    accuracy = json.loads((here / "out/comparison.json").read_text())["models"][0]["runs"][0]["splits"]["test"][
        "accuracy"
    ]
    assert float(row["accuracy"]) == accuracy["value"]
    assert [float(row["accuracy_low"]), float(row["accuracy_high"])] == pytest.approx(accuracy["interval"])
    page = (here / "out/comparison.html").read_text()
    assert "Over train, val and test" in page and page.count("<svg") >= 8 and "The hardest pictures" in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    text = (here / "out/comparison.md").read_text()
    assert "## Accuracy over train, val and test" in text and "## What the curves say" in text


def test_the_same_command_goes_on(here: Path, run: Callable[..., Told], parts: Path) -> None:
    code, out, _ = run(*command(parts))
    assert code == 0 and "training" not in out and "scoring" not in out and "timing" not in out
    code, out, err = run(*command(parts, "train.lr=0.1"))
    assert (code, out) == (2, "") and "was started with train.lr: 0.003, and now it would be 0.1" in err
    assert (here / "out/models/one/seed0/last.safetensors").is_file()


def test_finished_models_and_another_split(here: Path, run: Callable[..., Told], parts: Path, tmp_path: Path) -> None:
    weights = "ours=out/models/one/seed0/last.safetensors"
    flags = ["--data", str(parts), "--split", "val", "--device", "cpu", "--runs", "2", "--output", str(tmp_path / "o")]
    code, out, _ = run("compare", weights, *flags)
    assert code == 0 and "Accuracy (val) and cost" in out
    value = json.loads((tmp_path / "o/comparison.json").read_text())
    assert value["headline"] == "val" and value["models"][0]["runs"][0]["epochs"] == 4  # of the results.csv beside it


def test_the_page_names_the_confidence_that_was_used(
    here: Path, run: Callable[..., Told], parts: Path, tmp_path: Path
) -> None:
    """Finished models are scored with what the command says, others with their own configuration."""
    (here / "surer.yaml").write_text(CONFIG.format(model=MODELS["two"]) + "eval: {intervals: 0.99}\n")
    finished = ["--weights", "ours=out/models/one/seed0/last.safetensors"]
    flags = ["--data", str(parts), "--device", "cpu", "--runs", "2", "--output", str(tmp_path / "o"), "--no-train"]
    for rows, level in (
        (finished, "95"),
        ([*finished, "eval.intervals=0.9"], "90"),
        (["surer.yaml"], "99"),
        ([*finished, "surer.yaml"], "95 or 99"),
        ([*finished, "surer.yaml", "eval.intervals=0.9"], "90"),
    ):
        code, _, err = run("compare", *rows, *flags)
        assert (code, err) == (int("surer.yaml" in rows), "")  # it is not trained
        told = f"Intervals hold the true value with {level} % confidence."
        assert told in (tmp_path / "o/comparison.html").read_text()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["one.yaml", "model.widht=[3]"], "unknown key 'model.widht'"),
        (["one.yaml", "--split", "exam"], "there is no split 'exam'"),
        (["one.yaml", "--predictions", "found.json"], "one.yaml is a classifier and found.json a detector"),
        (["one.yaml", "boxes.yaml"], "one.yaml is a classifier and boxes.yaml a detector"),
        (["boxes.yaml"], "gives each picture a class (format: folders), and a detector needs boxes"),
        (["out/models/one/seed0/last.safetensors", "train.lr=1"], "would change a training, and there is none"),
        (["cut.safetensors"], "cut.safetensors: "),
        (["x=out/models/one/seed0/last.safetensors", "x=out/models/two/seed0/last.safetensors"], "must be one network"),
    ],
)
def test_mistakes_are_told_in_one_line(
    here: Path, run: Callable[..., Told], parts: Path, tmp_path: Path, args: list[str], told: str
) -> None:
    (here / "boxes.yaml").write_text("imgsz: 64\n")
    (here / "found.json").write_text("[]")
    (here / "cut.safetensors").write_bytes((here / "out/models/one/seed0/last.safetensors").read_bytes()[:3000])
    code, out, err = run("compare", *args, "--data", str(parts), "--device", "cpu", "--output", str(tmp_path / "new"))
    assert (code, out) == (2, "") and told in err and err.count("\n") == 1
    assert not list((tmp_path / "new").glob("*.html"))


def test_profile_takes_a_classifier(here: Path, run: Callable[..., Told]) -> None:
    weights = "out/models/two/seed0/last.safetensors"
    code, _, err = run("profile", "--weights", weights, "--runs", "2", "--device", "cpu", "--json", "p.json")
    assert (code, err) == (0, "")
    assert json.loads(Path("p.json").read_text())["params"] == (32 * 32 * 3 * 8 + 8) + (8 + 1)
    code, _, err = run("profile", "--config", "two.yaml", "--runs", "2", "--device", "cpu", "--json", "p.json")
    assert (code, err) == (0, "")
    assert json.loads(Path("p.json").read_text())["params"] == (32 * 32 * 3 * 8 + 8) + (8 + 1)


# Tables and pages of made-up numbers.


def estimate(value: float | None, reach: float = 0.05) -> dict[str, Any]:
    return {"value": value, "interval": None if value is None else [max(0.0, value - reach), min(1.0, value + reach)]}


def metrics(accuracy: float) -> dict[str, Any]:
    means = {name: estimate(accuracy) for name in ("precision", "recall", "f1", "specificity", "auc")}
    return {"accuracy": estimate(accuracy), "macro": means, "per_class": {"<ok>": means, "ng": means}}


def network(name: str, *accuracies: float, wrong: Mapping[int, Sequence[Any]] | None = None) -> Model:
    runs = tuple(
        Run(f"seed {seed}", seed, {"train": metrics(1.0), "test": metrics(value)}, shown=(wrong or {}).get(seed, ()))
        for seed, value in enumerate(accuracies)
    )
    cost = Cost(1_000_000, 2_000_000, 64, {"network": 1.0, "total": 2.0}, {"total": 3.0})
    return Model(name, "trained", f"{name}.yaml", runs, cost=cost)


def page(*models: Model) -> str:
    made = Comparison("A <title>", ("<ok>", "ng"), models, ClassifierView(("train", "test"), "test"))
    return comparison_page(made, made.view.tables(made), lambda path: np.zeros((4, 4, 3), np.uint8))


def test_the_interval_is_that_of_the_run_in_the_middle() -> None:
    found = measure(network("x", 0.9, 0.5, 0.8), "test", measure_of("accuracy"))
    assert found == Spread((0.9, 0.5, 0.8), pytest.approx((0.75, 0.85)))  # type: ignore[arg-type]
    column = Column("accuracy", "accuracy", 100.0)
    assert column.text(found) == "80.0 (50.0–90.0) [75.0–85.0]"
    assert column.text(Spread((0.8,), (0.75, 0.85))) == "80.0 [75.0–85.0]"
    assert measure(network("x", 0.9), "val", measure_of("accuracy")) is None


@pytest.mark.parametrize("accuracies", [(0.9, 0.5), (0.95, 0.5, 0.9, 0.1), (0.7, 0.7)])
def test_an_interval_holds_the_median_of_an_even_number_of_runs(accuracies: tuple[float, ...]) -> None:
    low, high = sorted(accuracies)[len(accuracies) // 2 - 1 : len(accuracies) // 2 + 1]
    found = measure(network("x", *accuracies), "test", measure_of("accuracy"))
    assert found is not None and found.interval == pytest.approx((low - 0.05, min(1.0, high + 0.05)))


def test_each_number_has_the_interval_of_its_own_median() -> None:
    """The run with the median accuracy may be far from the median in another number."""
    numbers = [{**metrics(accuracy), "macro": {"auc": estimate(auc)}} for accuracy, auc in ((0.5, 0.7), (0.6, 0.9))]
    numbers.append({**metrics(0.7), "macro": {"auc": estimate(None)}})
    numbers.append({**metrics(0.8), "macro": {"auc": estimate(0.8)}})
    runs = tuple(Run(f"seed {seed}", seed, {"test": each}) for seed, each in enumerate(numbers))
    found = measure(Model("x", "trained", "x.yaml", runs), "test", measure_of("auc"))
    assert found is not None and found.median == 0.8 and found.interval == pytest.approx((0.75, 0.85))


def test_intervals_in_every_form_of_a_table() -> None:
    cells: Sequence[Any] = (Spread((0.8,), (0.75, 0.85)), None, Spread((0.7, 0.9)))
    table = Table("t", "T", "name", (Column("a", "A", 100.0),), tuple(Row(str(i), (c,)) for i, c in enumerate(cells)))
    rows = list(csv.reader(csv_text(table).splitlines()))
    assert rows[0] == ["name", "a", "a_min", "a_max", "a_low", "a_high"]
    assert rows[1:] == [
        ["0", "0.8", "0.8", "0.8", "0.75", "0.85"],
        ["1", "", "", "", "", ""],
        ["2", "0.8", "0.7", "0.9", "", ""],
    ]
    assert "| 0 | 80.0 [75.0–85.0] |" in markdown(table) and "[75.0–85.0]</small>" in str(html(table))


def test_a_page_of_nothing_but_failures() -> None:
    failed = Model("x", "trained", "x.yaml", problems={"seed 0": "memory <ran> out"})
    text = page(failed, network("y", 0.5))
    assert "memory &lt;ran&gt; out" in text and "A &lt;title&gt;" in text
    assert "Over train" not in page(failed)


def test_the_hardest_pictures_are_those_most_get_wrong() -> None:
    def mistake(image: str, probability: float) -> dict[str, Any]:
        return {"image": image, "is": "ok", "taken": "ng", "probability": probability}

    models = [
        network("x", 0.5, wrong={0: [mistake("a", 0.6), mistake("b", 0.9)]}),
        network("y", 0.5, wrong={0: [mistake("c", 0.7), mistake("a", 0.6)]}),
        network("z", 0.5, 0.4, 0.6, wrong={1: [mistake("d", 1.0)]}),  # not its middle run
    ]
    found = hardest(models, "test", 3)
    assert [each.path.name for each in found] == ["a", "b", "c"]
    assert found[0].taken == {"x": ("ng", 0.6), "y": ("ng", 0.6)}
