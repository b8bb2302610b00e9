"""The YAML of a line: every key and its meaning on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from lightdet.addresses import ascii_url
from lightdet.config.section import Section
from lightdet.config.yaml_file import YamlFile, validate
from lightdet.errors import UserError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$")]
"""Letters, digits, ``-``, ``_`` and ``.``: it is part of topics, file names and messages."""
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Seconds = Annotated[float, Field(gt=0.0, le=86400.0, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Places = Annotated[int, Field(strict=True, ge=1, le=1000)]
Batch = Annotated[int, Field(strict=True, ge=1, le=64)]
Few = Annotated[int, Field(strict=True, ge=1, le=64)]
Share = Annotated[float, Field(gt=0.0, le=1000.0, allow_inf_nan=False)]
Bytes = Annotated[int, Field(strict=True, ge=4096)]
Camera = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]

RESULT_WORDS = 8
"""Registers that a result takes in a controller; where it acknowledges, its counter takes one more."""


def _one_of(section: Section, names: tuple[str, ...]) -> None:
    given = [name for name in names if getattr(section, name) is not None]
    if len(given) != 1:
        what = f"{' and '.join(given)} together" if given else "none of them"
        raise ValueError(f"needs exactly one of {', '.join(names)} (given: {what})")


class SourceSection(Section):
    """Where pictures come from."""

    folder: Text | None = None
    """A folder that is watched: every picture file in it is judged once."""
    video: Text | None = None
    """A video file, from its first frame to its last."""
    stream: Text | None = None
    """``rtsp://user:password@host/path`` or another address that OpenCV reads; the newest frame is judged."""
    camera: Camera | None = None
    """A camera of this computer by its number; the newest frame is judged."""
    recursive: bool = False
    """With `folder`: sub-folders as well."""
    settle: Seconds = 0.5
    """With `folder`: a file is read once its size and time have not changed for so long."""
    rate: Share | None = None
    """With `stream` and `camera`: at most so many frames per second; default: as many as can be judged."""
    models: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """The models that judge its pictures; default: all."""
    share: Share = 1.0
    """Its share of each model's time, beside those of the other sources, while more waits than can be judged."""
    queue: Places = 16
    """Pictures that may wait for each model."""
    drop: Literal["oldest", "newest", "none"] | None = None
    """What goes if the queue is full. ``none``: the source waits, which is the default for folders and videos; for
    streams and cameras it is ``oldest``."""
    latency: Seconds | None = None
    """From a picture's arrival to its verdict; what takes longer gets no verdict. Default: no limit."""

    @model_validator(mode="after")
    def _fits(self) -> SourceSection:
        _one_of(self, ("folder", "video", "stream", "camera"))
        given = self.model_fields_set
        if self.folder is None and given & {"recursive", "settle"}:
            raise ValueError("'recursive' and 'settle' belong to a folder")
        if "rate" in given and not self.live:
            raise ValueError("'rate' belongs to a stream or a camera")
        return self

    @property
    def live(self) -> bool:
        """Whether what is not taken now is gone."""
        return self.stream is not None or self.camera is not None

    @property
    def dropping(self) -> str:
        """`drop`, or its default."""
        return self.drop or ("oldest" if self.live else "none")


class ProofSection(Section):
    """Kept pictures that a new model file must judge before it takes over."""

    folder: Text
    """With sub-folders ``OK`` and ``NG``: the pictures, by what is known of them."""
    wrong: Annotated[int, Field(strict=True, ge=0)] = 0
    """How many of them may get another verdict."""


class ModelSection(Section):
    """What judges pictures: a model file with its calibrated rule."""

    file: Text
    """As for ``lightdet.load``: best.safetensors, .onnx or .xml."""
    device: Text = "cpu"
    threads: Few | None = None
    """Processor threads of each process; default: this computer's, shared by all processes."""
    processes: Few = 1
    """How many judge side by side."""
    batch: Batch | Literal["auto"] = "auto"
    """Pictures, of any source, that go through the network together. ``auto`` measures what is fastest."""
    zones: Text | None = None
    """Where to look: a YAML file of zones."""
    proof: ProofSection | None = None
    """What a new file must show before it takes over; default: that it loads and looks at a gray picture."""
    no_promise: bool = False
    """As the option of ``lightdet detect``."""
    timeout: Seconds = 60.0
    """A process that has worked on one batch for so long is ended, and another started."""


class FileSink(Section):
    """Lines of JSON in a file."""

    path: Text
    max_bytes: Bytes = 100_000_000
    """A longer file is renamed to ``….1``, that to ``….2``, and so on."""
    keep: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 10
    """How many of those are kept."""


class RecordsSink(Section):
    """The records of ``lightdet serve``, in their chain."""

    database: Text
    """A SQLite file, or postgresql://user:password@host/name."""


class WebhookSink(Section):
    """An HTTP POST for each picture."""

    url: Text
    secret_file: Text
    """Holds the secret of the signature."""

    @model_validator(mode="after")
    def _web(self) -> WebhookSink:
        try:
            ascii_url(self.url)
        except ValueError:
            raise ValueError("'url' must be an address such as http://host/path or https://host/path") from None
        return self


class MqttSink(Section):
    """A message of quality of service 1 for each picture."""

    url: Text
    """``mqtt://host:1883``, or ``mqtts://host:8883`` with TLS; without user and password."""
    topic: Annotated[str, Field(pattern=r"^[^+#\x00]{1,200}$")] = "lightdet/{source}"
    """``{source}`` stands for the source's name."""
    user: Text | None = None
    password_file: Text | None = None
    """Holds the password of `user`."""
    ca_file: Text | None = None
    """With mqtts: the certificate of the authority; default: the system's."""
    client_id: Name | None = None
    """Default: one that the broker gives."""

    @model_validator(mode="after")
    def _broker(self) -> MqttSink:
        parts = urlsplit(self.url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("'url' must be mqtt://host:port or mqtts://host:port")
        if "@" in parts.netloc:
            raise ValueError("'url' must not hold a password: use 'user' and 'password_file'")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("'user' and 'password_file' belong together")
        if self.ca_file is not None and parts.scheme != "mqtts":
            raise ValueError("'ca_file' is for a broker with TLS: write mqtts:// in 'url', or leave it out")
        return self


class ModbusSink(Section):
    """Holding registers of a controller, by Modbus TCP."""

    host: Text
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] = 502
    unit: Annotated[int, Field(strict=True, ge=0, le=255)] = 1
    registers: Annotated[dict[Name, Annotated[int, Field(strict=True, ge=0, le=65527)]], Field(min_length=1)]
    """The first of eight registers of each source, nine with `acknowledge`; other sources are left out."""
    acknowledge: Seconds | None = None
    """The controller writes the counter into the ninth register once it has read a result; the next one waits for that,
    and is tried again after so many seconds."""

    def span_of(self, source: str) -> range:
        """The registers of a source."""
        first = self.registers[source]
        return range(first, first + RESULT_WORDS + (self.acknowledge is not None))


class SinkSection(Section):
    """Where results go."""

    file: FileSink | None = None
    records: RecordsSink | None = None
    webhook: WebhookSink | None = None
    mqtt: MqttSink | None = None
    modbus: ModbusSink | None = None
    spool: Count = 100_000
    """Results that wait on this computer's disk while the sink cannot be reached; what is more is lost, and counted."""

    @model_validator(mode="after")
    def _fits(self) -> SinkSection:
        _one_of(self, tuple(name for name in type(self).model_fields if name != "spool"))
        return self


class LineSection(Section):
    """Sources, models and sinks."""

    state: Text = "runs/line"
    """A folder for what must not be lost when the computer stops, and for ``status.json``."""
    sources: Annotated[dict[Name, SourceSection], Field(min_length=1, max_length=200)]
    models: Annotated[dict[Name, ModelSection], Field(min_length=1, max_length=50)]
    sinks: Annotated[dict[Name, SinkSection], Field(min_length=1, max_length=50)]

    def models_of(self, source: str) -> tuple[str, ...]:
        """The names of the models that judge a source's pictures."""
        return self.sources[source].models or tuple(self.models)


def check_line(file: YamlFile) -> LineSection:
    """Check the keys and values of a line's YAML, and that all names in it are those of something.

    Raises:
        UserError: for the first problem, with its line.
    """
    line: Any = validate(LineSection, file)
    _check_models(line, file)
    _check_registers(line, file)
    idle = set(line.models) - {model for name in line.sources for model in line.models_of(name)}
    for name in sorted(idle):
        path, number = file.place(("models", name))
        raise UserError(f"no source uses the model '{name}'; remove it, or name it in a source", path=path, line=number)
    return LineSection.model_validate(line)


def _check_models(line: LineSection, file: YamlFile) -> None:
    """Refuse unknown models of a source, and one named twice: it answers once, and two answers would be awaited."""
    for name, source in line.sources.items():
        models = source.models or ()
        for place, model in enumerate(models):
            path, number = file.place(("sources", name, "models", place))
            if model not in line.models:
                known = ", ".join(line.models)
                raise UserError(f"there is no model '{model}'; known here: {known}", path=path, line=number)
            if model in models[:place]:
                raise UserError(f"the model '{model}' is named twice; name it once", path=path, line=number)


def _check_registers(line: LineSection, file: YamlFile) -> None:
    """Refuse registers of unknown sources, and those that two results would share: one would be read as the other."""
    taken: dict[tuple[str, int, int], dict[str, range]] = {}
    for name, sink in line.sinks.items():
        if (controller := sink.modbus) is None:
            continue
        here = taken.setdefault((controller.host.lower(), controller.port, controller.unit), {})
        for source in controller.registers:
            path, number = file.place(("sinks", name, "modbus", "registers", source))
            if source not in line.sources:
                known = ", ".join(line.sources)
                raise UserError(f"there is no source '{source}'; known here: {known}", path=path, line=number)
            span = controller.span_of(source)
            if (shared := _overlapping(span, here)) is not None:
                what = f"the registers of '{source}' ({_ends(span)}) overlap those of {shared}"
                raise UserError(f"{what}; give each source registers of its own", path=path, line=number)
            here[f"'{source}' in '{name}'"] = span


def _overlapping(span: range, taken: Mapping[str, range]) -> str | None:
    """Say which of the spans that are taken shares a register with this one."""
    for whose, other in taken.items():
        if span.start < other.stop and other.start < span.stop:
            return f"{whose} ({_ends(other)})"
    return None


def _ends(span: range) -> str:
    return f"{span.start} to {span.stop - 1}"
