"""The cost of a model: parameters, operations, time by stage, memory."""

from lightdet.profiling.complexity import Complexity, LayerCost, count_flops, count_parameters, measure_complexity
from lightdet.profiling.latency import Latency, measure_latency, measure_throughput
from lightdet.profiling.memory import peak_memory_mib, reset_peak_memory
from lightdet.profiling.report import Report

__all__ = [
    "Complexity",
    "Latency",
    "LayerCost",
    "Report",
    "count_flops",
    "count_parameters",
    "measure_complexity",
    "measure_latency",
    "measure_throughput",
    "peak_memory_mib",
    "reset_peak_memory",
]
