"""Fuzzing: sound files, changed step by step, through lightdet's readers; ``make fuzz`` runs a million cases.

    python tests/fuzz/campaign.py --only labels tools sets pictures --cases 1000000 --jobs 4 --folder build/fuzz
    python tests/fuzz/campaign.py --only models --cases 2000 --jobs 0 --folder build/fuzz

A case is a file that differs from the one before. It must be read, or refused with one line (`UserError`); what is
read must be what `plain_readers` read; and reading it must not take more than 2 GB of memory. The work is cut into
numbered pieces, each of which gives the same cases every time (the piece's number is the seed): an interrupted run goes
on where it was, and ``--only yolo --piece 17`` runs one piece again. What fails is kept in the folder's ``state.json``,
and the file that failed beside it.

Model files (`model_targets`) are read in a process of their own: a crash, no end and a gigabyte of memory fail, too.
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
from model_targets import MODEL_TARGETS
from picture_targets import PICTURE_TARGETS
from set_targets import SET_TARGETS
from tool_targets import TOOL_TARGETS

FAMILIES = {
    "labels": LABEL_TARGETS,
    "tools": TOOL_TARGETS,
    "sets": SET_TARGETS,
    "pictures": PICTURE_TARGETS,
    "models": MODEL_TARGETS,
}
TARGETS = {target.name: target for family in FAMILIES.values() for target in family}
EXAMPLES = 10
"""Sound files of one piece; each gives a case more than it has changes."""
DEPTH = 4
"""Changes of a file after which the next begins with the sound one again."""
SHOWN = 2000
"""Bytes of a file that failed that are told with it."""
MEMORY = 2 << 30
"""What reading a file may take, in bytes."""


@dataclass
class Counts:
    """Of one target: pieces done, files read, how many of them were accepted, and how many pieces failed."""

    pieces: int = 0
    cases: int = 0
    accepted: int = 0
    failures: list[str] = field(default_factory=list)


def run_piece(name: str, number: int, kept: Path, examples: int = EXAMPLES) -> Counts:
    """Run one piece of a target; a failure is among the counts, as text, and its file goes into the folder `kept`."""
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
            case = hash((data, repr(sound.options)))
            if case in seen:
                continue
            read = target.judge(data, sound.options, Path(folder))
            seen.add(case)
            if step == 0 and sound.truth is not None:
                assert read is not None, "a sound file was refused"
            counts.cases += 1
            counts.accepted += read is not None

    with tempfile.TemporaryDirectory(prefix="lightdet-fuzz-") as folder:
        try:
            piece()
        except Exception:
            kept.mkdir(parents=True, exist_ok=True)
            (kept / f"{name}-{number}").write_bytes(last[0])
            shown = repr(last[0][:SHOWN])
            counts.failures.append(f"{name}, piece {number}\n{shown}\n{traceback.format_exc(limit=-4)}")
    return counts


def _steps(target: Target, sound: Sound, edits: list[bytes]) -> Iterator[bytes]:
    """The sound file, then changed ones: one edit, two, ... `DEPTH`, and again from the sound one."""
    data = sound.data
    yield data
    for count, edit in enumerate(edits):
        base = sound.data if count % DEPTH == 0 else data
        data = edited(base, edit, target.words, target.edits)[: target.most_bytes]
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
        chosen = {name: TARGETS[name].share for name in _names(only)}
        self.goals = {name: cases * share / sum(chosen.values()) for name, share in chosen.items()}

    def run(self) -> int:
        """Run what is missing; returns the exit status: 1 if anything failed, ever."""
        start, told = time.monotonic(), 0.0
        while any(self.counts[name].cases < goal for name, goal in self.goals.items()):
            try:
                for _ in self._round() if self.jobs else self._here():
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
                name, done_share = self._next(following)
                while done_share < 1 and len(running) < self.jobs:
                    running[pool.submit(run_piece, name, following[name], self.folder / "failed")] = name
                    following[name] += 1
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._note(running.pop(future), future.result())
                yield

    def _here(self) -> Iterator[None]:
        """The same in this process, which saves a second one's start."""
        while (following := self._next({name: self.counts[name].pieces for name in self.goals}))[1] < 1:
            self._note(following[0], run_piece(following[0], self.counts[following[0]].pieces, self.folder / "failed"))
            yield

    def _next(self, following: dict[str, int]) -> tuple[str, float]:
        """The target that is furthest from its goal, and its share of it; of several the one with fewer pieces."""
        behind = {name: self.counts[name].cases / goal for name, goal in self.goals.items() if goal}
        name = min(behind, key=lambda each: behind[each] + 1e-9 * following[each])
        return name, behind[name]

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


def _names(only: list[str]) -> list[str]:
    """The targets that are asked for by their names or those of their families; of nothing, all."""
    return [name for each in only or FAMILIES for name in ([t.name for t in FAMILIES.get(each, ())] or [each])]


def main() -> int:
    """The command line; see the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=1, help="processes; 0: this one")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--only", nargs="*", default=[], choices=[*FAMILIES, *TARGETS])
    parser.add_argument("--piece", type=int, help="run this piece of the targets again, and nothing else")
    given_options = parser.parse_args()
    if given_options.piece is None:
        return Campaign(given_options.cases, given_options.jobs, given_options.folder, given_options.only).run()
    limit_memory()
    kept, names = given_options.folder / "failed", _names(given_options.only)
    failures = [failure for name in names for failure in run_piece(name, given_options.piece, kept).failures]
    print("\n".join(failures) or "nothing failed")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
