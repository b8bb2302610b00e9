"""What an exported file says of itself survives being written, and a damaged card is one line."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from lightdet.card import METADATA_KEY, parse_model_card
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
    {"names": ["a", ""]},
    {"names": ["\ud800"]},
    {"names": ["x" * 1001]},
    {"names": [str(i) for i in range(10_001)]},
    {"anchors": [[[5, float("nan")]]]},
    {"anchors": [[[5, 10**400]]]},
    {"strides": [8.0]},
    {"confidence": True},
    {"batch": 1_000_000},
    {"batch": 1.0},
    {"max_detections": 10**9},
    {"precision": "fp8"},
    {"dynamic_size": 1},
    {"facts": []},
    {"decision": [1]},
    {"version": None},
]


@pytest.mark.parametrize("key", [field.name for field in fields(Preprocessing)])
@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -1, 0.5, 10**400, "1", [], [1e9] * 3, [0] * 3])
def test_no_picture_is_prepared_with_numbers_that_are_none(key: str, value: object) -> None:
    """Half a gray value per step, a mean of nothing, an input of half a pixel: each would find nothing, and say OK."""
    values = json.loads(CARD.as_json())
    if (key, value) in (("scale", 0.5), ("mean", [0] * 3)):
        return  # may be meant
    values["preprocessing"][key] = value
    with pytest.raises(UserError, match=r"^m\.onnx: its model card is damaged; export it again$"):
        parse_card(json.dumps(values), "m.onnx")
    model = {"format": 1, "model": {}, "names": ["a"], "preprocessing": values["preprocessing"]}
    with pytest.raises(UserError, match=r"^m\.safetensors: its model card is damaged"):
        parse_model_card({METADATA_KEY: json.dumps(model)}, "m.safetensors")


LONG = '{"format": 1, "names": [' + '"a",' * 2_000_000 + '"a"]}'


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, LONG], ids=["lists", "mappings", "long"])
def test_cards_of_any_depth_and_length(text: str) -> None:
    with pytest.raises(UserError, match="damaged"):
        parse_card(text, "m.onnx")
    with pytest.raises(UserError, match="its model card is damaged"):
        parse_model_card({METADATA_KEY: text}, "m.safetensors")


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
