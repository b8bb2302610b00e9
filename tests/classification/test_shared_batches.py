"""A batch taken in parts, by replicas or one after the other, gives the gradients of the whole."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from small_training import make_trainer
from torch import Tensor

from lightdet.classification.task import ClassifyLoss
from lightdet.training.replicas import Peers
from lightdet.training.trainer import Trainer

PLAIN = ["train.freeze_batchnorm=true", "train.clip_norm=0", "train.probe=false", "train.threads=1"]
"""Nothing that depends on which pictures are looked at together."""


def network(output: str = "softmax") -> str:
    return f"model={{name: cnn, widths: [8, 16], hidden: [16], dropout: 0, output: {output}}}"


def assert_same_gradients(one: Trainer, other: Trainer) -> None:
    named = one.task.network.named_parameters()
    for (name, mine), theirs in zip(named, other.task.network.parameters(), strict=True):
        assert mine.grad is not None and theirs.grad is not None, name
        scale = float(mine.grad.abs().max())
        torch.testing.assert_close(theirs.grad, mine.grad, rtol=0, atol=1e-4 * scale + 1e-7, msg=name)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("weights", ["none", "[1, 5]", "inverse_frequency"])
def test_replicas_give_the_gradients_of_one_network(part_set: Path, tmp_path: Path, weights: str, output: str) -> None:
    changes = [*PLAIN, network(output), f"loss.class_weights={weights}"]
    one, two = (
        make_trainer(part_set, tmp_path / str(count), [*changes, f"train.replicas={count}"]) for count in (1, 2)
    )
    batch = next(each for each in one.loader.epoch(0) if uneven(each.labels))
    losses = []
    for each in (one, two):
        each._training_mode()
        losses.append(each.gradients(batch).total)
        each.gradients.collect()
    torch.testing.assert_close(*losses)
    assert_same_gradients(one, two)
    two.gradients.close()


def uneven(labels: Tensor) -> bool:
    """Whether the halves of a batch hold different shares of the classes."""
    first, second = labels.chunk(2)
    return int(first.sum()) != int(second.sum())


def test_a_validation_in_one_process_waits_for_nobody(part_set: Path, tmp_path: Path) -> None:
    changes = [*PLAIN, network(), "loss.class_weights=[1, 5]", "train.replicas=2", "train.epochs=1"]
    assert make_trainer(part_set, tmp_path, changes).fit().done


def test_parts_divide_by_the_weights_of_all() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(8, 3), torch.tensor([0, 0, 0, 0, 0, 0, 2, 1])
    loss, peers = ClassifyLoss(class_weights=torch.tensor([1.0, 5.0, 9.0]), label_smoothing=0.1), Peers(2)
    found: list[Tensor] = [torch.zeros(())] * 2

    def part(rank: int) -> None:
        half = slice(4 * rank, 4 * rank + 4)
        found[rank] = loss(logits[half], labels[half], peers.members()[rank].mean)

    threads = [threading.Thread(target=part, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torch.testing.assert_close(torch.stack(found).mean(), loss(logits, labels))


@pytest.mark.parametrize(
    ("large", "accumulate", "first"),
    [(8, 2, 0), (12, 3, 0), (8, 5, 5)],
    ids=["two", "three", "two left over at the end of the epoch"],
)
def test_accumulated_batches_give_the_gradients_of_a_large_one(
    part_set: Path, tmp_path: Path, large: int, accumulate: int, first: int
) -> None:
    steps = []
    for batch, together in ((large, 1), (4, accumulate)):
        changes = [*PLAIN, network(), "train.replicas=1", f"train.batch={batch}", f"train.accumulate={together}"]
        trainer = make_trainer(part_set, tmp_path / str(batch), changes)
        trainer.gradients.clear = lambda: None  # type: ignore[method-assign] # they are looked at after the step
        trainer._training_mode()
        trainer.progress.batch = first * large // batch
        for pictures in trainer.loader.epoch(0, first=trainer.progress.batch):
            trainer._take(pictures)
            if trainer.progress.step:
                break
        steps.append(trainer)
    assert_same_gradients(*steps)
