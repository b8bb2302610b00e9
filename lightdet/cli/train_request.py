"""What ``lightdet train`` was asked for, checked before torch is imported: mistakes are told at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightdet.build.dataset import load_dataset
from lightdet.build.fine_tuning import config_from_card
from lightdet.config import BackboneConfig, RunConfig, YamlFile, load_config, load_yaml
from lightdet.data.dataset import DatasetSpec
from lightdet.errors import UserError
from lightdet.files import make_folder

STATE_FILE = "state.safetensors"  # of lightdet.training.checkpoint, whose import would bring torch


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

    def check(self) -> tuple[RunConfig, DatasetSpec]:
        """Read configuration and data set's YAML and look at the output folder.

        Raises:
            UserError: anything wrong with them.
        """
        if self.weights is not None and self.resume:
            raise UserError("--resume goes on with its own weights; leave --weights out, or --resume")
        file = self.file()
        if self.weights is not None:
            file = config_from_card(self.weights, file, self.overrides)
        config = load_config(file, self.overrides)
        _check_backbone(config)
        spec = load_dataset(self.data, self.data_root)
        spec.split("train")
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


def _check_backbone(config: RunConfig) -> None:
    """Miss the backbone's weights before the pictures are decoded."""
    weights = config.model.backbone_weights if isinstance(config.model, BackboneConfig) else None
    if weights is not None and not Path(weights).expanduser().is_file():
        raise UserError("no such file; 'model.backbone_weights' names it", path=weights)


def _check_val(spec: DatasetSpec) -> None:
    """Refuse a validation split under another name: it would be left unused, and no epoch would be measured."""
    other = spec.misnamed_val()
    if other is not None:
        raise UserError(f"there is no split 'val', but '{other}': rename it to 'val'", path=spec.path)
