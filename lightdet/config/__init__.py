"""The YAML schema as typed models; an unknown key or a bad value is an error that names it."""

from lightdet.config.schema import (
    AugmentConfig,
    Config,
    EvalConfig,
    LossConfig,
    ModelConfig,
    TrainConfig,
)
from lightdet.config.yaml_file import YamlFile, load_yaml, parse_overrides, validate

__all__ = [
    "AugmentConfig",
    "Config",
    "EvalConfig",
    "LossConfig",
    "ModelConfig",
    "TrainConfig",
    "YamlFile",
    "load_yaml",
    "parse_overrides",
    "validate",
]
