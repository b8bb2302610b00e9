"""Callbacks hear a training, may stop it, and lose nothing of it whatever they do."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest_training import Recorder, assert_same_tensors, make_trainer

import lightdet
from lightdet.errors import UserError
from lightdet.models.weights import load_model
from lightdet.training.callbacks.base import HOOKS, Callbacks, check_callbacks
from lightdet.training.checkpoint import load_state
from lightdet.training.trainer import LAST_FILE, Trainer


class Hears(lightdet.Callback):
    """Keeps what it hears; fails or asks to stop where it is told to."""

    def __init__(self, *, stop: int = 0, fail: str = "") -> None:
        self.heard: list[str] = []
        self.stop, self.fail = stop, fail

    def on_train_begin(self, run: lightdet.TrainingRun) -> None:
        self._hear(f"begin{' again' if run.resumed else ''}")

    def on_picture(self, name: str, image: Any, epoch: int) -> None:
        assert image.ndim == 3
        self._hear(f"{name} {epoch}")

    def on_epoch_end(self, record: Mapping[str, Any]) -> bool:
        self._hear(f"epoch {record['epoch']}")
        return bool(self.stop == record["epoch"])

    def on_train_end(self, result: lightdet.TrainResult) -> None:
        self._hear("stopped" if result.stopped else f"end {len(result.history)}")

    def on_train_failed(self, error: BaseException, saved: bool) -> None:
        self.heard.append(f"failed, {'saved' if saved else 'lost'}")

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        if what == self.fail:
            raise RuntimeError("a callback of somebody's own")


EPOCHS = 3
INSTALLED = {name: importlib.util.find_spec(name) is not None for name in ("mlflow", "wandb")}


def trainer(
    data: Path, folder: Path, *callbacks: Any, resume: bool = False, recorder: Recorder | None = None
) -> Trainer:
    made = make_trainer(
        data,
        folder,
        [f"train.epochs={EPOCHS}", "train.save_every=2"],
        reporter=recorder,
        resume=load_state(folder) if resume else None,
    )
    made.callbacks = Callbacks(callbacks)
    return made


@pytest.fixture(scope="module")
def undisturbed(defect_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    trainer(defect_set, folder).fit()
    return folder


def assert_the_same(folder: Path, undisturbed: Path) -> None:
    assert_same_tensors(load_state(folder).tensors, load_state(undisturbed).tensors)
    assert_same_tensors(load_model(folder / LAST_FILE)[0], load_model(undisturbed / LAST_FILE)[0])


def test_it_hears_everything_and_changes_nothing(defect_set: Path, tmp_path: Path, undisturbed: Path) -> None:
    hears = Hears()
    trainer(defect_set, tmp_path, hears).fit()
    epochs = [line for n in (1, 2, 3) for line in (f"validation {n}", f"epoch {n}")]
    assert hears.heard == ["begin", "training batch 0", *epochs, "end 3"]
    assert_the_same(tmp_path, undisturbed)


@pytest.mark.parametrize("epoch", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_stop_can_be_resumed_to_the_bit(defect_set: Path, tmp_path: Path, undisturbed: Path, epoch: int) -> None:
    hears, again = Hears(stop=epoch), Hears()
    reached = trainer(defect_set, tmp_path, hears).fit()
    assert (reached.epoch, reached.done, hears.heard[-1]) == (epoch, False, "stopped")
    trainer(defect_set, tmp_path, again, resume=True).fit()
    assert again.heard[0] == "begin again" and again.heard[-1] == "end 3"
    assert_the_same(tmp_path, undisturbed)


@pytest.mark.parametrize(
    "moment", ["validation 1", "epoch 3", *(pytest.param(f"epoch {n}", marks=pytest.mark.slow) for n in (1, 2))]
)
def test_what_raises_loses_nothing(defect_set: Path, tmp_path: Path, undisturbed: Path, moment: str) -> None:
    hears, beside, recorder = Hears(fail=moment), Hears(), Recorder()
    with pytest.raises(RuntimeError, match="somebody's own"):
        trainer(defect_set, tmp_path, hears, beside, recorder=recorder).fit()
    assert hears.heard[-1] == beside.heard[-1] == "failed, saved"
    assert any("which is saved: the training can be resumed" in note for note in recorder.notes)
    assert load_state(tmp_path).progress.epoch == int(moment[-1])
    if not load_state(tmp_path).progress.done:
        trainer(defect_set, tmp_path, resume=True).fit()
    assert_the_same(tmp_path, undisturbed)


def test_all_hear_the_end_though_one_fails(defect_set: Path, tmp_path: Path) -> None:
    fails, hears = Hears(fail="end 3"), Hears()
    with pytest.raises(RuntimeError):
        trainer(defect_set, tmp_path, fails, hears).fit()
    assert hears.heard[-1] == "end 3" and load_state(tmp_path).progress.done


class Misspelt:
    def on_epoch_ends(self, record: object) -> None: ...


class OnlyOne:
    def on_epoch_end(self, record: object) -> None: ...


WRONG = [
    ([Misspelt()], "nothing calls Misspelt.on_epoch_ends; did you mean on_epoch_end?"),
    ([object()], "object is not a callback: it has none of on_train_begin"),
    ([Hears], "callbacks holds the class Hears: make an object of it, Hears()"),
    (Hears(), "callbacks is a list of objects"),
]


@pytest.mark.parametrize(("given", "told"), WRONG)
def test_what_is_no_callback_is_refused(given: object, told: str) -> None:
    with pytest.raises(UserError) as raised:
        check_callbacks(given)
    assert told in str(raised.value)
    check_callbacks([OnlyOne(), Hears()])
    assert Callbacks([OnlyOne()]).want_pictures is False and Callbacks([Hears()]).want_pictures
    assert len(HOOKS) == 5


def resumed_with(defect_set: Path, folder: Path, first: Any, then: Any) -> None:
    """Two epochs, and the rest in a second sitting."""
    trainer(defect_set, folder, first, Hears(stop=2)).fit()
    trainer(defect_set, folder, then, resume=True).fit()


@pytest.mark.skipif(not INSTALLED["mlflow"], reason="needs the extra: pip install 'lightdet[mlflow]'")
@pytest.mark.filterwarnings("ignore")
def test_mlflow_holds_one_run_with_every_epoch(
    defect_set: Path, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "store").as_uri()
    resumed_with(defect_set, tmp_path / "out", lightdet.MLflow("parts", uri=uri), lightdet.MLflow("parts", uri=uri))
    client = mlflow.MlflowClient(uri)
    (found,) = client.search_runs([client.get_experiment_by_name("parts").experiment_id])
    assert found.info.status == "FINISHED"
    assert [each.step for each in client.get_metric_history(found.info.run_id, "map50")] == [1, 2, 3]
    assert {each.path for each in client.list_artifacts(found.info.run_id)} == {"best.safetensors"}
    assert_the_same(tmp_path / "out", undisturbed)


@pytest.mark.skipif(not INSTALLED["wandb"], reason="needs the extra: pip install 'lightdet[wandb]'")
@pytest.mark.filterwarnings("ignore")
def test_wandb_writes_offline(
    defect_set: Path, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    out = tmp_path / "out"
    resumed_with(defect_set, out, lightdet.WandB("parts", mode="offline"), lightdet.WandB("parts", mode="offline"))
    name = (out / "wandb.txt").read_text()
    assert len(list(out.glob(f"wandb/offline-run-*-{name}"))) >= 1
    assert_the_same(out, undisturbed)


@pytest.mark.parametrize("name", ["MLflow", "WandB"])
def test_a_missing_extra_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, name.lower(), None)
    with pytest.raises(UserError, match=rf"pip install 'lightdet\[{name.lower()}\]'"):
        getattr(lightdet, name)()
