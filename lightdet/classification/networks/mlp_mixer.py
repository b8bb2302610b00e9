"""MLP-Mixer (Tolstikhin et al. 2021, arXiv 2105.01601): patches mixed along space, then along channels.

Dimensions: B pictures, T patches of a picture, C channels.
"""

from __future__ import annotations

from torch import Tensor, nn


class MixerBlock(nn.Module):
    """``x + mix_patches(norm(x))``, then ``x + mix_channels(norm(x))``, both two linear layers with GELU (eq. 1)."""

    def __init__(self, patches: int, channels: int, token_hidden: int, channel_hidden: int, dropout: float) -> None:
        super().__init__()
        self.token_norm = nn.LayerNorm(channels)
        self.token_mixing = _mlp(patches, token_hidden, dropout)
        self.channel_norm = nn.LayerNorm(channels)
        self.channel_mixing = _mlp(channels, channel_hidden, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, T, C]`` → the same."""
        x = x + self.token_mixing(self.token_norm(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channel_mixing(self.channel_norm(x))  # type: ignore[no-any-return]


class MLPMixer(nn.Module):
    """Patches of the picture as tokens, mixer blocks, the mean over the tokens, one linear layer.

    The casting paper (reference 001) gives no sizes. The default has 4.6 M parameters; Tolstikhin's S/16 is
    ``width=512, token_hidden=256, channel_hidden=2048`` (18 M).

    Args:
        outputs: logits.
        imgsz: side of the input in pixels, a multiple of `patch`.
        patch: side of a patch in pixels.
        width: channels of a token.
        depth: blocks.
        token_hidden, channel_hidden: hidden widths of the two mixers.
        dropout: within the mixers.
    """

    def __init__(
        self,
        outputs: int,
        imgsz: int = 224,
        *,
        patch: int = 16,
        width: int = 256,
        depth: int = 8,
        token_hidden: int = 128,
        channel_hidden: int = 1024,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if imgsz % patch:
            raise ValueError(f"imgsz {imgsz} is not a multiple of the patch {patch}")
        patches = (imgsz // patch) ** 2
        self.embed = nn.Conv2d(3, width, patch, stride=patch)
        blocks = [MixerBlock(patches, width, token_hidden, channel_hidden, dropout) for _ in range(depth)]
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, imgsz, imgsz]`` → logits ``[B, outputs]``."""
        tokens = self.embed(images).flatten(2).transpose(1, 2)  # [B, T, C]
        return self.classifier(self.norm(self.blocks(tokens)).mean(dim=1))  # type: ignore[no-any-return]


def _mlp(width: int, hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
    )
