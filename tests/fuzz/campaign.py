"""Fuzzing: sound files, changed step by step, through lightdet's readers; ``make fuzz`` runs a million cases.

    python tests/fuzz/campaign.py --cases 1000000 --jobs 4 --folder build/fuzz

A case is a file that differs from the one before. It must be read, or refused with one line (`UserError`); what is
read must be what `plain_readers` read; and reading it must not take more than 2 GB of memory. The work is cut into
numbered pieces, each of which gives the same cases every time (the piece's number is the seed): an interrupted run goes
on where it was, and ``--only yolo --piece 17`` runs one piece again. What fails is kept in the folder's ``state.json``.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fuzz_mutations import edit_lists, edited
from fuzz_target import Sound, Target
from hypothesis import HealthCheck, Phase, given, seed, settings
from label_targets import LABEL_TARGETS
from picture_targets import PICTURE_TARGETS
from set_targets import SET_TARGETS

TARGETS = {target.name: target for target in (*LABEL_TARGETS, *SET_TARGETS, *PICTURE_TARGETS)}
EXAMPLES = 10
"""Sound files of one piece; each gives a case more than it has changes."""
DEPTH = 4
"""Changes of a file after which the next begins with the sound one again."""
MOST_BYTES = 200_000
"""What a changed file may grow to."""
MEMORY = 2 << 30
"""What reading a file may take, in bytes."""


@dataclass
class Counts:
    """Of one target: pieces done, files read, how many of them were accepted, and how many pieces failed."""

    pieces: int = 0
    cases: int = 0
    accepted: int = 0
    failures: list[str] = field(default_factory=list)


def run_piece(name: str, number: int, examples: int = EXAMPLES) -> Counts:
    """Run one piece of a target; a failure is among the counts, as text with the file that shows it."""
    target, counts, seen = TARGETS[name], Counts(1), set[int]()
    last: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        report_multiple_bugs=False,
        phases=[Phase.generate],  # a failing file is a few changes away from a sound one: small enough to look at
        suppress_health_check=list(HealthCheck),
    )
    @given(target.sound, edit_lists(target.most))
    def piece(sound: Sound, edits: list[bytes]) -> None:
        for step, data in enumerate(_steps(target, sound, edits)):
            last[:] = [data]
            fresh = hash((data, repr(sound.options))) not in seen
            read = target.judge(data, sound.options, Path(folder))
            if step == 0 and sound.truth is not None:
                assert read is not None, "a sound file was refused"
            if fresh:
                seen.add(hash((data, repr(sound.options))))
                counts.cases += 1
                counts.accepted += read is not None

    with tempfile.TemporaryDirectory(prefix="lightdet-fuzz-") as folder:
        try:
            piece()
        except Exception:
            counts.failures.append(f"{name}, piece {number}\n{last[0]!r}\n{traceback.format_exc(limit=-4)}")
    return counts


def _steps(target: Target, sound: Sound, edits: list[bytes]) -> Iterator[bytes]:
    """The sound file, then changed ones: one edit, two, ... `DEPTH`, and again from the sound one."""
    data = sound.data
    yield data
    for count, edit in enumerate(edits):
        base = sound.data if count % DEPTH == 0 else data
        data = edited(base, edit, target.words, target.edits)[:MOST_BYTES]
        if data != base:
            yield data


def limit_memory() -> None:
    """Let this process have `MEMORY` more than it has: what needs more fails, and so does its case."""
    statm = Path("/proc/self/statm")
    if statm.is_file():
        have = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (have + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


class Campaign:
    """All targets up to their shares of `cases`, in `jobs` processes; the folder holds how far it is."""

    def __init__(self, cases: int, jobs: int, folder: Path, only: list[str]) -> None:
        self.jobs, self.folder = jobs, folder
        self.state = folder / "state.json"
        known = json.loads(self.state.read_text()) if self.state.is_file() else {}
        self.counts = {name: Counts(**known.get(name, {})) for name in TARGETS}
        chosen = {name: target.share for name, target in TARGETS.items() if not only or name in only}
        self.goals = {name: cases * share / sum(chosen.values()) for name, share in chosen.items()}

    def run(self) -> int:
        """Run what is missing; returns the exit status: 1 if anything failed, ever."""
        start, told = time.monotonic(), 0.0
        while any(self.counts[name].cases < goal for name, goal in self.goals.items()):
            try:
                for _ in self._round():
                    if time.monotonic() - told > 60:
                        told = time.monotonic()
                        self._tell(told - start)
            except BrokenProcessPool:
                print("a process died: see the last pieces with --only and --piece", flush=True)
                return 1
        self._tell(time.monotonic() - start)
        return int(any(counts.failures for counts in self.counts.values()))

    def _round(self) -> Iterator[None]:
        """Pieces in turn until the goals are reached, a few ahead of the processes."""
        following = {name: self.counts[name].pieces for name in self.goals}
        with ProcessPoolExecutor(self.jobs, initializer=limit_memory, max_tasks_per_child=200) as pool:
            running: dict[Future[Counts], str] = {}
            while True:
                behind = {n: self.counts[n].cases / goal for n, goal in self.goals.items() if goal}
                name = min(behind, key=lambda n: behind[n] + 1e-9 * following[n])
                while behind[name] < 1 and len(running) < self.jobs:
                    running[pool.submit(run_piece, name, following[name])] = name
                    following[name] += 1
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._note(running.pop(future), future.result())
                yield

    def _note(self, name: str, new: Counts) -> None:
        counts = self.counts[name]
        counts.pieces, counts.cases = counts.pieces + 1, counts.cases + new.cases
        counts.accepted += new.accepted
        for failure in new.failures:
            counts.failures.append(failure)
            print(f"FAILED {failure}", flush=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.state.with_suffix(".tmp")
        temporary.write_text(json.dumps({n: asdict(c) for n, c in self.counts.items()}, indent=1))
        temporary.replace(self.state)

    def _tell(self, seconds: float) -> None:
        parts = [f"{name} {c.cases:,} ({c.accepted:,} read)" for name, c in self.counts.items() if name in self.goals]
        failures = sum(len(c.failures) for c in self.counts.values())
        total = sum(self.counts[name].cases for name in self.goals)
        print(f"{seconds:.0f} s: {total:,} cases, {failures} failures: {', '.join(parts)}", flush=True)


def main() -> int:
    """The command line; see the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--only", nargs="*", default=[], choices=list(TARGETS))
    parser.add_argument("--piece", type=int, help="run this piece of the targets again, and nothing else")
    given_options = parser.parse_args()
    if given_options.piece is None:
        return Campaign(given_options.cases, given_options.jobs, given_options.folder, given_options.only).run()
    limit_memory()
    failures = [f for name in given_options.only or TARGETS for f in run_piece(name, given_options.piece).failures]
    print("\n".join(failures) or "nothing failed")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
