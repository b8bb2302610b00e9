"""Heads: features → raw outputs, and their decoding to boxes; no loss here."""

from lightdet.models.heads.anchor_head import AnchorHead, ConvBranch, HeadBranch, decode_grids
from lightdet.models.heads.decoupled_head import DecoupledHead, decode_cells

__all__ = ["AnchorHead", "ConvBranch", "DecoupledHead", "HeadBranch", "decode_cells", "decode_grids"]
