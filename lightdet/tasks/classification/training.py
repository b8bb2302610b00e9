"""How a network is trained: classes of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightdet.assembly.classifier_training import ClassifyData
    from lightdet.assembly.trainer import RunContext
    from lightdet.card import ModelCard
    from lightdet.config import YamlFile
    from lightdet.config.classification import ClassifyConfig
    from lightdet.data.spec import DatasetSpec, OnError
    from lightdet.training.trainer import Trainer


class ClassificationTraining:
    """See `lightdet.tasks.training.Training`."""

    score_column, score_words = "val_balanced_accuracy", "balanced accuracy"
    enough_steps = None

    def training_data(
        self, config: ClassifyConfig, spec: DatasetSpec, *, on_error: OnError, **more: Any
    ) -> ClassifyData:
        """Pictures with a class each."""
        from lightdet.assembly.classifier_training import load_classify_data  # noqa: PLC0415

        return load_classify_data(config, spec, on_error=on_error, **more)

    def trainer(self, config: ClassifyConfig, data: ClassifyData, context: RunContext, **more: Any) -> Trainer:
        """A classifier's."""
        from lightdet.assembly.classifier_training import build_classify_trainer  # noqa: PLC0415

        return build_classify_trainer(config, data, context, **more)

    def network_of(self, card: ModelCard, weights: Path) -> dict[str, Any]:
        """A classifier's; it keeps gray input."""
        from lightdet.assembly.classifier import card_config  # noqa: PLC0415

        model = card_config(card, weights).model_dump(mode="json")
        if "pretrained" in model:
            model["pretrained"] = False  # what that training began with; this one has more
        seen = card.preprocessing
        return {"task": "classify", "imgsz": seen.imgsz, "gray": seen.gray, "model": model}

    def network_config(self, file: YamlFile) -> Any:
        """A classifier's."""
        from lightdet.config.classification import load_classifier_config  # noqa: PLC0415

        return load_classifier_config(file)

    def messages(self) -> Any:
        """Classes, loss and accuracy."""
        from lightdet.classification import training_messages  # noqa: PLC0415

        return training_messages

    def way_to_train_on(self, config: ClassifyConfig, last: Path) -> str:
        """With its weights."""
        return f"to train longer, start another from its weights: --weights {last} --output ANOTHER"
