"""Where trainings run that belong together: processes of this computer, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from lightdet.processors import available_processors
from lightdet.runs.ray_trainings import on_cluster
from lightdet.runs.training_process import Begin, LocalTraining


@contextmanager
def training_places(
    engine: str, address: str | None, together: int, launcher: str, *, device: str = "auto"
) -> Iterator[Begin]:
    """What starts trainings, for `lightdet.runs.trainings.train_all`.

    Args:
        engine: ``processes`` or ``ray``.
        address: of a Ray cluster.
        together: trainings at the same time.
        launcher: see `LocalTraining`.
        device: a GPU for each, if it begins with ``cuda`` (Ray).

    Raises:
        UserError: Ray is missing, or no cluster is there.
    """
    if engine == "ray":
        with on_cluster(address, together, launcher, gpu=device.startswith("cuda")) as begin:
            yield begin
    else:
        threads = max(1, available_processors() // together) if together > 1 else None
        yield partial(LocalTraining, launcher, threads)
