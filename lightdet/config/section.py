"""What every section of a YAML file has in common, and the types of its values."""

from __future__ import annotations

from typing import Annotated, Any

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
        # true would otherwise count as 1
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation in (int, int | None):
            raise ValueError("should be a number")
        return value
