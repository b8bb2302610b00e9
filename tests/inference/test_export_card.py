"""What an exported file says of itself survives being written, and a damaged card is one line."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lightdet.errors import UserError
from lightdet.inference.export_card import ExportCard, parse_card
from lightdet.structures import Preprocessing

CARD = ExportCard(
    ("Kratzer", "凹み"),
    Preprocessing(608, pad_value=100, bit_depth=12),
    "planar",
    "grids",
    anchors=(((8.5, 9.0), (12.0, 20.0)),),
    strides=(8,),
    batch=None,
    precision="int8",
    version="1.0",
    facts={"proof": {"pictures": 16}},
    decision={"rule": {"classes": {"*": 0.5}}},
)


def test_a_card_comes_back_whole() -> None:
    assert parse_card(CARD.as_json(), "m.onnx") == CARD
    single = replace(CARD, outputs="candidates", anchors=(), strides=(), batch=4)
    assert parse_card(single.as_json(), "m.onnx") == single


CHANGES = [
    {"names": []},
    {"names": [1]},
    {"layout": "sideways"},
    {"outputs": "boxes"},
    {"anchors": []},
    {"anchors": [[[0, 5]]]},
    {"strides": [8, 16]},
    {"strides": [0]},
    {"confidence": 2},
    {"batch": 0},
    {"max_detections": 0},
    {"preprocessing": {"imgsz": 100}},
    {"surprise": 1},
    {"names": None},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_cannot_be_true_is_refused(change: dict[str, object]) -> None:
    values = json.loads(CARD.as_json()) | change
    with pytest.raises(UserError, match=r"^m\.onnx: its model card is damaged; export it again$"):
        parse_card(json.dumps(values), "m.onnx")


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "was not exported by lightdet"), ("{", "damaged"), ("[]", "damaged"), ('{"format": 99}', "newer lightdet")],
)
def test_foreign_damaged_and_newer_cards(text: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_card(text, "m.onnx")
