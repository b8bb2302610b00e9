"""A trained network answers the same in whatever way the measurement takes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from random_statistics import randomize_statistics
from torch import Tensor, nn

from lightdet.assembly.detector import build_detector
from lightdet.compute import PROBE_VARIABLE, Computing, inference, ready_for_inference
from lightdet.config import ModelConfig
from lightdet.inference.torch_runtime import TorchRuntime
from lightdet.layers.pool import pools_in_use
from lightdet.models.fast_cpu import fast_cpu
from lightdet.structures import Preprocessing

CPU = torch.device("cpu")


TRAINED, REWRITTEN = nn.Identity(), nn.Identity()


@pytest.fixture
def kept() -> list[str]:
    """One entry for each time that the allocator was told to keep freed memory."""
    return []


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch, kept: list[str]) -> Callable[..., tuple[nn.Module, Computing]]:
    """Choose as if a forward pass took 1 second, and 0.1 in the ways given."""

    def choose(*quick: dict[str, Any], told: str = "on", **options: Any) -> tuple[nn.Module, Computing]:
        def seconds(network: nn.Module, images: Tensor, computing: Computing, best: float) -> float:
            assert network is (REWRITTEN if computing.rewritten else TRAINED)
            assert images.is_contiguous(memory_format=computing.memory_format)
            return 0.1 if any(way.items() <= computing.as_dict().items() for way in quick) else 1.0

        monkeypatch.setattr(inference, "forward_seconds", seconds)
        monkeypatch.setenv(PROBE_VARIABLE, told)
        monkeypatch.setattr(inference, "SECONDS", 60.0)  # the machine may be busy
        monkeypatch.setattr(inference, "keep_freed_memory", lambda: kept.append(told))
        torch.set_num_threads(2)
        return ready_for_inference(TRAINED, REWRITTEN, side=32, device=CPU, **options)

    return choose


@pytest.mark.parametrize(
    ("quick", "expected"),
    [
        ({"rewritten": True}, Computing(rewritten=True, threads=2)),
        ({"rewritten": True, "threads": 1}, Computing(rewritten=True, threads=1)),
        ({"rewritten": False, "pools": "torch"}, Computing(threads=2)),
        ({"rewritten": False, "pools": "onednn"}, Computing(pools="onednn", threads=2)),
        ({"channels_last": False}, Computing(channels_last=False, threads=2)),
        ({"threads": 4}, Computing(rewritten=True, threads=2)),
    ],
)
def test_the_quickest_way_is_taken(probed: Any, quick: dict[str, Any], expected: Computing) -> None:
    network, found = probed(quick)
    assert network is (REWRITTEN if expected.rewritten else TRAINED)
    assert Computing(**{**found.as_dict(), "images_per_second": None}) == expected
    assert (pools_in_use(), torch.get_num_threads()) == (expected.pools, expected.threads)
    assert found.images_per_second == (10 if "threads" not in quick or quick["threads"] < 4 else 1)


def test_threads_and_precision_of_the_user_are_kept(probed: Any) -> None:
    _, found = probed({"threads": 1}, threads=2, precision="bf16")
    assert (found.threads, found.precision) == (2, "bf16")


def test_freed_memory_is_kept_for_the_next_picture(probed: Any, kept: list[str]) -> None:
    probed({})
    assert kept == ["on"]


def test_without_the_probe_nothing_is_run(probed: Any, kept: list[str]) -> None:
    network, found = probed({"rewritten": False}, told="off")
    assert network is REWRITTEN and not kept
    assert found == Computing(rewritten=True, threads=2)


def test_a_rewriting_that_could_not_be_proved_is_not_claimed() -> None:
    network, found = ready_for_inference(TRAINED, TRAINED, side=32, device=CPU)
    assert network is TRAINED and not found.rewritten and "rewritten" not in found.describe()


def test_the_measurement_takes_its_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROBE_VARIABLE, "on")
    monkeypatch.setattr(inference, "SECONDS", 0.0)
    tried = []
    monkeypatch.setattr(inference, "forward_seconds", lambda *given: tried.append(given) or 1.0)
    ready_for_inference(TRAINED, REWRITTEN, side=32, device=CPU)
    assert len(tried) == 1


def test_every_way_gives_the_same_values() -> None:
    torch.manual_seed(0)
    detector = randomize_statistics(build_detector(ModelConfig(widths=(8, 16, 16, 32, 32)), 3, 64))
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    results = []
    for rewritten, last, pools in product((True, False), (True, False), ("torch", "onednn")):
        way = Computing(channels_last=last or rewritten, pools=pools)  # type: ignore[arg-type]
        way.apply()
        network = (fast_cpu(detector) if rewritten else detector).to(memory_format=way.memory_format)
        with torch.inference_mode():
            results.append(network(images.contiguous(memory_format=way.memory_format)))
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            torch.testing.assert_close(theirs, mine, rtol=0, atol=1e-4 * float(mine.abs().max()))


def test_the_rewritten_network_is_what_a_detector_runs() -> None:
    detector = build_detector(ModelConfig(widths=(8, 16, 16, 32, 32)), 3, 64).eval()
    assert type(fast_cpu(detector)) is type(detector)
    runtime = TorchRuntime(detector, ("a", "b", "c"), Preprocessing(64))
    assert runtime.computing.rewritten and "rewritten network" in runtime.computing.describe()
    assert runtime.running is not runtime.detector
    assert runtime.as_trained().running is runtime.detector
