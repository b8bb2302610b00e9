"""Every way to compute gives the same values; the probe keeps its second, its hands off, and to what was fixed."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lightdet.assembly.detector import build_detector
from lightdet.compute import PROBE_VARIABLE, Computing, Wanted, choose_computing, fixed_computing
from lightdet.compute.probe import STEADY, STEP, _Probe, preferred, shares
from lightdet.config import ModelConfig
from lightdet.layers.pool import pools_in_use

CPU = torch.device("cpu")


def detector() -> nn.Module:
    torch.manual_seed(0)
    return build_detector(ModelConfig(widths=(8, 16, 16, 32, 32)), 3, 64)


# Normalization over the few cells of a small map makes much of the last digit.
@pytest.mark.parametrize(("training", "tolerance"), [(False, 1e-4), (True, 2e-2)])
def test_all_variants_give_the_same_values_and_gradients(training: bool, tolerance: float) -> None:
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    results = []
    for last, pools, threads in product((True, False), ("torch", "onednn"), (1, 2)):
        computing = Computing(channels_last=last, pools=pools, threads=threads)  # type: ignore[arg-type]
        computing.apply()
        network = detector().train(training).to(memory_format=computing.memory_format)  # type: ignore[call-overload]
        grids = network(images.contiguous(memory_format=computing.memory_format))
        sum((grid**2).mean() for grid in grids).backward()  # type: ignore[union-attr]
        results.append([*grids, *(p.grad for p in network.parameters())])
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            scale = float(mine.detach().abs().max())
            torch.testing.assert_close(theirs, mine, rtol=0, atol=tolerance * max(scale, 1e-3))


def test_the_probe_takes_about_a_second_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROBE_VARIABLE, "on")
    network = detector()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state, mode = torch.get_rng_state(), network.training
    began = time.perf_counter()
    chosen = choose_computing(network, Wanted(), imgsz=64, batch=8, device=CPU)
    assert time.perf_counter() - began < 20  # a second on a quiet machine
    assert torch.equal(state, torch.get_rng_state())
    assert (pools_in_use(), torch.get_num_threads(), network.training) == ("torch", 1, mode)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is None for p in network.parameters())
    assert chosen.images_per_second is not None and chosen.images_per_second > 0
    assert 8 % chosen.replicas == 0
    assert "img/s" in chosen.describe()


def test_what_is_fixed_is_not_chosen_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROBE_VARIABLE, "on")
    wanted = Wanted(precision="fp32", channels_last=False, pools="onednn", replicas=2, threads=1)
    chosen = choose_computing(detector(), wanted, imgsz=64, batch=4, device=CPU)
    assert (chosen.precision, chosen.channels_last, chosen.pools) == ("fp32", False, "onednn")
    assert (chosen.replicas, chosen.threads) == (2, 1)


@pytest.mark.parametrize("way", ["variable", "argument"])
def test_without_the_probe_nothing_is_run(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv(PROBE_VARIABLE, "off" if way == "variable" else "on")
    wanted = Wanted(probe=way == "variable")
    chosen = choose_computing(nn.Identity(), wanted, imgsz=64, batch=4, device=CPU)
    assert chosen == fixed_computing(wanted, CPU)
    assert chosen.images_per_second is None and "img/s" not in chosen.describe()


@given(processors=st.integers(1, 64), batch=st.integers(1, 64), threads=st.none() | st.integers(1, 8))
def test_candidates_share_the_batch_evenly(processors: int, batch: int, threads: int | None) -> None:
    found = shares(processors, batch, Wanted(threads=threads))
    assert found
    assert (1, threads or processors) in found
    for replicas, each in found:
        assert batch % replicas == 0
        assert each == threads if threads else replicas * each <= processors


@given(speeds=st.lists(st.floats(0.1, 1000), min_size=1, max_size=5), replicas=st.data())
def test_replicas_are_preferred_where_they_are_nearly_as_quick(speeds: list[float], replicas: st.DataObject) -> None:
    counts = [replicas.draw(st.integers(1, 4)) for _ in speeds]
    found = [Computing(replicas=c, images_per_second=s) for c, s in zip(counts, speeds, strict=True)]
    chosen = preferred(found)
    assert (chosen.images_per_second or 0) >= STEADY * max(speeds)
    if chosen.replicas == 1:
        assert chosen.images_per_second == max(speeds)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an allocator of Linux")
def test_kept_memory_is_not_cleared_anew_and_can_be_given_back() -> None:
    # In a process of its own: the allocator is not set back.
    program = """
import resource, sys
import torch
from lightdet.compute import keep_freed_memory, return_freed_memory
if not keep_freed_memory():
    sys.exit("no glibc")
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def ask(): return [torch.ones(16 << 18) for _ in range(10)]
for _ in range(5): ask()  # small blocks between large ones: the heap finds its size by and by
before = faults(); ask()
again, kept = faults() - before, resident()
return_freed_memory()
print(again, kept - resident())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if "no glibc" in done.stderr:
        pytest.skip("another C library")
    again, returned = map(int, done.stdout.split())
    assert again < 4_000  # 160 MiB are 40,960 pages
    assert returned > 80


def test_the_line_of_the_log() -> None:
    computing = Computing("fp32", True, "torch", 2, 1, images_per_second=58.3)
    assert computing.describe() == ("computes: fp32, channels last, PyTorch's pools, 2 replicas of 1 thread; 58 img/s")
    assert Computing(**computing.as_dict()) == computing


@given(st.sampled_from([(1, 1), (1, 2), (2, 1), (4, 1), (2, 4)]), st.floats(0, 2), st.floats(0, 0.5))
def test_the_probe_takes_no_more_pictures_than_a_step_has_and_no_more_time_than_is_left(
    shared: tuple[int, int], seconds: float, per_picture: float
) -> None:
    replicas, threads = shared
    probe = _Probe(nn.Conv2d(3, 3, 1), 320, 16)
    probe.seconds_per_picture = per_picture
    computing = Computing("fp32", replicas=replicas, threads=threads)
    count = probe._pictures(computing, seconds)
    assert 1 <= count <= 16 // replicas
    assert count <= threads or 2 * STEP * per_picture * count / threads <= seconds * (1 + 1e-9)
    assert probe._pictures(computing, 2 * seconds) >= count
