"""Heads: features → raw outputs, and their decoding to boxes; no loss here."""

from lightdet.models.heads.anchor_head import AnchorHead, ConvBranch, HeadBranch, decode_grids

__all__ = ["AnchorHead", "ConvBranch", "HeadBranch", "decode_grids"]
