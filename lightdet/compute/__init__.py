"""How this machine computes: decided in one place, by measuring."""

from lightdet.compute.choice import Computing
from lightdet.compute.inference import ready_for_inference
from lightdet.compute.memory import keep_freed_memory, return_freed_memory
from lightdet.compute.probe import PROBE_VARIABLE, Wanted, adapts_to_machine, choose_computing, fixed_computing

__all__ = [
    "PROBE_VARIABLE",
    "Computing",
    "Wanted",
    "adapts_to_machine",
    "choose_computing",
    "fixed_computing",
    "keep_freed_memory",
    "ready_for_inference",
    "return_freed_memory",
]
