"""What ``lightdet train`` was asked for, checked before torch is imported: mistakes are told at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.fine_tuning import config_from_card
from lightdet.assembly.starting import start_of
from lightdet.config import BackboneConfig, RunConfig, YamlFile, load_yaml
from lightdet.data.dataset import DatasetSpec
from lightdet.errors import UserError
from lightdet.files import make_folder, with_home
from lightdet.tasks import CLASSIFICATION, AnyConfig, read_config, task_of_config, task_of_model

# Of lightdet.training.checkpoint, whose import would bring torch:
STATE_FILE = "state.safetensors"
METADATA_KEY = "lightdet_training"


@dataclass(frozen=True)
class TrainRequest:
    """The flags of ``lightdet train``; `overrides` are ``key.path=value``."""

    data: Path
    config: Path | None
    data_root: Path | None
    overrides: list[str]
    device: str
    output: Path
    resume: bool
    overwrite: bool
    skip_broken: bool
    json: Path | None
    weights: Path | None = None

    def file(self) -> YamlFile:
        """The configuration file, or nothing but defaults."""
        return load_yaml(self.config) if self.config else YamlFile({})

    def config_of(self, file: YamlFile) -> AnyConfig:
        """Read a configuration: its key ``task`` tells whether it is a detector's or a classifier's.

        Raises:
            UserError: anything wrong with it.
        """
        if self.resume and self.config is None:
            file = kept_config(self.output) or file
        return read_config(file, self.overrides)

    def check(self) -> tuple[AnyConfig, DatasetSpec]:
        """Read configuration and data set's YAML and look at the output folder.

        Raises:
            UserError: anything wrong with them.
        """
        if self.weights is not None and self.resume:
            raise UserError("--resume goes on with its own weights; leave --weights out, or --resume")
        file = self.file()
        tasks = [task_of_config(file, self.overrides)] + ([task_of_model(self.weights)] if self.weights else [])
        if self.weights is not None and CLASSIFICATION in tasks:
            raise UserError(
                "--weights begins detectors; of classifiers, those of torchvision (mobilenet_v2, resnet18, "
                "efficientnet_b0) begin with model.pretrained=FILE",
                path=self.weights,
            )
        if self.weights is not None:
            file = config_from_card(self.weights, file, self.overrides)
        config = self.config_of(file)
        _check_backbone(config)
        if isinstance(config, RunConfig) and not self.resume:
            start_of(config, self.weights)
        spec = load_dataset(self.data, self.data_root)
        spec.split("train")
        if self.resume and self.config is None:
            file = kept_config(self.output) or file
        task_of_config(file, self.overrides).check_dataset(spec)
        _check_val(spec)
        state = self.output / STATE_FILE
        if self.resume and not state.is_file():
            raise UserError(f"nothing to resume here: no {STATE_FILE}; start without --resume", path=self.output)
        if self.resume and self.overwrite:
            raise UserError("--resume and --overwrite exclude each other: go on, or start anew?")
        if not (self.resume or self.overwrite) and (state.exists() or (self.output / "best.safetensors").exists()):
            raise UserError(
                "holds a training already; go on with --resume, start anew with --overwrite, or take another --output",
                path=self.output,
            )
        make_folder(self.output)
        return config, spec


def _check_backbone(config: AnyConfig) -> None:
    """Miss the backbone's weights before the pictures are decoded."""
    weights = config.model.backbone_weights if isinstance(config.model, BackboneConfig) else None
    if weights is not None and not with_home(weights).is_file():
        raise UserError("no such file; 'model.backbone_weights' names it", path=weights)


def kept_config(output: Path) -> YamlFile | None:
    """The configuration in the state of a training, read without torch; None where there is none."""
    path = output / STATE_FILE
    try:
        with safe_open(path, framework="numpy") as file:
            values = json.loads((file.metadata() or {})[METADATA_KEY])["run"]["config"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None  # told when the state is loaded
    return YamlFile(values, path) if isinstance(values, dict) else None


def _check_val(spec: DatasetSpec) -> None:
    """Refuse a validation split under another name: it would be left unused, and no epoch would be measured."""
    other = spec.misnamed_val()
    if other is not None:
        raise UserError(f"there is no split 'val', but '{other}': rename it to 'val'", path=spec.path)
