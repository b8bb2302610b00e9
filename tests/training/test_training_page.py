"""The page of a training: whole, of one file, with what was trained on and what was found."""

import re
from pathlib import Path

import pytest
import yaml
from conftest_training import make_trainer

from lightdet.training import page as page_module
from lightdet.training.page import PAGE_FILE


@pytest.fixture(scope="module")
def trained(defect_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    make_trainer(defect_set, folder, ["train.epochs=2"], board=True).fit()
    return folder


def test_it_loads_nothing_and_shows_curves_batches_and_findings(trained: Path) -> None:
    text = (trained / PAGE_FILE).read_text(encoding="utf-8")
    assert "Training: first" in text and "2 epochs in " in text and "the training has ended" in text
    for heading in ("Curves", "Mean average precision", "Learning rate", "Validation pictures", "Worst misses"):
        assert f">{heading}</h" in text
    assert text.count('class="sheet-picture"') == 3
    assert text.count("<img") == text.count('src="data:image/jpeg;base64,') >= 4
    assert not re.search(r"(?:src|href)=\"(?!data:)", text) and "<script" not in text


def test_lines_have_a_point_for_each_measured_epoch(trained: Path) -> None:
    text = (trained / PAGE_FILE).read_text(encoding="utf-8")
    chart = text.split(">Loss</h3>")[1].split("</svg>")[0]
    assert len(re.search(r'<polyline points="([^"]*)" class="line', chart)[1].split()) == 2  # type: ignore[index]


def test_it_is_there_after_the_first_epoch_and_then_now_and_then(
    defect_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(page_module, "write_text", lambda path, text: written.append(text))
    make_trainer(defect_set, tmp_path, ["train.epochs=4"], board=True).fit()
    assert ["Epoch 1 of 4" in written[0], "has ended" in written[-1], len(written)] == [True, True, 2]


def test_a_split_without_boxes_shows_no_findings(defect_set: Path, tmp_path: Path) -> None:
    values = yaml.safe_load(defect_set.read_text()) | {"root": str(defect_set.parent)}
    del values["splits"]["val"]
    data = tmp_path / "set.yaml"
    data.write_text(yaml.safe_dump(values))
    make_trainer(data, tmp_path, ["train.epochs=1"], board=True).fit()
    shown = (tmp_path / PAGE_FILE).read_text(encoding="utf-8")
    assert "No epoch is scored: the last one counts as the best." in shown
    assert "Validation pictures" not in shown and "mAP@0.5" not in shown
