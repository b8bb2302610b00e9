"""A line's YAML in words, and what in it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lightdet.config.line import LineSection
from lightdet.line.source import target_of


def describe(section: LineSection) -> Iterator[str]:
    """Yield a line of text for each source, model and sink.

    Raises:
        UserError: an address that cannot be split.
    """
    for name, source in section.sources.items():
        place = source.folder or target_of(source)[1]
        missing = source.folder is not None and not Path(source.folder).is_dir()
        limit = f", within {source.latency:g} s" if source.latency is not None else ""
        models = ", ".join(section.models_of(name))
        drops = "waits" if source.dropping == "none" else f"drops the {source.dropping}"
        yield f"source {name}: {place}{' (not there now)' * missing} → {models}; share {source.share:g}; {drops}{limit}"
    for name, model in section.models.items():
        missing = not Path(model.file).is_file()
        yield f"model {name}: {model.file}{' (no such file)' * missing}; batch {model.batch}"
    for name, sink in section.sinks.items():
        (kind,) = (k for k in type(sink).model_fields if k != "spool" and getattr(sink, k) is not None)
        yield f"sink {name}: {kind}, up to {sink.spool} results wait"
