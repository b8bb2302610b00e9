"""A line's YAML in words, and what in it is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from lightdet.assembly.zones import read_zones
from lightdet.config.line import LineSection, ModelSection, SinkSection, SourceSection
from lightdet.errors import UserError
from lightdet.line.proof import kept_pictures
from lightdet.line.sinks.mqtt_sink import check_authority
from lightdet.line.source import target_of
from lightdet.missing import require_file
from lightdet.secret_file import read_secret


def describe(section: LineSection) -> Iterator[str]:
    """Yield a line of text for each source, model and sink, with the faults of the files and folders that it names.

    Raises:
        UserError: an address that cannot be split.
    """
    for name, source in section.sources.items():
        limit = f", within {source.latency:g} s" if source.latency is not None else ""
        models = ", ".join(section.models_of(name))
        drops = "waits" if source.dropping == "none" else f"drops the {source.dropping}"
        yield f"source {name}: {_place(source)} → {models}; share {source.share:g}; {drops}{limit}"
    for name, model in section.models.items():
        yield f"model {name}: {_files_of_model(model)}; batch {model.batch}"
    for name, sink in section.sinks.items():
        yield f"sink {name}: {', '.join(_about_sink(sink))}, up to {sink.spool} results wait"


def _place(source: SourceSection) -> str:
    if source.folder is not None:
        return f"{source.folder}{' (not there now)' * (not Path(source.folder).is_dir())}"
    return target_of(source)[1] if source.video is None else _checked(source.video, require_file)


def _files_of_model(model: ModelSection) -> str:
    found = [_checked(model.file, require_file)]
    if model.zones is not None:
        found.append(f"zones {_checked(model.zones, read_zones)}")
    if model.proof is not None:
        found.append(f"proof {_checked(model.proof.folder, kept_pictures)}")
    return "; ".join(found)


def _about_sink(sink: SinkSection) -> Iterator[str]:
    """Its kind, and the files that it names."""
    yield next(k for k in type(sink).model_fields if k != "spool" and getattr(sink, k) is not None)
    if sink.webhook is not None:
        yield f"secret_file {_checked(sink.webhook.secret_file, read_secret)}"
    if sink.mqtt is not None and sink.mqtt.password_file is not None:
        yield f"password_file {_checked(sink.mqtt.password_file, read_secret)}"
    if sink.mqtt is not None and sink.mqtt.ca_file is not None:
        yield f"ca_file {_checked(sink.mqtt.ca_file, check_authority)}"


def _checked(path: str, check: Callable[[Path], object]) -> str:
    """The path, and in brackets why the line could not use what is there."""
    try:
        check(Path(path))
    except UserError as error:
        same = error.line is None and error.path == Path(path)
        return f"{path} ({error.message if same else error})"
    return path
