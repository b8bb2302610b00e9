"""The fields of requests and answers, as the API's description shows them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lightdet.service.corrected_boxes import MOST_BOXES
from lightdet.service.inspection import FIELD_LENGTH
from lightdet.service.plain_text import LINE, LINES, are_lines


class Detection(BaseModel):
    """A detection; for a classifier, the bad class that decides, with the whole picture as its box."""

    box: tuple[float, float, float, float] = Field(description="x1, y1, x2, y2 in pixels of the picture, from 0")
    score: float = Field(ge=0, le=1)
    label: int = Field(ge=0, description="number of the class")
    name: str = Field(description="name of the class")
    defect: bool = Field(description="counts as a defect under the rule: reaches its threshold and smallest size")
    zones: list[str] | None = Field(
        None, description="names of the zones to look at in which it lies, if there are any"
    )


class Model(BaseModel):
    """Which model decided."""

    name: str
    version: str = Field(description="first twelve hexadecimal digits of the model file's SHA-256")
    sha256: str | None = Field(description="all of them; null: an earlier version recorded it")


class Rule(BaseModel):
    """Which detections count as defects."""

    threshold: float = Field(ge=0, le=1)
    thresholds: dict[str, float] = Field(description="by class name, instead of `threshold`")
    min_size: float = Field(ge=0, description="pixels; the longer side of the box")
    min_sizes: dict[str, float] = Field(description="by class name, instead of `min_size`")
    zones: dict[str, dict[str, float]] | None = Field(
        None, description="by zone and class name, instead of `threshold` and `thresholds`, where zones have their own"
    )


class ClassRule(BaseModel):
    """A classifier's rule: which classes make a picture NG."""

    bad: list[str] = Field(description="names of the bad classes")
    threshold: float = Field(ge=0, le=1, description="lowest probability of being of any of them")
    thresholds: dict[str, float] = Field(description="by bad class, in place of `threshold`; or none")


class NoVerdict(BaseModel):
    """In place of a rule: `lightdet line` could not judge this part. Its `decision` is NG, and in no statistics."""

    none: str = Field(description="why there is no verdict")


class Estimate(BaseModel):
    """What cross-calibration estimated; nothing is promised."""

    rate: Literal["escape_rate", "false_reject_rate"] = Field(description="which rate")
    target: float = Field(description="its bound, in (0, 1)")
    confidence: float = Field(description="of the bound, in (0, 1)")
    per_class: bool = Field(description="for the bad parts of each class by itself")


class Promise(BaseModel):
    """What the service's verdicts promise, if anything."""

    holds: bool
    text: str = Field(description="the promise in words, or why there is none")
    rate: Literal["escape_rate", "false_reject_rate"] | None = Field(None, description="which rate is bounded")
    target: float | None = Field(None, description="its bound, in (0, 1)")
    confidence: float | None = Field(None, description="of the bound, in (0, 1)")
    per_class: bool | None = Field(None, description="for the bad parts of each class by itself")
    estimate: Estimate | None = Field(None, description="where nothing is promised, what was estimated instead")
    suspended: bool | None = Field(None, description="true: the pictures have changed since the calibration")
    moved: str | None = Field(None, description="the statistic of the pictures that moved, if it is suspended")


class CorrectedBox(BaseModel):
    """A box that is right."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(max_length=200, description="name of a class of the model")
    box: Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=4, max_length=4)] = Field(
        description="x1, y1, x2, y2 in pixels of the picture as shown, from 0, within it"
    )


class NewCorrection(BaseModel):
    """What a person says of a past inspection."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["OK", "NG"] | None = Field(None, description="what the part is; null: a remark alone")
    boxes: list[CorrectedBox] | None = Field(
        None,
        max_length=MOST_BOXES,
        description="all boxes that the picture should have, for training; [] for none; null: nothing is said of them",
    )
    note: str = Field(min_length=1, max_length=1000, json_schema_extra={"pattern": LINES}, description="why")

    @field_validator("note")
    @classmethod
    def _fit_for_records(cls, note: str) -> str:
        if not are_lines(note):
            raise ValueError("must be text that can be shown")
        return note


class Correction(BaseModel):
    """What a person said of an inspection, which itself stays as it was recorded; no statistics count it."""

    id: str
    time: str
    decision: Literal["OK", "NG"] | None
    note: str
    key: str = Field(description="name of the API key; empty without one")
    role: str
    boxes: list[CorrectedBox] | None = Field(description="all boxes that are right; null: nothing was said of them")


class Result(BaseModel):
    """One inspected picture."""

    id: str = Field(description="32 hexadecimal digits; they sort by time")
    time: str = Field(description="ISO 8601, UTC")
    name: str = Field(description="the caller's name for the part: the file's name, or the parameter `name`")
    sha256: str
    bytes: int
    size: tuple[int, int] = Field(description="width, height as shown")
    model: Model
    rule: Rule | ClassRule | NoVerdict
    promise: Promise | None = Field(description="of this decision; null: an earlier version recorded it")
    overridden: bool | None = Field(
        description="decided by a rule of the caller's own, and in no statistics; null: an earlier version recorded it"
    )
    zones: str | None = Field(description="digest of the zones in which was looked, as `/api/model` has it; null: none")
    key: str | None = Field(description="name of the API key; empty without one; null: an earlier version recorded it")
    role: str | None = Field(description="of that key; empty without one; null as there")
    station: str | None = Field(description="where the picture was taken; empty where it was not said; null as there")
    order: str | None = Field(description="batch or order number; empty where it was not said; null as there")
    software: str | None = Field(description="lightdet's version; null: an earlier version recorded it")
    original: str | None = Field(description="address of the picture as it came, if it was kept; null: it was not")
    not_kept: str | None = Field(
        description="why the picture was to be kept and was not; null: it was, or was not to be"
    )
    decision: Literal["OK", "NG"]
    defects: int = Field(description="how many detections count as defects")
    detections: list[Detection] = Field(description="best score first; also those that do not count")
    corrections: list[Correction] = Field(description="what people said of it later, the oldest first")
    milliseconds: dict[str, float] = Field(description="by stage; `total` from the whole request to the result")
    picture: str | None = Field(None, description="a data URL, where the parameter `picture` asks for it")


class DetectAnswer(BaseModel):
    """The answer to one or more pictures."""

    decision: Literal["OK", "NG"] = Field(description="NG if any of the pictures is")
    recorded: bool = Field(description="false: the database is away; the record is kept and written later")
    results: list[Result]


class History(BaseModel):
    """Inspections, the latest first."""

    results: list[Result]
    before: str | None = Field(description="give this as `before` for the next page; null at the end")


class ClassCount(BaseModel):
    """Defects of one class."""

    name: str
    defects: int
    pictures: int


class Counted(BaseModel):
    """The parts of one sample of time."""

    time: str = Field(description="its begin")
    inspected: int
    rejected: int


class ChartPoint(Counted):
    """One sample of the p-chart."""

    share: float
    lower: float
    upper: float
    signal: bool = Field(description="it breaks a rule")
    rules: list[int] = Field(description="which of Nelson's rules; 1: outside its limits")


class Chart(BaseModel):
    """A p-chart of the samples that are over, with limits three standard deviations from the centre."""

    seconds: float = Field(description="width of a sample")
    center: float = Field(description="share over the samples within their limits")
    spread: float = Field(description="what Laney's correction multiplies the limits' width by; 1: nothing")
    left_out: int = Field(description="samples outside of their limits, which are not in the centre")
    unfinished: Counted | None = Field(description="the sample that is not over, and on no chart")
    points: list[ChartPoint]


class Statistics(BaseModel):
    """Counts of the inspections in a time."""

    since: str | None
    until: str | None
    inspected: int
    rejected: int
    share: float | None = Field(description="share of rejected parts; null if nothing was inspected")
    overridden: int = Field(description="inspections by a rule of the caller's own; in none of the other numbers")
    classes: list[ClassCount]
    chart: Chart


class Error(BaseModel):
    """Why a request was refused."""

    status: int
    code: str = Field(description="a word for programs")
    message: str = Field(description="a sentence for people")
    part: int | None = Field(None, description="which picture of the request, from 0")


class ErrorAnswer(BaseModel):
    """The answer to a request that is refused."""

    error: Error


BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
PICTURES_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One picture as the raw body, or one or several as files of a form, under any names.",
        "content": {
            "image/*": {"schema": BINARY},
            "application/octet-stream": {"schema": BINARY},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "pictures": {"type": "array", "items": BINARY, "minItems": 1},
                        "station": {"type": "string", "maxLength": FIELD_LENGTH, "pattern": LINE},
                        "order": {"type": "string", "maxLength": FIELD_LENGTH, "pattern": LINE},
                    },
                    "required": ["pictures"],
                    "additionalProperties": False,  # files of other names are taken as well; programs need none
                }
            },
        },
    }
}
_REASONS = {
    400: "no picture, a broken form, or no JSON",
    401: "no API key (no_key), or an unknown one (wrong_key)",
    403: "from another web page or computer, by a key whose role may not, or a threshold where none is taken",
    404: "no such thing",
    408: "the request did not arrive in time",
    409: "the model file is not taken, or the kept picture was changed",
    413: "too many bytes, pixels or parts",
    415: "no picture",
    421: "called by an unknown host name",
    422: "a damaged picture, or a parameter out of range",
    503: "busy, or the database is away; Retry-After says when to try again",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the API description of these refusals."""
    return {status: {"model": ErrorAnswer, "description": _REASONS[status]} for status in statuses}
