"""Model files, broken in every way: a predictor with numbers that are numbers, or one line; in a process of its own.

The process that reads ends with the case where a runtime crashes, and is ended where the case takes too long: both are
findings, and the next case gets another one.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_target import Sound, Target, check_line
from hypothesis import strategies as st
from model_edits import CHECKPOINT_EDITS, ONNX_EDITS, OPENVINO_EDITS
from model_files import parts, write_checkpoints, write_exports

from lightdet.errors import UserError

GIB = 1 << 30
SECONDS = 20.0
"""Of the processor, for one file; ten times as long by the clock."""
MOST_SIDE = 256
"""A model of a larger input is loaded, but looks at no picture: that would take as long as it asks for."""
_PICTURE = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)


class Reader:
    """A child process that reads one file after the other; forked, so that it has all libraries at once."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("fork")
        self._start()

    def _start(self) -> None:
        self._line, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_read_all, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def read(self, path: Path) -> tuple[str, str]:
        """What became of a file: ``read``, ``refused`` with the line, or ``failed`` with what to say of it."""
        self._line.send(path)
        try:
            if self._line.poll(10 * SECONDS):
                kind, text = self._line.recv()
                return kind, text
            told = f"no end within {10 * SECONDS:g} s"
        except EOFError:
            self._process.join()
            code = self._process.exitcode or 0
            told = f"the interpreter ended: {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"
        self._process.kill()
        self._process.join()
        self._start()
        return "failed", told


def _read_all(line: Connection) -> None:
    """The child's life."""
    have = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (have + 4 * GIB, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    printed = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
    for stream in (1, 2):
        os.dup2(printed.fileno(), stream)
    while True:
        try:
            path = line.recv()
        except EOFError:
            return
        began, before = time.process_time(), _peak(reset=True)
        kind, text = _read(path)
        seconds, memory = time.process_time() - began, _peak() - before
        sys.stdout.flush()
        printed.seek(0)
        lines = printed.read()
        printed.seek(0)
        printed.truncate()
        if kind != "failed" and lines:
            kind, text = "failed", f"printed {lines[:2000]!r}"
        if kind != "failed" and memory > GIB:
            kind, text = "failed", f"took {memory >> 20} MiB ({kind} {text})"
        if kind != "failed" and seconds > SECONDS:
            kind, text = "failed", f"took {seconds:.0f} s ({kind} {text})"
        line.send((kind, text))


def _peak(*, reset: bool = False) -> int:
    """The most memory that this process has had, in bytes; with `reset`, from now on."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


def _read(path: Path) -> tuple[str, str]:
    import lightdet
    from lightdet.runs.load import parameter_count

    try:
        predictor = lightdet.load(path, threads=1)
        _ = predictor.rule
        parameter_count(predictor)
        if predictor.preprocessing.imgsz > MOST_SIDE:
            return "read", "a large input"
        found = predictor(_PICTURE)
        values = found.probabilities if hasattr(found, "probabilities") else np.append(found.boxes, found.scores)
        assert np.isfinite(values).all(), "values that are not numbers"
        str(found.to_dict()).encode()
        return "read", ""
    except UserError as error:
        return "refused", str(error)
    except BaseException:
        return "failed", traceback.format_exc(limit=-4)


@cache
def reader() -> Reader:
    """This process's own; what it needs is imported before it is forked."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.getrlimit(resource.RLIMIT_AS)[1],) * 2)
    os.environ["LIGHTDET_PROBE"] = "off"
    import logging

    import onnxruntime  # noqa: F401
    import openvino  # noqa: F401
    import torch

    import lightdet.classification.networks
    import lightdet.classification.runtime
    import lightdet.inference.torch_runtime
    import lightdet.models.zoo  # noqa: F401

    torch.set_num_threads(1)
    gc.freeze()  # what libraries hold is looked through by no collection, here and in the child
    logging.getLogger("lightdet").addHandler(logging.NullHandler())
    return Reader()


@cache
def sound_files(kind: str) -> tuple[bytes, ...]:
    """Files of a kind, written by a process of its own: what writes them begins threads, which no fork takes along."""
    reader()
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="lightdet-models-") as folder:
        write = write_checkpoints if kind in ("detector", "classifier") else write_exports
        process = context.Process(target=write, args=(Path(folder),))
        process.start()
        process.join()
        assert process.exitcode == 0
        return tuple(path.read_bytes() for path in sorted(Path(folder).glob(f"{kind}-*")))


def _drawn(kind: str) -> st.SearchStrategy[Sound]:
    return st.integers(0, 9999).map(lambda n: Sound(sound_files(kind)[n % len(sound_files(kind))], kind, kind))


def judge_model(data: bytes, kind: Any, folder: Path) -> Any:
    """Load a model and let it look at a picture."""
    model, weights = parts(data)
    path = folder / ("model.xml" if kind == "openvino" else "model.onnx" if kind == "onnx" else "model.safetensors")
    path.write_bytes(model)
    beside = path.with_suffix(".bin")
    beside.unlink(missing_ok=True)
    if weights is not None:
        beside.write_bytes(weights)
    result, text = reader().read(path)
    assert result != "failed", text
    if result == "refused":
        check_line(UserError(text))
        return None
    return data


MODEL_TARGETS = tuple(
    Target(kind, share, _drawn(kind), judge_model, (), edits, most, 20_000_000)
    for kind, share, edits, most in (  # the shares are those of a short run: two kinds cost ten times the others
        ("detector", 0.02, CHECKPOINT_EDITS, 8),
        ("classifier", 0.48, CHECKPOINT_EDITS, 56),
        ("onnx", 0.48, ONNX_EDITS, 56),
        ("openvino", 0.02, OPENVINO_EDITS, 8),
    )
)
