"""The state of a training in one safetensors file: enough to continue as if nothing had happened.

It is one file, written whole or not at all, so a kill at any moment leaves no mismatched parts.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lightdet.errors import UserError
from lightdet.models.weights import read_safetensors, write_safetensors

STATE_FILE = "state.safetensors"
METADATA_KEY = "lightdet_training"
FORMAT = 1


@dataclass
class Progress:
    """The progress of a training.

    Attributes:
        epoch: the current epoch, from 0.
        batch: batches of it already done.
        step: optimizer steps in all.
        seconds: training time so far, over all sessions.
        images: pictures trained on so far.
        batches: batches in all.
        time: seconds by what they were spent on (see `lightdet.training.stopwatch`).
        scoring: seconds of the last validation and of the writing after it; None before the first.
        spent: seconds since the command started, over all sessions, if the plan counts them.
        losses: sums of the loss terms over the epoch's batches so far.
        best: best score so far; None before the first validation, and if nothing can be measured.
        best_epoch: the latest epoch with that score; if nothing can be measured, the last one scored.
        since_best: validations since the score was last exceeded.
        history: one record per epoch, the rows of results.csv.
        done: whether the training has ended.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    images: int = 0
    batches: int = 0
    time: dict[str, float] = field(default_factory=dict)
    scoring: float | None = None
    spent: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    best: float | None = None
    best_epoch: int | None = None
    since_best: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_metrics: dict[str, Any] | None = None
    last_metrics: dict[str, Any] | None = None
    done: bool = False

    def note_score(self, score: float | None, metrics: dict[str, Any]) -> bool:
        """Record the score of the current epoch; True if it is the best so far.

        Among equal epochs the later one counts, since it has learned more; for patience it is no progress. If nothing
        can be measured (`score` is None), each epoch in turn is the best.
        """
        self.last_metrics = metrics
        if score is not None:
            better = self.best is None or score > self.best
            self.since_best = 0 if better else self.since_best + 1
            if not better and score != self.best:
                return False
        self.best, self.best_epoch, self.best_metrics = score, self.epoch + 1, metrics
        return True


def save_state(
    path: str | Path,
    *,
    network: nn.Module,
    average: nn.Module,
    average_updates: int,
    optimizer: Optimizer,
    scaler: dict[str, Any],
    progress: Progress,
    run: dict[str, Any],
) -> None:
    """Write everything a training needs to continue; `run` (configuration, data) is kept with it as JSON."""
    tensors: dict[str, Tensor] = {}
    tensors |= {f"network/{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average/{name}": value for name, value in average.state_dict().items()}
    plain: dict[str, dict[str, Any]] = {}
    for index, entry in optimizer.state_dict()["state"].items():
        for key, value in entry.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{key}"] = value
            else:
                plain.setdefault(str(index), {})[key] = value
    metadata = {
        "format": FORMAT,
        "progress": asdict(progress),
        "average_updates": average_updates,
        "optimizer": plain,
        "scaler": scaler,
        "run": run,
    }
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_safetensors(path, ready, {METADATA_KEY: json.dumps(metadata)})


@dataclass
class TrainingState:
    """The content of a file from `save_state`."""

    tensors: dict[str, Tensor]
    progress: Progress
    average_updates: int
    optimizer: dict[str, dict[str, Any]]
    scaler: dict[str, Any]
    run: dict[str, Any]

    def restore(self, network: nn.Module, average: nn.Module, optimizer: Optimizer) -> None:
        """Load weights, averages and optimizer state."""
        network.load_state_dict(self._part("network/"))
        average.load_state_dict(self._part("average/"))
        state: dict[int, dict[str, Any]] = {int(i): dict(values) for i, values in self.optimizer.items()}
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for name, value in self._part("optimizer/").items():
            index, key = name.split("/", 1)
            # In the memory layout of its parameter (channels last): fused optimizers walk both side by side.
            like = parameters[int(index)]
            placed = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
            state.setdefault(int(index), {})[key] = placed
        whole = optimizer.state_dict()
        whole["state"] = state
        optimizer.load_state_dict(whole)

    def _part(self, prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in self.tensors.items() if name.startswith(prefix)}


def load_state(folder: str | Path) -> TrainingState:
    """Read the saved state of an output folder.

    Raises:
        UserError: there is none, it is truncated, or from a newer version.
    """
    path = Path(folder) / STATE_FILE
    if not path.is_file():
        raise UserError(f"nothing to resume here: no {STATE_FILE}; start without --resume", path=folder)
    tensors, metadata = read_safetensors(path)
    try:
        values = json.loads(metadata[METADATA_KEY])
        if values["format"] > FORMAT:
            raise UserError("was written by a newer lightdet; upgrade to resume it", path=path)
        unknown = sorted(values["progress"].keys() - {each.name for each in fields(Progress)})
        if unknown:
            message = (
                f"was written by another version of lightdet ('{unknown[0]}' is unknown here); upgrade to resume it"
            )
            raise UserError(message, path=path)
        return TrainingState(
            tensors,
            Progress(**values["progress"]),
            values["average_updates"],
            values["optimizer"],
            values["scaler"],
            values["run"],
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError("holds no lightdet training state", path=path) from None
