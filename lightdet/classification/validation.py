"""A classifier's validation split: its loss and a few numbers each epoch; the report has them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from lightdet.classification.best_and_worst import validation_pictures
from lightdet.classification.board_pictures import judged_sheet
from lightdet.classification.dataset import LabelledPictures, labels_of
from lightdet.classification.metrics import headline
from lightdet.classification.task import ClassifyTask, probabilities
from lightdet.errors import UserError
from lightdet.inference.classifier import to_input
from lightdet.models.fast_cpu import fast_cpu
from lightdet.training.parallel import parallel_map
from lightdet.training.reporting import how_to_converge
from lightdet.training.validation import Scored

TIE = 1e-7
"""What a unit of loss subtracts from the score: it decides only between epochs of equal balanced accuracy."""


@dataclass
class ClassifyValidation:
    """A split to score a classifier on.

    Attributes:
        pictures: the split.
        names: class names.
        batch: pictures per batch, over all replicas.
        replicas: threads that process batches in parallel.
    """

    pictures: LabelledPictures
    names: Sequence[str]
    batch: int = 32
    replicas: int = 1

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.pictures)

    def score(self, task: ClassifyTask, network: nn.Module) -> Scored:
        """Balanced accuracy (best by it, then by the smaller loss), accuracy, macro F1, AUC and the training's loss.

        With pictures of only one class no epoch is the best: a network that always reports it would be.
        """
        side, share = self.pictures.imgsz, max(1, self.batch // self.replicas)
        network = fast_cpu(network, (side, side))

        def look(start: int) -> Tensor:
            numbers = range(start, min(start + share, len(self.pictures)))
            inputs = np.stack([to_input(self.pictures.image(index), task.preprocessing) for index in numbers])
            return task.logits(network, torch.from_numpy(inputs).permute(0, 3, 1, 2))

        found = parallel_map(look, range(0, len(self.pictures), share), replicas=self.replicas)
        logits, labels = torch.cat(found), torch.from_numpy(labels_of(self.pictures))
        with torch.inference_mode():
            loss = float(task.criterion(logits, labels.to(logits.device)))
        shares = probabilities(logits).cpu().numpy()
        if not np.isfinite(shares).all():
            raise UserError(f"the network's output is no longer a number: {how_to_converge(task.precision)}")
        numbers_found = headline(labels.numpy(), shares)
        columns = {"val_loss": loss, **{f"val_{name}": value for name, value in numbers_found.items()}}
        balanced = numbers_found["balanced_accuracy"] if len(set(labels.tolist())) > 1 else None
        best_by = None if balanced is None else balanced - TIE * min(loss, 100.0)
        draw = partial(judged_sheet, self.pictures, shares, tuple(self.names))
        shown = partial(validation_pictures, self.pictures, shares, tuple(self.names))
        return Scored(best_by, columns, {"loss": loss, **numbers_found}, draw, shown)
