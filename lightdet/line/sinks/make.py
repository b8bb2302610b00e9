"""The YAML of a sink → the sink."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from lightdet.config.line import SinkSection
from lightdet.errors import UserError
from lightdet.line.sinks.file_sink import FileSink
from lightdet.line.sinks.sink import Sink
from lightdet.missing import how_to_install
from lightdet.secret_file import read_secret


def make_sink(section: SinkSection) -> Sink:
    """Return the sink; it is not reached yet.

    Raises:
        UserError: a package is missing, or what it names cannot be used.
    """
    if section.file is not None:
        return FileSink(Path(section.file.path), section.file.max_bytes, section.file.keep)
    if section.records is not None:
        _needs("sqlalchemy", "records", "service")
        from lightdet.line.sinks.records_sink import RecordsSink  # noqa: PLC0415 - only where it is used

        return RecordsSink(section.records.database)
    if section.mqtt is not None:
        _needs("paho", "mqtt", "line")
        from lightdet.line.sinks.mqtt_sink import MqttSink, check_authority  # noqa: PLC0415

        if section.mqtt.ca_file is not None:
            check_authority(Path(section.mqtt.ca_file))
        file = section.mqtt.password_file
        return MqttSink(section.mqtt, None if file is None else read_secret(Path(file)))
    if section.modbus is not None:
        _needs("pymodbus", "modbus", "line")
        from lightdet.line.sinks.modbus_sink import ModbusSink  # noqa: PLC0415

        return ModbusSink(section.modbus)
    assert section.webhook is not None  # noqa: S101 - the schema sees to it
    from lightdet.line.sinks.webhook_sink import WebhookSink  # noqa: PLC0415

    return WebhookSink(section.webhook.url, read_secret(Path(section.webhook.secret_file)))


def _needs(package: str, sink: str, extra: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise UserError(f"the sink '{sink}' needs a further package: {how_to_install(extra)}")
