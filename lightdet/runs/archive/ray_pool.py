"""Batches spread over the actors of Ray, on this computer or a cluster: one that dies costs its batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lightdet.errors import UserError
from lightdet.runs.archive.batches import Batch, Batches, DeadError
from lightdet.runs.archive.pool import Start
from lightdet.runs.ray_cluster import connected, ray_module


def on_ray(
    start: Start, batches: Iterable[Sequence[Any]], actors: int | None, address: str | None, *, gpu: bool = False
) -> Iterator[tuple[Sequence[Any], Any | DeadError]]:
    """As `lightdet.runs.archive.pool.spread`, on Ray.

    Args:
        start, batches: as there; the actors' computers need this package.
        actors: how many; None: one for each processor, or GPU, of the cluster.
        address: of a cluster that was started; None: Ray is started on this computer, for itself alone, and ended
            afterwards. Where this process is connected to Ray already, that is used.
        gpu: give each actor a GPU.

    Raises:
        UserError: Ray is missing, or no cluster is there; or as `spread`.
    """
    ray = ray_module()
    with connected(ray, address, actors):
        there = ray.cluster_resources().get("GPU" if gpu else "CPU", 0)
        pool = _Actors(ray, start, Batches(iter(batches)), actors or max(1, int(there)), gpu)
        try:
            yield from pool.run()
        finally:
            pool.stop()


class _Work:
    """What an actor is: it answers ``("done", result)``, or ``("wrong", message)`` after a mistake of the user's."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._function: Any = None

    def ready(self) -> tuple[str, Any]:
        """Load what is needed."""
        try:
            self._function = self._start()
        except UserError as error:
            return "wrong", str(error)
        return "ready", None

    def work(self, jobs: Sequence[Any]) -> tuple[str, Any]:
        """Do a batch."""
        try:
            return "done", self._function(jobs)
        except UserError as error:
            return "wrong", str(error)


@dataclass(eq=False)
class _Actor:
    handle: Any
    batch: Batch | None = None


class _Actors:
    def __init__(self, ray: Any, start: Start, batches: Batches, number: int, gpu: bool) -> None:
        self._ray = ray
        self._batches = batches
        # A dead actor is not started again by Ray, which would not know of its batch.
        what = {"num_gpus": 1} if gpu else {"num_cpus": 1}
        self._class = ray.remote(**what, max_restarts=0, max_task_retries=0)(_Work)
        self._start = ray.put(start)
        self._waiting: dict[Any, _Actor] = {}
        """By what is expected of each; an actor without one is idle."""
        self._idle: list[_Actor] = []
        for _ in range(number):
            self._add()

    def _add(self) -> None:
        actor = _Actor(self._class.remote(self._start))
        self._waiting[actor.handle.ready.remote()] = actor

    def run(self) -> Iterator[tuple[Sequence[Any], Any]]:
        while True:
            while self._idle and (batch := self._batches.next()) is not None:
                actor = self._idle.pop()
                actor.batch = batch
                self._waiting[actor.handle.work.remote(batch.jobs)] = actor
            if self._batches.empty and not any(actor.batch for actor in self._waiting.values()):
                return
            for answer in self._ray.wait(list(self._waiting), num_returns=1)[0]:
                yield from self._hear(answer, self._waiting.pop(answer))

    def _hear(self, answer: Any, actor: _Actor) -> Iterator[tuple[Sequence[Any], Any]]:
        try:
            kind, value = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError:
            raise  # a bug, with its traceback
        except self._ray.exceptions.RayError as error:
            with suppress(Exception):  # of an actor that is there, but its answer is lost with its computer
                self._ray.kill(actor.handle)
            self._add()
            yield from self._batches.died(actor.batch, type(error).__name__)
            return
        if kind == "wrong":
            raise UserError(value)
        batch, actor.batch = actor.batch, None
        self._idle.append(actor)
        if batch is None:
            self._batches.ready()
        else:
            yield batch.jobs, value

    def stop(self) -> None:
        for actor in (*self._idle, *self._waiting.values()):
            with suppress(Exception):
                self._ray.kill(actor.handle)
