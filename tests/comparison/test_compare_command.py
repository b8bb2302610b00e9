"""``lightdet compare`` from the command line to the page: whole, interrupted, extended, with failures and mistakes."""

import csv
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from comparison_runs import MODELS, NEARLY_ALL, SMALL, Compare, result, start, wait_for_epoch
from in_this_process import trained_here

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.detector import build_detector
from lightdet.assembly.detector_training import build_trainer, load_training_data
from lightdet.assembly.trainer import RunContext
from lightdet.cli.app import main
from lightdet.config import load_config, load_yaml
from lightdet.data.dataset import read_split
from lightdet.models.weights import read_safetensors
from lightdet.profiling import count_flops, count_parameters
from lightdet.runs.trainings import TrainingProgress, read_progress
from lightdet.training.folder_lock import folder_lock
from lightdet.training.reporting import SilentReporter

MEANS = ("map50", "map75", "map50_95")


def perfect_detections(data: Path, target: Path) -> None:
    """What is labelled, as somebody else's detections."""
    spec = load_dataset(data)
    rows = [
        {
            "image_id": annotation.image.name,
            "category_id": int(label),
            "bbox": [float(v) for v in (box[0], box[1], box[2] - box[0], box[3] - box[1])],
            "score": 0.9,
        }
        for annotation in read_split(spec, "val")[0]
        for box, label in zip(annotation.boxes, annotation.labels, strict=True)
    ]
    target.write_text(json.dumps(rows))


def test_the_files_of_a_whole_comparison(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert {"comparison.html", "comparison.md", "comparison.json", "tables", "plan.json", "profile.json"} <= names
    keys = ["summary", "table1", "table2", "table3", "table4", "runs"]
    assert {path.stem for path in (whole / "tables").iterdir()} == set(keys)
    value = result(whole)
    assert list(value["tables"]) == keys and list(value["models"]) == ["near", "far"]
    assert [run["seed"] for run in value["models"]["near"]["runs"]] == [0, 1]
    assert [run["epochs"] for run in value["models"]["near"]["runs"]] == [2, 2]
    rows = value["tables"]["table4"]["rows"]
    assert [row["name"] for row in rows] == ["8×8 (near)", "2×2 (far)"]
    page = (whole / "comparison.html").read_text(encoding="utf-8")
    parts = ("Detections side by side", "Accuracy against time", "had the same recipe", "compare near.yaml far.yaml --")
    for part in parts:
        assert part in page
    assert not list(whole.rglob("*.tmp")) and not list(whole.rglob(".lightdet.lock"))


def test_the_numbers_are_those_of_val(
    whole: Path, defect_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each run scored again by the command ``val``, median and ends worked out here."""
    found = []
    for seed in (0, 1):
        weights, target = whole / f"models/near/seed{seed}/last.safetensors", tmp_path / f"{seed}.json"
        args = ["val", "--weights", str(weights), "--data", str(defect_set), "--device", "cpu", NEARLY_ALL]
        assert main([*args, "--output", str(tmp_path / "val"), "--json", str(target)]) == 0
        found.append(json.loads(target.read_text()))
    model = result(whole)["models"]["near"]
    assert max(values["map50"] for values in found) > 0, "zeros would agree with anything"
    for key in MEANS:
        low, high = sorted(values[key] for values in found)
        assert model[key]["median"] == pytest.approx((low + high) / 2)
        assert (model[key]["min"], model[key]["max"]) == pytest.approx((low, high))
    row = next(csv.DictReader((whole / "tables/table1.csv").read_text(encoding="utf-8").splitlines()))
    for name, scores in found[0]["per_class"].items():
        low, high = sorted((scores["ap50"], found[1]["per_class"][name]["ap50"]))
        assert [float(row[f"{name}{end}"]) for end in ("", "_min", "_max")] == pytest.approx(
            [(low + high) / 2, low, high]
        )


def test_the_cost_is_that_of_the_network(whole: Path) -> None:
    cost = result(whole)["models"]["far"]["cost"]
    config = load_config(load_yaml(whole / "models/far/config.yaml"))
    network = build_detector(config.model, 6, 64)
    assert (cost["params"], cost["flops"], cost["imgsz"]) == (count_parameters(network), count_flops(network, 64), 64)
    assert cost["latency_ms"]["total"] > 0


def test_an_interrupted_training_ends_with_the_very_weights(whole: Path, defect_set: Path, tmp_path: Path) -> None:
    """near, seed 0 was stopped on the way; a training in one go gives the same to the last bit."""
    config = load_config(load_yaml(whole / "models/near/config.yaml"), ["train.seed=0"])
    data = load_training_data(config, load_dataset(defect_set))
    build_trainer(
        config, data, RunContext(folder=tmp_path, device=torch.device("cpu"), reporter=SilentReporter(), board=False)
    ).fit()
    once, _ = read_safetensors(tmp_path / "last.safetensors")
    parts, _ = read_safetensors(whole / "models/near/seed0/last.safetensors")
    assert once.keys() == parts.keys() and all(torch.equal(once[name], parts[name]) for name in once)


def test_nothing_is_done_twice(done: Callable[[], Path], compare: Compare) -> None:
    before = result(done())
    times = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*") if path.suffix == ".safetensors"}
    code, out, err = compare(*MODELS, "--json", "copy.json")
    assert (code, err) == (0, "") and "training" not in out and "scoring" not in out and "timing" not in out
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert result()["models"] == before["models"]
    assert Path("copy.json").read_bytes() == Path("out/comparison.json").read_bytes()


@pytest.mark.slow
def test_other_models_join(done: Callable[[], Path], compare: Compare) -> None:
    """A finished model twice, as two runs, and perfect detections; what was trained stays as it is."""
    done()
    perfect_detections(compare.data, Path("found.json"))
    weights = [f"again=out/models/near/seed{seed}/last.safetensors" for seed in (0, 1)]
    code, out, err = compare(*MODELS, *weights, "--predictions", "theirs=found.json", NEARLY_ALL)
    assert (code, err) == (0, "") and "training" not in out and "timing 3 models in turn" in out
    models = result()["models"]
    assert list(models) == ["near", "far", "again", "theirs"]
    for key in MEANS:
        assert models["theirs"][key]["median"] == pytest.approx(1.0)
        assert models["again"][key]["values"] == models["near"][key]["values"]
    assert models["theirs"]["cost"] is None and models["again"]["cost"]["params"] == models["near"]["cost"]["params"]
    assert [run["epochs"] for run in models["again"]["runs"]] == [2, 2]  # from the results.csv beside it
    text = Path("out/comparison.md").read_text(encoding="utf-8")
    assert "| theirs | **100.0** | **100.0** | – | – | – |" in text
    assert "Not trained here, so perhaps longer or in another way: again, theirs." in text


def test_one_that_fails_leaves_the_others(done: Callable[[], Path], compare: Compare) -> None:
    done()
    Path("wild.yaml").write_text(SMALL.format(stride=8) + "  # far too fast\n")
    Path("list.yaml").write_text(
        "models:\n  wild: {config: wild.yaml, seeds: [5],\n"
        "    overrides: [train.lr=1.0e+30, train.clip_norm=0, train.warmup_epochs=0]}\n"
    )
    with trained_here():
        code, out, err = compare(*MODELS, "--models", "list.yaml")
    assert (code, err) == (1, "")
    assert "wild, seed 5: failed: the training diverged in epoch 1" in out and "page: out/comparison.html" in out
    models = result()["models"]
    assert list(models) == ["wild", "near", "far"]
    assert "lower train.lr" in models["wild"]["problems"]["seed 5"] and models["wild"]["map50"] is None
    assert models["near"]["map50"] is not None and len(models["near"]["runs"]) == 2
    page = Path("out/comparison.html").read_text(encoding="utf-8")
    assert "Failed or missing (1)" in page and "do not have the same recipe" in page


def test_the_page_of_what_there_is(done: Callable[[], Path], compare: Compare) -> None:
    done()
    code, out, _ = compare(*MODELS, "--no-train", "--seeds", "0", "7", "--split", "val")
    assert code == 1 and "training" not in out
    far = result()["models"]["far"]
    assert far["problems"] == {"seed 7": "not trained yet (0 epochs done)"} and len(far["runs"]) == 1


def test_a_changed_plan_is_refused(done: Callable[[], Path], compare: Compare) -> None:
    done()
    told = compare.refused(*MODELS, "--epochs", "9")
    assert "out/models/near: was started with train.epochs: 2, and now it would be 9" in told
    told = compare.refused(*MODELS, "model.gate=scalar")
    assert "model.gate: channel, and now it would be scalar" in told
    assert load_config(load_yaml("out/models/near/config.yaml")).train.epochs == 2
    code, out, _ = compare(*MODELS, "train.workers=2", "eval.iou=0.5")  # changes no training
    assert code == 0 and "training" not in out and "scoring near, seed 1" in out
    assert load_config(load_yaml("out/models/near/config.yaml")).train.workers == 2


def test_pictures_that_changed_places_are_noticed(done: Callable[[], Path], compare: Compare) -> None:
    """Their number, their boxes and their bytes are what they were."""
    done()
    data = Path(shutil.copytree(compare.data.parent, "set")) / "dataset.yaml"
    first, second, *_ = sorted(Path("set/images/val").iterdir())
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    told = compare.refused(*MODELS, data=data)
    assert "the split 'val' is not what this comparison was started with (boxes or files were changed)" in told


def test_changed_data_are_refused(done: Callable[[], Path], compare: Compare) -> None:
    done()
    data = Path(shutil.copytree(compare.data.parent, "set")) / "dataset.yaml"
    assert compare(*MODELS, data=data)[0] == 0  # the same set elsewhere is the same
    labels = next(path for path in Path("set/labels/train").iterdir() if path.read_text())
    labels.write_text(labels.read_text().splitlines()[0] + "\n0 0.5 0.5 0.5 0.5\n0 0.4 0.4 0.5 0.5\n")
    assert "the split 'train' is not what this comparison was started with" in compare.refused(*MODELS, data=data)


def test_a_damaged_state_is_that_runs_failure(done: Callable[[], Path], compare: Compare) -> None:
    done()
    state = Path("out/models/near/seed1/state.safetensors")
    state.write_bytes(state.read_bytes()[:100])
    with trained_here():
        code, _, err = compare(*MODELS)
    assert (code, err) == (1, "")
    model = result()["models"]["near"]
    assert "is damaged" in model["problems"]["seed 1"] and len(model["runs"]) == 1


def test_two_at_work_in_one_folder(done: Callable[[], Path], compare: Compare) -> None:
    with folder_lock(done()):
        told = compare.refused(*MODELS)
    assert told.startswith("error: out: another comparison (process ") and "wait for it" in told


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals as in POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_same_command_goes_on(
    defect_set: Path, tmp_path: Path, compare: Compare, number: signal.Signals
) -> None:
    process = start(defect_set, tmp_path, "train.epochs=500", "--together", "2")
    folders = [tmp_path / f"out/models/{name}/seed0" for name in ("near", "far")]
    for folder in folders:
        wait_for_epoch(process, folder, 1)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (130, "interrupted\n"), out
    for folder in folders:
        with folder_lock(folder):  # nobody is left behind
            reached = read_progress(folder)
        assert reached is not None and not reached.done
    code, _, _ = compare(*MODELS, "train.epochs=500", "--no-train")
    assert code == 1 and f"({reached.epoch} epochs done)" in result()["models"]["far"]["problems"]["seed 0"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(os.name != "posix", reason="kills a process as POSIX does")
def test_killed_at_any_moment_the_same_command_goes_on(
    whole: Path, defect_set: Path, tmp_path: Path, compare: Compare
) -> None:
    """Killed while it starts, while it trains and while it scores, it ends with the numbers of an undisturbed one."""
    out = tmp_path / "out"
    moments = [
        (out / "plan.json").exists,
        lambda: (read_progress(out / "models/near/seed0") or TrainingProgress(0, False, ())).epoch >= 2,
        (out / "models/far/seed0/best.safetensors").exists,
        (out / "models/near/seed0/val/metrics.json").exists,
        (out / "profile.json").exists,
    ]
    for moment in moments:
        process = start(defect_set, tmp_path)
        try:
            while process.poll() is None and not moment():
                time.sleep(0.005)
        finally:
            process.kill()
            process.communicate()
    code, _, err = compare(*MODELS)
    assert (code, err) == (0, "")
    undisturbed = result(whole)["models"]
    for name, model in result()["models"].items():
        for key in MEANS:
            assert model[key] == undisturbed[name][key]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process as POSIX does")
def test_the_training_of_a_killed_comparison_saves_and_ends(defect_set: Path, tmp_path: Path, compare: Compare) -> None:
    process = start(defect_set, tmp_path, "train.epochs=5000")
    folder = tmp_path / "out/models/near/seed0"
    wait_for_epoch(process, folder, 1)
    process.kill()
    process.communicate()
    until = time.monotonic() + 60
    while (folder / ".lightdet.lock").exists():
        assert time.monotonic() < until, "the training goes on without its comparison"
        time.sleep(0.1)
    assert "stopped and saved" in (folder / "log.txt").read_text(encoding="utf-8")
