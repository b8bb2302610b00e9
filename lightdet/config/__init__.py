"""The YAML schema as typed models; an unknown key or a bad value is an error that names it."""

from lightdet.config.anchor_free import SimOTALossConfig, YoloxModelConfig
from lightdet.config.families import load_config, load_network_config, network_names
from lightdet.config.networks import (
    AnchorNetworkConfig,
    LightNetworkConfig,
    ModelConfig,
    NetworkConfig,
    YoloModelConfig,
)
from lightdet.config.schema import (
    AugmentConfig,
    Config,
    EvalConfig,
    EvaluationConfig,
    LossConfig,
    Pace,
    RunConfig,
    TrainConfig,
)
from lightdet.config.torchvision_detectors import BackboneConfig, FasterRCNNModelConfig, SSDModelConfig
from lightdet.config.yaml_file import YamlFile, load_yaml, parse_overrides, validate

__all__ = [
    "AnchorNetworkConfig",
    "AugmentConfig",
    "BackboneConfig",
    "Config",
    "EvalConfig",
    "EvaluationConfig",
    "FasterRCNNModelConfig",
    "LightNetworkConfig",
    "LossConfig",
    "ModelConfig",
    "NetworkConfig",
    "Pace",
    "RunConfig",
    "SSDModelConfig",
    "SimOTALossConfig",
    "TrainConfig",
    "YamlFile",
    "YoloModelConfig",
    "YoloxModelConfig",
    "load_config",
    "load_network_config",
    "load_yaml",
    "network_names",
    "parse_overrides",
    "validate",
]
