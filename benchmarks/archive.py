"""An archive's cost: rate by processes, memory of the main process, cost by size, and what killed processes change.

    python benchmarks/archive.py model.onnx --pictures 20000 --repeats 3 --sizes 1000 10000 100000 --json archive.json

Rendered pictures, each under many names (hard links), so that the disk does not decide. Rates are from the first
result to the last: the start of Python and of the network is not in them, but told apart. Every process computes with
one thread. Needs a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pyarrow import parquet

from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.options.archive import ArchiveOptions, QueryOptions
from lightdet.runs.archive.answers import Answers
from lightdet.runs.archive.judging import Job, judge, load_model
from lightdet.runs.archive.query import question
from lightdet.runs.archive.run import ROWS, ArchiveRun
from lightdet.runs.archive.table import Finished, write_rows

RENDERED = 200
"""Different pictures."""
PER_DAY = 1000
"""Pictures in one folder, that of a day."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="model file, as for lightdet.load")
    parser.add_argument("--pictures", type=int, default=2000, help="of the runs by processes, and of those with kills")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000], help="of the archives for the cost by size")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=1, help="of the runs by processes; the median counts")
    parser.add_argument("--killed", type=float, default=0.1, help="share of batches whose process is killed")
    parser.add_argument("--rows", type=int, default=100_000, help="of an output that is opened and asked; 0: none")
    parser.add_argument("--side", type=int, default=200, help="of a picture, in pixels")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--engine", choices=("processes", "ray"), default="processes")
    parser.add_argument("--json", help="write the result to this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lightdet-archive-") as folder:
        found = measure(Path(folder), args)
    print(json.dumps(found, indent=2))
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """All parts, one after the other."""
    rendered = render(folder / "rendered", args.side)
    most = max(args.processes)
    pictures = linked(folder / "by_processes", rendered, args.pictures)
    found: dict[str, Any] = {"model": Path(args.model).name, "pictures": args.pictures, "side": args.side}
    alone = sorted(apart(bare, args.model, pictures, args.batch) for _ in range(args.repeats))
    found["bare"] = {"per_second": alone[len(alone) // 2], "all": alone}
    found["by_processes"] = {}
    for number in args.processes:
        runs = [run(folder / f"out-{number}-{turn}", pictures, number, args) for turn in range(args.repeats)]
        runs.sort(key=lambda each: float(each["per_second"]))
        middle = runs[len(runs) // 2]
        efficiency = middle["per_second"] / (number * found["bare"]["per_second"])
        found["by_processes"][number] = {**middle, "of_processes_times_bare": efficiency}
        say(f"{number} processes: {middle['per_second']:.1f}/s, {efficiency:.3f} of {number} alone")
    whole = rows_of(folder / f"out-{most}-0")
    killed = run(folder / "killed", pictures, most, args, kill=args.killed)
    left = rows_of(folder / "killed")
    names = [row[0] for row in left]
    results = dict(left)
    found["killed"] = {
        **killed,
        "rows": len(left),
        "twice": len(names) - len(set(names)),
        "lost": len({row[0] for row in whole} - set(names)),
        "other_result": sum(results.get(name, result) != result for name, result in whole),
    }
    say(f"killed {killed['kills']}: {found['killed']}")
    found["by_size"] = {}
    for size in args.sizes:
        archive = linked(folder / f"size-{size}", rendered, size)
        first = run(folder / f"sized-{size}", archive, most, args)
        again = run(folder / f"sized-{size}", archive, most, args)
        found["by_size"][size] = {**first, "nothing_left_seconds": again["wall"], "nothing_left_mib": again["peak_mib"]}
        say(f"{size} pictures: {1000 * first['seconds_per_picture']:.2f} ms each")
    if args.rows:
        fill(folder / "filled", args.rows)
        found["output"] = {
            "rows": args.rows,
            **apart(opened, str(folder / "filled")),
            **apart(asked, str(folder / "filled")),
        }
        say(f"an output of {args.rows} rows: {found['output']}")
    return found


def fill(folder: Path, number: int) -> None:
    """Write `number` rows, three boxes each, in files as a run writes them; by day."""
    generator = random.Random(0)
    for start in range(0, number, ROWS):
        day = start // (20 * ROWS)
        partition = f"day={2000 + day // 336}-{day // 28 % 12 + 1:02d}-{day % 28 + 1:02d}"
        write_rows(folder, [_row(index, partition, generator) for index in range(start, min(start + ROWS, number))])


def _row(index: int, partition: str, generator: random.Random) -> dict[str, Any]:
    scores = sorted((generator.random() ** 4 for _ in range(3)), reverse=True)
    boxes = [
        {
            **{side: generator.uniform(0, 200) for side in ("x1", "y1", "x2", "y2")},
            "score": score,
            "class": generator.choice(("dent", "scratch")),
        }
        for score in scores
    ]
    known = {
        "source": f"s3://lake/{partition}/{index:010d}.png",
        "partition": partition,
        "sha256": hashlib.sha256(str(index).encode()).hexdigest(),
    }
    model = {"model": "m.onnx", "model_sha256": "ab" * 32, "width": 200, "height": 200}
    return {**known, **model, "decision": "NG" if scores[0] > 0.6 else "OK", "score": scores[0], "detections": boxes}


def opened(folder: str) -> dict[str, float]:
    """How long a run reads what is done already, before it begins."""
    begun = time.monotonic()
    number = len(Finished(Path(folder)))
    seconds = time.monotonic() - begun
    return {"open_seconds": seconds, "open_us_per_row": 1e6 * seconds / number, "open_peak_mib": _peak()}


def asked(folder: str) -> dict[str, float]:
    """How long two questions take: bad share by day, and the 60 best scratches."""
    found: dict[str, float] = {}
    found["bytes_on_disk"] = float(sum(path.stat().st_size for path in Path(folder).rglob("*.parquet")))
    with Answers(Path(folder)) as answers:
        flags = question(QueryOptions(folder, name="scratch", above=0.6), 60)
        by_day = ("SELECT day, avg((decision = 'NG')::INT) FROM archive GROUP BY day", [])
        for name, (sql, values) in (("by_day", by_day), ("scratches", flags)):
            begun = time.monotonic()
            list(answers.select(sql, values).rows)
            found[f"{name}_seconds"] = time.monotonic() - begun
    return {**found, "query_peak_mib": _peak()}


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def render(folder: Path, side: int) -> list[Path]:
    """Render pictures of defects; returns their files."""
    write_synthetic(folder, SyntheticPlan(RENDERED, 1, side, val=0.5))
    return sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))


def linked(folder: Path, rendered: list[Path], number: int) -> Path:
    """Give the rendered pictures `number` names, in a folder for each day."""
    for index in range(number):
        day = index // PER_DAY
        place = folder / f"{2000 + day // 336}-{day // 28 % 12 + 1:02d}-{day % 28 + 1:02d}"
        if index % PER_DAY == 0:
            place.mkdir(parents=True)
        source = rendered[index % len(rendered)]
        os.link(source, place / f"{index:07d}{source.suffix}")
    return folder


def apart(function: Any, *arguments: Any) -> Any:
    """Call a function of this file in a new process, so that memory and processor time are its own."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    result = ours.recv()
    process.join()
    return result


def _answer(pipe: Any, function: Any, arguments: tuple[Any, ...]) -> None:
    pipe.send(function(*arguments))


def bare(model: str, pictures: Path, batch: int) -> float:
    """The rate of one process that only judges: pictures per second, with one thread."""
    models = [load_model(Path(model), device="cpu", threads=1)]
    jobs = [Job(str(path), path) for path in sorted(pictures.rglob("*.*"))]
    judge(models, jobs[:batch])
    begun = time.monotonic()
    for start in range(batch, len(jobs), batch):
        judge(models, jobs[start : start + batch])
    return (len(jobs) - batch) / (time.monotonic() - begun)


def run(output: Path, pictures: Path, number: int, args: argparse.Namespace, kill: float = 0.0) -> dict[str, Any]:
    """One run of the command's own code, in a process of its own."""
    result: dict[str, Any] = apart(drive, str(output), str(pictures), args.model, number, args.batch, args.engine, kill)
    return result


def drive(output: str, pictures: str, model: str, number: int, batch: int, engine: str, kill: float) -> dict[str, Any]:
    """Run it here; in random moments, for a share `kill` of the batches, a process is killed."""
    begun = time.monotonic()
    options = ArchiveOptions(
        [pictures], [model], output, recursive=True, partition="day", processes=number, threads=1, batch=batch,
        engine=engine, summary=False,
    )  # fmt: skip
    archive = ArchiveRun(options)
    total = archive.sources.total or 0
    steps: list[float] = []
    memory: list[float] = []
    kills = [0]
    stop = threading.Event()
    thread = threading.Thread(target=_killer, args=(stop, steps, total, batch, kill, kills), daemon=True)
    thread.start()

    def step(done: int) -> None:
        steps.extend(done * [time.monotonic()])
        if not steps or len(steps) // max(1, total // 40) > len(memory):
            memory.append(_resident())

    done = archive.run(step)
    stop.set()
    thread.join()
    judged = len(steps) if done.pictures else 0
    seconds = steps[-1] - steps[0] if judged > batch else 0.0
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    quarter = max(1, len(memory) // 4)
    return {
        "rows_written": done.pictures,
        "wall": time.monotonic() - begun,
        "until_first": steps[0] - begun if steps else None,
        "per_second": (judged - batch) / seconds if seconds else 0.0,
        "seconds_per_picture": seconds / (judged - batch) if seconds else 0.0,
        "main_cpu_ms_per_picture": 1000 * (own.ru_utime + own.ru_stime) / max(1, judged),
        "all_cpu_ms_per_picture": 1000 * sum(each.ru_utime + each.ru_stime for each in (own, others)) / max(1, judged),
        "main_mib_by_quarter": [round(max(memory[at : at + quarter]), 1) for at in range(0, len(memory), quarter)][:4],
        "peak_mib": round(own.ru_maxrss / 1024, 1),
        "kills": kills[0],
    }


def _killer(stop: threading.Event, steps: list[float], total: int, batch: int, share: float, kills: list[int]) -> None:
    """Kill a random child each time that about ``1 / share`` batches are done."""
    generator = random.Random(0)
    next_kill = batch / share if share else float("inf")
    while not stop.wait(0.02):
        if len(steps) < next_kill or len(steps) >= total:
            continue
        next_kill = len(steps) + generator.expovariate(share / batch)
        if children := _judges():
            os.kill(generator.choice(children), signal.SIGKILL)
            kills[0] += 1


def _judges() -> list[int]:
    """The processes below this one that judge (Ray's own servers are left alone)."""
    found = []
    above = {int(each.name): _parent(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()}
    for process, parent in above.items():
        line = _command(process)
        if "spawn_main" in line or "ray::_Work" in line:
            up: int | None = parent
            while up and up != os.getpid():
                up = above.get(up)
            if up:
                found.append(process)
    return found


def _parent(process: str) -> int:
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def _resident() -> float:
    """MiB in memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def rows_of(output: Path) -> list[tuple[str, Any]]:
    """Each picture's name with its result, by name."""
    rows = []
    for path in output.rglob("part-*.parquet"):
        for row in parquet.ParquetFile(path).read().to_pylist():
            boxes = [(each["class"], round(each["score"], 2)) for each in row["detections"] or ()]
            rows.append((row["source"], (row["class"], row["decision"], row["reason"], boxes)))
    return sorted(rows, key=lambda row: row[0])


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    main()
