"""How a network learns: classes of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.errors import UserError

if TYPE_CHECKING:
    from lightdet.assembly.classifier_training import ClassifyData
    from lightdet.config.classification import ClassifyConfig
    from lightdet.data.spec import DatasetSpec, OnError
    from lightdet.training.trainer import Trainer


class ClassificationTraining:
    """See `lightdet.tasks.training.Training`."""

    score_column, score_words = "val_balanced_accuracy", "balanced accuracy"
    fingerprinted = "pictures or labels"
    enough_steps = None

    def training_data(
        self, config: ClassifyConfig, spec: DatasetSpec, *, on_error: OnError, progress: Callable[[int, int], None]
    ) -> ClassifyData:
        """Pictures with a class each."""
        from lightdet.assembly.classifier_training import load_classify_data  # noqa: PLC0415

        return load_classify_data(config, spec, on_error=on_error, progress=progress)

    def trainer(self, config: ClassifyConfig, data: ClassifyData, **settings: Any) -> Trainer:
        """A classifier's."""
        from lightdet.assembly.classifier_training import build_classify_trainer  # noqa: PLC0415

        return build_classify_trainer(config, data, **settings)

    def check_start(self, weights: Path) -> None:
        """A configuration names them."""
        raise UserError(
            "--weights begins detectors; of classifiers, those of torchvision (mobilenet_v2, resnet18, "
            "efficientnet_b0) begin with model.pretrained=FILE",
            path=weights,
        )

    def messages(self) -> Any:
        """Classes, loss and accuracy."""
        from lightdet.classification import training_messages  # noqa: PLC0415

        return training_messages

    def way_to_train_on(self, config: ClassifyConfig, last: Path) -> str:
        """With its weights, where the network takes some."""
        from lightdet.config.classification import TorchvisionClassifierConfig  # noqa: PLC0415

        if isinstance(config.model, TorchvisionClassifierConfig):
            return f"to train on, begin another with its weights: model.pretrained={last} --output ANOTHER"
        return "to train longer, begin anew with more --epochs and --overwrite, or with another --output"
