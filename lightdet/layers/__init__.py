"""Building blocks of the networks, one idea per file. Tensors are ``[batch, channels, height, width]``."""

from lightdet.layers.attention import CBAM, ChannelAttention, SpatialAttention
from lightdet.layers.c3 import C3
from lightdet.layers.conv import ConvBNAct, make_activation
from lightdet.layers.conv_set import ConvSet
from lightdet.layers.csp import Bottleneck, BottleneckCSP
from lightdet.layers.focus import Focus
from lightdet.layers.fusion import ChannelGate, GatedFusion, InputGate, ScalarGate
from lightdet.layers.spp import SPP, ResidualSPP
from lightdet.layers.upsample import double

__all__ = [
    "C3",
    "CBAM",
    "SPP",
    "Bottleneck",
    "BottleneckCSP",
    "ChannelAttention",
    "ChannelGate",
    "ConvBNAct",
    "ConvSet",
    "Focus",
    "GatedFusion",
    "InputGate",
    "ResidualSPP",
    "ScalarGate",
    "SpatialAttention",
    "double",
    "make_activation",
]
