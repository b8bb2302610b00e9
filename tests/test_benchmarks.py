"""Every benchmark can be imported and says what its options are, so that a name that moves breaks none unseen."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from lightdet.assembly.dataset import load_dataset
from lightdet.data.dataset import read_split
from lightdet.data.pictures import Pictures
from lightdet.data.pipeline import AugmentRecipe, TrainingSamples
from lightdet.data.synthetic import SyntheticPlan, Teacher, write_synthetic
from lightdet.files import write_json
from lightdet.runs.train import summary
from lightdet.training.checkpoint import Progress

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def imported(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location(f"benchmark_{request.param.stem}", request.param)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("imported", sorted(BENCHMARKS.glob("*.py")), indirect=True, ids=lambda path: path.stem)
def test_it_says_its_options(
    imported: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not hasattr(imported, "main"):
        return  # only what another one imports
    monkeypatch.setattr(sys, "argv", ["benchmark", "--help"])
    with pytest.raises(SystemExit) as ended:
        imported.main()
    assert ended.value.code == 0
    assert "--help" in capsys.readouterr().out


@pytest.mark.parametrize("imported", [BENCHMARKS / "pretraining.py"], indirect=True, ids=["pretraining"])
def test_pretraining_makes_samples_of_first_and_of_fresh_pictures(imported: ModuleType, tmp_path: Path) -> None:
    write_synthetic(tmp_path / "set", SyntheticPlan(6, 1, 96, val=0.34, recipe="teacher"))
    spec = load_dataset(tmp_path / "set" / "dataset.yaml")
    pictures = Pictures(read_split(spec, "train")[0], 96)
    fresh = imported.FreshPictures(pictures, Teacher(5, 96), redraw=2)
    samples = imported.FreshSamples(TrainingSamples(pictures, AugmentRecipe(), seed=0), fresh)
    for compose in (True, False):
        first, again, later = (samples.make(epoch, 0, 1, compose=compose).image for epoch in (0, 0, 3))
        assert first.shape == (96, 96, 3)
        assert (first == again).all()
        assert (first != later).any()
    fresh.epoch = 3
    assert not (fresh.draw(1, None).image == pictures.sample(1).image).all()


@pytest.mark.parametrize("imported", [BENCHMARKS / "reports.py"], indirect=True, ids=["reports"])
def test_an_interrupted_training_is_no_result(imported: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "train.json"
    assert imported.ended(report) is None
    for done in (False, True):
        told = summary(Progress(epoch=3, done=done), SimpleNamespace(train=[], val=[], skipped=[], notes=[]))
        write_json(report, told)
        assert imported.ended(report) == (told if done else None)


@pytest.mark.parametrize("imported", [BENCHMARKS / "picking.py"], indirect=True, ids=["picking"])
def test_picking_draws_the_same_pictures_when_it_continues(
    imported: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = [Path(f"{number}.png") for number in range(40)]
    labelled: list[list[Path]] = []
    monkeypatch.setattr(imported, "data_set", lambda pictures, *_: labelled.append(list(pictures)))
    monkeypatch.setattr(imported, "train", lambda *_: {})

    def rounds(count: int, name: str) -> list[Path]:
        options = SimpleNamespace(first=5, more=4, rounds=count, output=tmp_path / name)
        imported.run_arm("random", 3, pool, options)
        return labelled[-1]

    whole = rounds(4, "whole")
    rounds(2, "parts")
    assert rounds(4, "parts") == whole
    assert len(set(whole)) == 5 + 4 * 4
