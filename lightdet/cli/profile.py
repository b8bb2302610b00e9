"""``lightdet profile``: parameters, operations, time by stage, memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from lightdet.cli.common import ALL, Words
from lightdet.options.profile import ProfileOptions
from lightdet.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.profiling import Complexity, Report


def profile(
    *overrides: Words,
    options: Annotated[ProfileOptions, ALL] = ProfileOptions(),
) -> None:
    """Measure what a model costs: parameters, FLOPs, milliseconds by stage, images/s, memory."""
    from rich.console import Console

    from lightdet.runs.profile import profile_models

    console = Console()
    with console.status("measuring …"):
        reports = profile_models(replace(options, overrides=overrides))
    for report in reports:
        _show(console, report, options.layers)
    if len(reports) > 1:
        console.print(_comparison(reports))


def _show(console: Console, report: Report, layers: bool) -> None:
    from rich.table import Table

    cost, latency = report.complexity, report.latency
    runs, (width, height) = len(latency.samples["total"]), report.picture
    head = (
        f"{report.model} at {report.imgsz} x {report.imgsz}"
        + ("" if report.classes is None else f", {report.classes} classes"),
        "size and operations unknown"
        if cost is None
        else f"{cost.params / 1e6:.3f} M parameters, {cost.flops / 1e9:.2f} GFLOPs (2 x multiply-adds)",
        f"{report.device_name} ({report.device}), {counted(report.threads, 'thread')}, "
        f"{report.precision}, {report.runtime}; "
        + (
            f"{runs} times random input"
            if report.classes is None
            else f"{runs} times a picture of {width} x {height} with {latency.boxes} detections"
        ),
    )
    table = Table("stage", title="one picture, ms", title_justify="left")
    for column in ("median", "p95"):
        table.add_column(column, justify="right")
    median, p95 = latency.median(), latency.p95()
    for stage, value in median.items():
        if report.classes is None and stage != "network":  # of a foreign network nothing but its own time is known
            continue
        table.add_row("postprocess (NMS)" if stage == "postprocess" else stage, f"{value:.2f}", f"{p95[stage]:.2f}")
    foot = []
    if report.classes is not None:
        foot.append(f"{report.images_per_second:.1f} images/s at a batch of {report.batch}, all stages")
    if report.peak_memory_mib is not None:
        whose = "GPU memory" if report.device.startswith("cuda") else "memory of the process"
        foot.append(f"{report.peak_memory_mib:.0f} MiB peak {whose}")
    _lines(console, head)
    console.print(table)
    _lines(console, foot)
    if cost is not None and cost.layers:
        console.print(_layers(cost) if layers else _parts(cost))
    elif layers:
        _lines(console, ["its layers are not known; give the checkpoint or the configuration for --layers"])


def _lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _comparison(reports: Sequence[Report]) -> object:
    """All models on one screen."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="side by side, medians", title_justify="left")
    table.add_column("model", overflow="fold")  # a shortened path would not tell two models apart
    for column in ("M parameters", "GFLOPs", "network ms", "total ms", "images/s"):
        table.add_column(column, justify="right")
    for report in reports:
        cost, median = report.complexity, report.latency.median()
        size = ("-", "-") if cost is None else (f"{cost.params / 1e6:.3f}", f"{cost.flops / 1e9:.3f}")
        # Of a foreign network nothing but its own time is known.
        rest = (f"{median['total']:.2f}", f"{report.images_per_second:.2f}") if report.classes else ("-", "-")
        table.add_row(escape(report.model), *size, f"{median['network']:.2f}", *rest)
    return table


def _parts(cost: Complexity) -> object:
    """Parameters and operations by part of the network."""
    from rich.table import Table

    costs: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for layer in cost.layers:
        part = layer.name.partition(".")[0]
        costs[part][0] += layer.params
        costs[part][1] += layer.flops
    table = Table("part")
    for column in ("parameters", "MFLOPs", "share"):
        table.add_column(column, justify="right")
    for part, (params, flops) in costs.items():
        table.add_row(part, f"{params:,}", f"{flops / 1e6:,.1f}", f"{flops / max(1, cost.flops):.1%}")
    return table


def _layers(cost: Complexity) -> object:
    """The layers that learn or compute, in the order in which they run."""
    from rich.table import Table

    table = Table("layer", "kind", "output")
    for column in ("parameters", "MFLOPs"):
        table.add_column(column, justify="right")
    for layer in cost.layers:
        if layer.params or layer.flops:
            shape = " × ".join(str(side) for side in layer.output[1:])
            table.add_row(layer.name, layer.kind, shape, f"{layer.params:,}", f"{layer.flops / 1e6:,.1f}")
    return table
