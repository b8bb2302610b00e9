"""Building blocks of the networks, one idea a file. Tensors are ``[batch, channels, height, width]``."""

from lightdet.layers.attention import CBAM, ChannelAttention, SpatialAttention
from lightdet.layers.conv import ConvBNAct, make_activation
from lightdet.layers.csp import Bottleneck, BottleneckCSP
from lightdet.layers.focus import Focus
from lightdet.layers.fusion import ChannelGate, GatedFusion, InputGate, ScalarGate
from lightdet.layers.spp import SPP

__all__ = [
    "CBAM",
    "SPP",
    "Bottleneck",
    "BottleneckCSP",
    "ChannelAttention",
    "ChannelGate",
    "ConvBNAct",
    "Focus",
    "GatedFusion",
    "InputGate",
    "ScalarGate",
    "SpatialAttention",
    "make_activation",
]
