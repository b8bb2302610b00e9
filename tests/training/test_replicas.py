"""Replicas take the step that one network with the same normalization takes, and repeat it to the last bit."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest_training import SMALL, assert_same_tensors, make_trainer
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lightdet.assembly.computing import compute_with
from lightdet.assembly.trainer import RunContext
from lightdet.classification.dataset import ImageBatch
from lightdet.compute import Computing
from lightdet.config import TrainConfig
from lightdet.errors import UserError
from lightdet.models.weights import read_safetensors
from lightdet.structures import Batch
from lightdet.training.checkpoint import Progress, TrainingState, load_state
from lightdet.training.distributed import Processes
from lightdet.training.replicas import Peers, draws_numbers, replica_of
from lightdet.training.reporting import SilentReporter
from lightdet.training.trainer import Trainer

assert SMALL
PROBELESS = ["train.probe=false"]


def trainer(defect_set: Path, folder: Path, replicas: int, *changes: str, **options: Any) -> Trainer:
    return make_trainer(
        defect_set, folder, [*PROBELESS, f"train.replicas={replicas}", "train.threads=1", *changes], **options
    )


@given(count=st.sampled_from([1, 2, 3, 4]), each=st.integers(1, 3), data=st.data())
def test_parts_hold_every_picture_and_box_once(count: int, each: int, data: st.DataObject) -> None:
    total = count * each
    rows = data.draw(st.lists(st.integers(0, total - 1), max_size=9))
    targets = torch.tensor([[float(row), 1.0, 0, 0, k + 1, 2] for k, row in enumerate(rows)]).reshape(-1, 6)
    images = torch.arange(total, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)
    parts = Batch(images, targets, tuple(range(total))).parts(count)
    assert torch.equal(torch.cat([part.images for part in parts]), images)
    assert [index for part in parts for index in part.indices] == list(range(total))
    back = [part.targets + torch.tensor([number * each, 0, 0, 0, 0, 0]) for number, part in enumerate(parts)]
    joined = torch.cat(back)
    assert sorted(map(tuple, joined.tolist())) == sorted(map(tuple, targets.tolist()))
    labels = ImageBatch(images, torch.arange(total), tuple(range(total))).parts(count)
    assert torch.equal(torch.cat([part.labels for part in labels]), torch.arange(total))


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ValueError, match="shared evenly"):
        Batch(torch.zeros(3, 3, 2, 2), torch.zeros(0, 6)).parts(2)


def test_replicas_share_weights_and_nothing_else() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    other = replica_of(network)
    with torch.no_grad():
        network[0].weight.add_(1)  # type: ignore[operator]
    assert torch.equal(other[0].weight, network[0].weight)  # type: ignore[arg-type]
    other(torch.rand(2, 3, 4, 4)).sum().backward()
    assert network[0].weight.grad is None
    assert not torch.equal(other[1].running_mean, network[1].running_mean)  # type: ignore[arg-type]


def test_all_get_the_mean_at_every_meeting() -> None:
    peers = Peers(3)
    found: list[list[float]] = [[], [], []]

    def ask(rank: int) -> None:
        for meeting in range(50):
            found[rank].append(float(peers.mean(rank, torch.tensor(float(rank + meeting)))))

    threads = [threading.Thread(target=ask, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[1.0 + meeting for meeting in range(50)]] * 3


@pytest.mark.parametrize("replicas", [2, 4])
def test_the_gradients_are_those_of_one_network(defect_set: Path, tmp_path: Path, replicas: int) -> None:
    # Statistics that stand still: otherwise normalization sees the parts.
    one = trainer(defect_set, tmp_path / "one", 1, "train.freeze_batchnorm=true")
    many = trainer(defect_set, tmp_path / "many", replicas, "train.freeze_batchnorm=true")
    batch = next(one.loader.epoch(0))
    losses = []
    for each in (one, many):
        each._training_mode()
        losses.append(each.gradients(batch))
        each.gradients.collect()
    torch.testing.assert_close(losses[0].total, losses[1].total)
    assert losses[0].parts.keys() == losses[1].parts.keys()
    for (name, mine), other in zip(one.task.network.named_parameters(), many.task.network.parameters(), strict=True):
        assert mine.grad is not None and other.grad is not None, name
        scale = float(mine.grad.abs().max())
        torch.testing.assert_close(other.grad, mine.grad, rtol=0, atol=1e-4 * scale + 1e-7)
    many.gradients.close()


def test_a_training_repeats_and_resumes_to_the_last_bit(defect_set: Path, tmp_path: Path) -> None:
    whole = trainer(defect_set, tmp_path / "whole", 2, "train.accumulate=2")
    whole.fit()
    first = trainer(defect_set, tmp_path / "parts", 2, "train.accumulate=2", with_run=True)
    first.reporter.batch_done = lambda losses: setattr(first.stop, "requested", first.progress.step == 3)  # type: ignore[method-assign]
    assert not first.fit().done
    state = load_state(tmp_path / "parts")
    assert state.run["computing"]["replicas"] == 2
    assert trainer(defect_set, tmp_path / "parts", 2, "train.accumulate=2", resume=state).fit().done
    weights = [read_safetensors(tmp_path / name / "last.safetensors")[0] for name in ("whole", "parts")]
    assert_same_tensors(*weights)


def test_a_resumed_training_computes_as_it_began(defect_set: Path, tmp_path: Path) -> None:
    first = trainer(defect_set, tmp_path, 2, "train.pools=onednn", with_run=True)
    first.reporter.batch_done = lambda losses: setattr(first.stop, "requested", True)  # type: ignore[method-assign]
    first.fit()
    again = make_trainer(defect_set, tmp_path, PROBELESS, resume=load_state(tmp_path), with_run=True)
    assert len(again.gradients.networks()) == 2
    assert again.run_facts["computing"]["pools"] == "onednn"
    again.gradients.close()


def test_statistics_are_the_mean_of_the_parts(defect_set: Path, tmp_path: Path) -> None:
    many = trainer(defect_set, tmp_path, 2)
    many._training_mode()
    batch = next(many.loader.epoch(0))
    norms = [m for m in many.task.network.modules() if isinstance(m, nn.BatchNorm2d)]
    before = norms[0].running_mean.clone()  # type: ignore[union-attr]
    single = [trainer(defect_set, tmp_path / str(k), 1) for k in range(2)]
    for each, part in zip(single, batch.parts(2), strict=True):
        each._training_mode()
        each.gradients(part)
    many.gradients(batch)
    own = [next(m for m in s.task.network.modules() if isinstance(m, nn.BatchNorm2d)).running_mean for s in single]
    assert not torch.equal(norms[0].running_mean, before)  # type: ignore[arg-type]
    torch.testing.assert_close(norms[0].running_mean, (own[0] + own[1]) / 2)  # type: ignore[operator]
    many.gradients.close()


def test_the_fault_of_one_replica_is_told_and_nobody_waits(defect_set: Path, tmp_path: Path) -> None:
    many = trainer(defect_set, tmp_path, 2)
    many._training_mode()
    tasks = many.gradients.tasks  # type: ignore[attr-defined]

    def fails(forward: Any, batch: Any) -> Any:
        raise UserError("this one")

    tasks[1].loss = fails
    with pytest.raises(UserError, match="this one"):
        many.gradients(next(many.loader.epoch(0)))
    many.gradients.close()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["train.replicas=3"], "multiple"),
        (["train.replicas=2", "train.batch=5"], "multiple"),
    ],
)
def test_replicas_that_cannot_be_are_refused(defect_set: Path, tmp_path: Path, changes: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        make_trainer(defect_set, tmp_path, changes)


@pytest.mark.parametrize(
    ("device", "processes"), [("cuda", Processes()), ("cpu", Processes(rank=0, count=2, local_rank=0))]
)
def test_replicas_are_not_resumed_where_they_cannot_be(tmp_path: Path, device: str, processes: Processes) -> None:
    before = TrainingState({}, Progress(), 0, {}, {}, {"computing": Computing(replicas=2).as_dict()})
    context = RunContext(tmp_path, torch.device(device), SilentReporter(), {}, processes, None, before, False, None)
    with pytest.raises(UserError, match=r"began with 2 replicas in one process on a CPU.*resume it so, or train in"):
        compute_with(nn.Conv2d(3, 3, 1), TrainConfig(precision="fp32"), 64, context)


def test_networks_that_draw_numbers_are_known() -> None:
    assert draws_numbers(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)))
    assert not draws_numbers(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.0)))
