"""The fields of answers about the service itself: its model, watch, zones and health."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lightdet.service.schemas import ClassRule, Promise, Rule


class Watch(BaseModel):
    """How the pictures are compared with those of the calibration."""

    reference: int = Field(description="how many calibration pictures they are compared with")
    watched: Literal["passed", "all"] = Field(description="which pictures are compared")
    compared: int = Field(description="how many were compared so far")
    evidence: dict[str, float] = Field(
        description="by statistic, how near it is to a suspension by itself: 0 is nothing, 1 is there"
    )


class WatchAnew(BaseModel):
    """That the watch over the promise has begun anew."""

    recorded: bool = Field(description="whether that is in the database; it is in the log")


class ZonesOfModel(BaseModel):
    """Where is looked, and what is ignored."""

    digest: str = Field(description="changes with their content")
    units: Literal["share", "pixels"] = Field(description="of the points: shares of the picture's sides, or pixels")
    size: tuple[int, int] | None = Field(None, description="with pixels: width and height of the pictures")
    zones: list[dict[str, Any]] = Field(
        description="each: `name`, its corners as `look` or `ignore`; if given, `classes`, `threshold`, `thresholds`"
    )


class ServedModel(BaseModel):
    """A model that is served."""

    name: str
    version: str = Field(description="the first twelve digits of its SHA-256")
    sha256: str
    classes: list[str]


class Models(BaseModel):
    """All that are served."""

    models: list[ServedModel]


class Info(BaseModel):
    """A model and what the service accepts."""

    name: str
    version: str = Field(description="the first twelve digits of its SHA-256, as answers and records have it")
    sha256: str = Field(description="of the model file; of an OpenVINO model, of both files one after the other")
    lightdet: str
    runtime: str
    classes: list[str]
    input_size: int = Field(description="side of the network input in pixels")
    lowest_score: float = Field(description="detections with lower scores are not reported")
    rule: Rule | ClassRule
    promise: Promise
    watch: Watch | None = Field(description="null: nothing is promised, or the calibration kept no statistics")
    zones: ZonesOfModel | None = Field(description="null: the whole picture is looked at")
    limits: dict[str, float]
    thumbnails: bool


class DrawnZones(BaseModel):
    """Zones as a file of ``--zones`` has them."""

    model_config = ConfigDict(extra="forbid")

    units: Literal["share", "pixels"]
    size: tuple[int, int] | None = None
    zones: list[dict[str, Any]] = Field(min_length=1, max_length=64)


class CheckedZones(BaseModel):
    """What became of zones that were drawn."""

    yaml: str = Field(description="the file")
    digest: str
    why_not_saved: str = Field(description="why this service does not take other zones; empty: it would")


class SavedZones(BaseModel):
    """The zones in which is looked from now on."""

    digest: str


class ModelChange(BaseModel):
    """The model that answers from now on."""

    changed: bool = Field(description="false: the file is what is served already")
    model: str
    sha256: str
    before: str = Field(description="SHA-256 of the model that answered until now")
    classes: list[str]
    rule: str = Field(description="from what on a part is NG, in words")
    recorded: bool = Field(description="whether the change is in the database; it is in the log")


class Health(BaseModel):
    """That the service is alive."""

    status: Literal["alive"]


class Ready(BaseModel):
    """Whether pictures are accepted, and whether records are written."""

    ready: bool = Field(description="false also where the SQLite file was deleted or replaced")
    engine: Literal["up", "stuck"] = Field(description="stuck: a picture has been worked on for far too long")
    models: int = Field(description="how many are served; all of them are loaded")
    database: Literal["up", "down"]
    backlog: int = Field(description="requests whose records are still to be written")
    pictures: Literal["none", "kept", "not kept"] = Field(
        description="whether pictures are kept: none are to be; the last one was; it could not be, see the log"
    )
