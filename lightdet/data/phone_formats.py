"""HEIC and AVIF, the formats of phones: recognized by their first bytes, read if a decoder for them is installed."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from PIL import features

from lightdet.missing import how_to_install

_DECODERS = ("pi_heif", "pillow_heif")
"""Decoders for HEIC, the first one installed is used: the same project, without and with encoders."""
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
HEAD = 32
"""How many of a file's first bytes `phone_format` needs."""


def phone_format(head: bytes) -> str | None:
    """Return ``HEIC`` or ``AVIF`` for the first bytes of such a file (ISO 14496-12, ``ftyp``), None for others."""
    if head[4:8] != b"ftyp":
        return None
    brands = {head[8:12], *(head[place : place + 4] for place in range(16, len(head), 4))}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIC" if brands & _HEIC_BRANDS else None


@cache
def pillow_name(kind: str) -> str | None:
    """Return Pillow's name of the format, with its decoder registered; None if there is no decoder."""
    if kind == "AVIF":
        return "AVIF" if features.check("avif") else None
    for name in _DECODERS:
        try:
            import_module(name).register_heif_opener()
        except (ImportError, AttributeError):  # not installed, or without its libraries
            continue
        return "HEIF"
    return None


def how_to_read(kind: str) -> str:
    """Say what is missing if `pillow_name` returns None."""
    if kind == "AVIF":
        return "AVIF is read by Pillow 11.3 and newer: pip install --upgrade pillow; or save it as PNG or JPEG"
    return f"HEIC is read with pi-heif: {how_to_install('heic')}; or save it as PNG or JPEG"
