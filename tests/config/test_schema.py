"""Every key of the schema: its default holds, its group refuses strangers, it cannot be changed afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError

from lightdet.config import Config, ModelConfig


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for info in model.model_fields.values():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from sections(info.annotation)


SECTIONS = list(sections(Config))


@pytest.mark.parametrize("section", SECTIONS)
def test_the_defaults_obey_their_own_ranges(section: type[BaseModel]) -> None:
    defaults = section()
    assert section.model_validate(defaults.model_dump()) == defaults


@pytest.mark.parametrize("section", SECTIONS)
def test_a_stranger_is_refused_and_values_are_frozen(section: type[BaseModel]) -> None:
    with pytest.raises(ValidationError):
        section.model_validate({"no_such_key": 1})
    name = next(iter(section.model_fields))
    with pytest.raises(ValidationError):
        setattr(section(), name, None)


def test_what_is_written_is_read_back() -> None:
    config = Config.model_validate(
        {"imgsz": 320, "model": {"gate": "scalar", "anchors": [[[10, 13]], [[30, 61]], [[116, 90]]]}}
    )
    assert Config.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("imgsz", [32, 224, 320, 608, 640, 8192])
def test_a_multiple_of_32_is_taken(imgsz: int) -> None:
    assert Config(imgsz=imgsz).imgsz == imgsz


@pytest.mark.parametrize("imgsz", [0, -32, 16, 33, 600, 8224])
def test_another_side_is_refused(imgsz: int) -> None:
    with pytest.raises(ValidationError):
        Config(imgsz=imgsz)


@pytest.mark.parametrize(
    "anchors", [[], [[], [], []], [[(1.0, 2.0)]] * 2, [[(1.0, 2.0)], [(1.0, 2.0)] * 2, [(1.0, 2.0)]]]
)
def test_anchors_come_in_three_equal_lists(anchors: list[list[tuple[float, float]]]) -> None:
    with pytest.raises(ValidationError, match="three lists"):
        ModelConfig(anchors=anchors)
