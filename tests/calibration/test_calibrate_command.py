"""``lightdet calibrate`` from the command line to the record in the model file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from lightdet.calibration import upper_bound
from lightdet.cli.app import main

SIDE = 32
NAMES = ("dent", "scratch")
Told = tuple[int, str, str]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write a YOLO set and detections: each picture a defect's class (or None) and the scores found by class."""
    monkeypatch.chdir(tmp_path)
    images, labels = tmp_path / "set" / "images" / "val", tmp_path / "set" / "labels" / "val"
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    text = f"format: yolo\nroot: set\nclasses: [{', '.join(NAMES)}]\nsplits:\n  val:\n    images: images/val\n"
    (tmp_path / "set.yaml").write_text(text, encoding="utf-8")

    def write(pictures: list[tuple[int | None, dict[int, float]]], box: tuple[float, ...] = (8, 8, 10, 4)) -> None:
        rows = []
        for number, (defect, scores) in enumerate(pictures):
            pixels = np.full((SIDE, SIDE), 90, np.uint8)
            pixels[0, :2] = divmod(number, 256)  # no two alike
            Pil.fromarray(pixels).save(images / f"{number}.png")
            (labels / f"{number}.txt").write_text("" if defect is None else f"{defect} 0.5 0.5 0.3 0.2\n")
            rows += [
                {"image_id": f"{number}.png", "category_id": NAMES[label], "bbox": list(box), "score": score}
                for label, score in scores.items()
            ]
        Path("found.json").write_text(json.dumps(rows), encoding="utf-8")

    return write


@pytest.fixture
def calibrate(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def run(*args: str) -> Told:
        code = main(["calibrate", "--data", "set.yaml", "--predictions", "found.json", *args])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def spread(
    count: int, low: float, high: float, label: int, defect: int | None
) -> list[tuple[int | None, dict[int, float]]]:
    return [(defect, {label: round(float(s), 4)}) for s in np.linspace(low, high, count)]


def test_the_promise_and_what_it_costs(make: Callable[..., None], calibrate: Callable[..., Told]) -> None:
    make(spread(100, 0.3, 0.9, 0, 0) + spread(40, 0.01, 0.4, 0, None))
    code, out, _ = calibrate("--escape-rate", "0.05", "--json", "record.json")
    assert code == 0
    record = json.loads(Path("record.json").read_text())
    # The most escapes of 100 that still promise 5 % with 95 % confidence: found by trying all.
    allowed = max(k for k in range(100) if upper_bound(k, 100, 0.95) <= 0.05)
    threshold = np.linspace(0.3, 0.9, 100)[allowed]
    assert record["rule"]["threshold"] == pytest.approx(threshold, abs=1e-4)
    assert record["evidence"]["all"]["errors"] == allowed
    confusion = record["calibration_set"]["confusion"]
    assert confusion["bad"] == {"NG": 100 - allowed, "OK": allowed}
    rejected = int((np.linspace(0.01, 0.4, 40).round(4) >= record["rule"]["threshold"]).sum())
    assert confusion["good"] == {"NG": rejected, "OK": 40 - rejected}
    assert "with 95% confidence, a one-sided bound (promised 5.00%)" in out


@pytest.mark.parametrize("rate", ["--escape-rate", "--false-reject-rate"])
@pytest.mark.parametrize("defect", [0, 1, None])
def test_a_picture_counts_once(
    make: Callable[..., None], calibrate: Callable[..., Told], rate: str, defect: int | None
) -> None:
    make(spread(40, 0.3, 0.9, 0, 0) + spread(40, 0.01, 0.2, 0, None))
    images, labels = Path("set/images/val"), Path("set/labels/val")
    assert calibrate(rate, "0.2")[0] == 0
    (images / "copy.png").write_bytes((images / "7.png").read_bytes())
    (labels / "copy.txt").write_text("" if defect is None else f"{defect} 0.5 0.5 0.3 0.2\n")
    code, out, err = calibrate(rate, "0.2", "--on-error", "skip")
    assert code == 2 and out == "" and err.count("\n") == 1
    assert "7.png" in err and "copy.png" in err and "byte for byte" in err
    assert ("labelled differently" in err) == (defect != 0)
    (images / "copy.png").unlink()
    (labels / "copy.txt").unlink()
    assert calibrate(rate, "0.2")[0] == 0


def test_false_rejects_are_bounded_too(make: Callable[..., None], calibrate: Callable[..., Told]) -> None:
    make(spread(30, 0.3, 0.9, 0, 0) + spread(100, 0.01, 0.4, 0, None))
    code, *_ = calibrate("--false-reject-rate", "0.05", "--confidence", "0.9", "--json", "record.json")
    assert code == 0
    record = json.loads(Path("record.json").read_text())
    good = record["calibration_set"]["false_reject_rate"]
    assert upper_bound(good["count"], 100, 0.9) <= 0.05 < upper_bound(good["count"] + 1, 100, 0.9)


def test_each_class_has_its_own(make: Callable[..., None], calibrate: Callable[..., Told]) -> None:
    make(spread(80, 0.6, 0.9, 0, 0) + spread(80, 0.1, 0.5, 1, 1))
    code, *_ = calibrate("--escape-rate", "0.1", "--per-class", "--json", "record.json")
    assert code == 0
    thresholds = json.loads(Path("record.json").read_text())["rule"]["thresholds"]
    assert 0.6 <= thresholds["dent"] < 0.7
    assert 0.1 <= thresholds["scratch"] < 0.2


def test_small_defects_do_not_count(make: Callable[..., None], calibrate: Callable[..., Told]) -> None:
    make(spread(80, 0.6, 0.9, 0, 0), box=(8, 8, 10, 4))
    assert calibrate("--escape-rate", "0.1", "--min-size", "10")[0] == 0
    code, _, err = calibrate("--escape-rate", "0.1", "--min-size", "10.5")
    assert code == 2
    assert "nothing is found in 80 of 80 bad pictures" in err


def test_too_few_pictures_say_how_many_would_do(make: Callable[..., None], calibrate: Callable[..., Told]) -> None:
    make(spread(40, 0.5, 0.9, 0, 0))
    code, _, err = calibrate("--escape-rate", "0.01")
    assert code == 2
    assert err.count("\n") == 1
    assert "has 40 bad pictures, too few to promise an escape rate of at most 0.01 with 95% confidence" in err
    assert "at least 299 are needed" in err
    rate = err.split("--escape-rate ")[1].split()[0]
    assert calibrate("--escape-rate", rate)[0] == 0


def test_what_is_never_found_is_told(make: Callable[..., None], calibrate: Callable[..., Told]) -> None:
    make(spread(95, 0.5, 0.9, 0, 0) + [(0, {})] * 5)
    code, _, err = calibrate("--escape-rate", "0.05")
    assert code == 2
    assert "nothing is found in 5 of 100 bad pictures" in err
    rate = err.split("--escape-rate ")[1].split()[0]
    assert calibrate("--escape-rate", rate)[0] == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "give either --escape-rate or --false-reject-rate"),
        (["--escape-rate", "0.1", "--false-reject-rate", "0.1"], "give either"),
        (["--escape-rate", "5"], "must lie between 0 and 1 (1 % is 0.01), got 5"),
        (["--escape-rate", "nan"], "must lie between 0 and 1"),
        (["--escape-rate", "0.1", "--confidence", "95"], "the confidence must lie between 0 and 1"),
        (["--false-reject-rate", "0.1", "--per-class"], "--per-class needs --escape-rate"),
        (["--false-reject-rate", "0.1"], "has no good pictures"),
        (["--escape-rate", "0.1", "--min-size", "-1"], "smallest size"),
        (["--escape-rate", "0.1", "--output", "m.safetensors"], "use --json"),
        (["--escape-rate", "0.1", "--split", "test"], "test"),
    ],
)
def test_mistakes_are_told_in_one_line(
    make: Callable[..., None], calibrate: Callable[..., Told], flags: list[str], words: str
) -> None:
    make(spread(10, 0.5, 0.9, 0, 0))
    code, _, err = calibrate(*flags)
    assert code == 2
    assert err.count("\n") == 1
    assert words in err


def test_an_export_is_refused_before_any_picture(make: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    make(spread(10, 0.5, 0.9, 0, 0))
    Path("best.onnx").write_bytes(b"")
    code = main(["calibrate", "--weights", "best.onnx", "--data", "set.yaml", "--escape-rate", "0.1"])
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: best.onnx: an export takes the rule from its checkpoint: calibrate")


def test_the_record_travels_in_the_model_file(make: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    from lightdet.assembly.detector import build_detector
    from lightdet.card import ModelCard
    from lightdet.config import ModelConfig
    from lightdet.decisions import DecisionRule
    from lightdet.inference.predictor import Predictor
    from lightdet.models.weights import load_model, save_model
    from lightdet.runs import validate as validation
    from lightdet.structures import Preprocessing

    class Always:
        def __init__(self) -> None:
            self.names = NAMES
            self.preprocessing = Preprocessing(SIDE)
            self.milliseconds = {"network": 1.0, "postprocess": 0.0}

        def __call__(self, batch):  # type: ignore[no-untyped-def]
            return [(np.array([[4, 4, 20, 20]], np.float32), np.array([0.8], np.float32), np.zeros(1, np.int64))] * len(
                batch
            )

    make(spread(30, 0.5, 0.9, 0, 0))
    config = ModelConfig(widths=[8, 8, 8, 16, 16])
    network = build_detector(config, 2, SIDE)
    card = ModelCard(config.model_dump(mode="json"), NAMES, Preprocessing(SIDE), {"epoch": 3})
    save_model("best.safetensors", dict(network.state_dict()), card)
    monkeypatch.setattr(validation, "load", lambda *_, confidence, **__: Predictor(Always(), confidence=confidence))
    args = ["calibrate", "--weights", "best.safetensors", "--data", "set.yaml", "--escape-rate", "0.1"]
    assert main([*args, "--output", "line.safetensors"]) == 0
    assert load_model("best.safetensors")[1].decision is None
    assert main(args) == 0
    weights, after = load_model("best.safetensors")
    assert after.facts == {"epoch": 3}
    assert after.decision is not None
    assert DecisionRule.from_dict(after.decision["rule"]).threshold == 0.8
    assert after.decision["promise"] == {"rate": "escape_rate", "target": 0.1, "confidence": 0.95}
    assert all((weights[name] == value).all() for name, value in network.state_dict().items())
