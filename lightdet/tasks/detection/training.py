"""How a network is trained: boxes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightdet.config import YamlFile, load_network_config

if TYPE_CHECKING:
    from lightdet.assembly.trainer import RunContext
    from lightdet.assembly.training_data import TrainingData
    from lightdet.card import ModelCard
    from lightdet.config import RunConfig
    from lightdet.data.pictures import Pictures
    from lightdet.data.spec import DatasetSpec, OnError
    from lightdet.training.trainer import Trainer


class DetectionTraining:
    """See `lightdet.tasks.training.Training`."""

    score_column, score_words = "map50_95", "mAP@0.5:0.95"

    def training_data(
        self, config: RunConfig, spec: DatasetSpec, *, on_error: OnError, **more: Any
    ) -> TrainingData[Pictures]:
        """Pictures with boxes."""
        from lightdet.assembly.detector_training import load_training_data  # noqa: PLC0415

        return load_training_data(config, spec, on_error=on_error, **more)

    def trainer(self, config: RunConfig, data: TrainingData[Pictures], context: RunContext, **more: Any) -> Trainer:
        """A detector's."""
        from lightdet.assembly.detector_training import build_trainer  # noqa: PLC0415

        return build_trainer(config, data, context, **more)

    def network_of(self, card: ModelCard, weights: Path) -> dict[str, Any]:
        """A detector's."""
        model = self.network_config(YamlFile(dict(card.model), weights)).model_dump(mode="json")
        if "backbone_weights" in model:
            model["backbone_weights"] = None  # what that training began with; this one has more
        tiles = {} if card.tiles is None else {"tiles": {"size": card.tiles.size, "overlap": card.tiles.overlap}}
        return {"imgsz": card.preprocessing.imgsz, **tiles, "model": model}

    def network_config(self, file: YamlFile) -> Any:
        """A detector's."""
        return load_network_config(file)

    def messages(self) -> Any:
        """Boxes, losses and mAP."""
        from lightdet.training import messages  # noqa: PLC0415

        return messages

    @property
    def enough_steps(self) -> int:
        """As measured."""
        from lightdet.training.outlook import ENOUGH_STEPS  # noqa: PLC0415

        return ENOUGH_STEPS

    def way_to_train_on(self, config: RunConfig, last: Path) -> str:
        """With its weights."""
        return f"to train longer, start another from its weights: --weights {last} --output ANOTHER"
