"""The classifiers: pictures ``[B, 3, S, S]`` in, logits ``[B, K]`` out; a class each, or one logit for two classes."""

from lightdet.classification.networks.cnn import BasicCNN
from lightdet.classification.networks.dnn import DenseNet
from lightdet.classification.networks.mlp_mixer import MLPMixer
from lightdet.classification.networks.pretrained import download_backbone, load_backbone
from lightdet.classification.networks.torchvision_networks import efficientnet_b0, mobilenet_v2, resnet18

__all__ = [
    "BasicCNN",
    "DenseNet",
    "MLPMixer",
    "download_backbone",
    "efficientnet_b0",
    "load_backbone",
    "mobilenet_v2",
    "resnet18",
]
