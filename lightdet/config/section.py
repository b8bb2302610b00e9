"""What every section of a YAML file has in common, and the types of its values."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


def numbers(meaning: str, *counts: int) -> BeforeValidator:
    """Refuse anything but a list of so many entries, saying what it should hold; null is left to the type."""

    def check(value: Any) -> Any:
        if value is not None and (not isinstance(value, list | tuple) or len(value) not in counts):
            raise ValueError(f"must be {meaning}")
        return value

    return BeforeValidator(check)


class Section(BaseModel):
    """A group of keys; unknown ones are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # true would otherwise count as 1, wherever a number is allowed and a switch is not
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        if bool not in kinds and kinds & {int, float} and _has_switch(value):
            raise ValueError(
                "should be a number" if isinstance(value, bool) else "should hold numbers, not true or false"
            )
        return value


def _kinds(annotation: Any) -> set[Any]:
    """The plain types that a value of this type may have or hold; those of a section's own keys do not count."""
    if get_origin(annotation) is Literal:
        return {bool} & {type(each) for each in get_args(annotation)}  # the others are compared one by one
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    held = get_args(annotation)
    return set().union(*map(_kinds, held)) if held else {annotation}


def _has_switch(value: Any) -> bool:
    """Whether a value is, or its lists and mappings hold, true or false; each of them is visited once (aliases)."""
    waiting, seen = [value], set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, bool):
            return True
        if isinstance(each, dict | list | tuple) and id(each) not in seen:
            seen.add(id(each))
            waiting += each.values() if isinstance(each, dict) else each
    return False
