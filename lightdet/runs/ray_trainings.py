"""Trainings over the computers of a Ray cluster: each in a process of its own, as on one computer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from lightdet.errors import UserError
from lightdet.runs.ray_cluster import connected, ray_module
from lightdet.runs.training_process import LOST, Begin, LocalTraining

POLL_SECONDS = 0.2
STOP_SECONDS = 60.0
"""How long a training that is killed may take to be gone."""


@contextmanager
def on_cluster(address: str | None, together: int, launcher: str, *, gpu: bool = False) -> Iterator[Begin]:
    """What starts trainings on the computers of a cluster.

    All of them need this package, and the data and the output folder under the same paths. A training whose computer is
    lost ends with `LOST`; one that waits for a free computer counts as running.

    Args:
        address: of a cluster that was started; None: Ray on this computer alone.
        together: trainings at the same time; each gets its share of the processors, at most those of one computer.
        launcher: see `LocalTraining`.
        gpu: give each a GPU.

    Raises:
        UserError: Ray is missing, or no cluster is there.
    """
    ray = ray_module()
    with connected(ray, address):
        computers = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
        share = max(1, min(sum(computers) // together, max(computers, default=1)))
        resources = {"num_cpus": share, "num_gpus": int(gpu)}
        yield partial(_RayTraining, ray, resources, launcher)


class _Here:
    """What an actor is: it starts a training on its computer and waits for its end."""

    def __init__(self, launcher: str, threads: int, wanted: Mapping[str, Any], log: Path, folder: Path) -> None:
        self._arguments = launcher, threads, wanted, log, folder
        self._training: LocalTraining | None = None
        self._stopping = self._killing = False

    def ready(self) -> None:
        """Answer as soon as there is a place."""

    def run(self) -> tuple[int | None, str]:
        """Train; returns the exit code, or None and why it could not be started."""
        import socket  # noqa: PLC0415 - only here

        folder = self._arguments[3].parent
        if not folder.is_dir():
            return None, (
                f"the computer '{socket.gethostname()}' does not see it: output and data must lie where all "
                "computers of the cluster see them, under the same paths"
            )
        try:
            self._training = LocalTraining(*self._arguments)
        except UserError as error:
            return None, error.message
        while (code := self._training.poll()) is None:
            if self._killing:
                self._training.end()
            elif self._stopping:
                self._training.ask_to_stop()
            time.sleep(POLL_SECONDS)
        return code, ""

    def stop(self, *, kill: bool) -> None:
        """Let the training save and end, or kill it."""
        self._stopping, self._killing = True, kill


class _RayTraining:
    """See `TrainingProcess`."""

    def __init__(
        self, ray: Any, resources: Mapping[str, int], launcher: str, wanted: Mapping[str, Any], log: Path
    ) -> None:
        self._ray, self._folder = ray, log.parent
        # Two threads: one waits for the training, the other hears that it is to stop. Ray starts no second one.
        make = ray.remote(**resources, max_concurrency=2, max_restarts=0, max_task_retries=0)(_Here)
        self._actor = make.remote(launcher, resources["num_cpus"], dict(wanted), log.absolute(), Path.cwd())
        self._there = self._actor.ready.remote()
        self._answer = self._actor.run.remote()
        self._code: int | None = None
        self._stopping = False

    def poll(self) -> int | None:
        """See `TrainingProcess.poll`.

        Raises:
            UserError: its computer cannot start it.
        """
        if self._code is None and self._ray.wait([self._answer], timeout=0)[0]:
            try:
                code, why = self._ray.get(self._answer)
            except self._ray.exceptions.RayTaskError:
                raise  # a bug, with its traceback
            except self._ray.exceptions.RayError:
                self._code = LOST
                return LOST
            if code is None:
                raise UserError(why, path=self._folder)
            self._code = code
        return self._code

    def ask_to_stop(self) -> None:
        """Let it save and end; one that waits for a computer ends at once."""
        if not self._stopping:
            self._stopping = True
            if self._ray.wait([self._there], timeout=0)[0]:
                self._actor.stop.remote(kill=False)
            else:
                self._ray.kill(self._actor)

    def end(self) -> None:
        """Kill it if it still runs, and free its place."""
        with suppress(Exception):
            if self.poll() is None:
                self._actor.stop.remote(kill=True)
                self._ray.wait([self._answer], timeout=STOP_SECONDS)
        with suppress(Exception):
            self._ray.kill(self._actor)
