"""Results as MQTT messages that the broker has confirmed (quality of service 1)."""

from __future__ import annotations

import json
import ssl
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lightdet.config import line as config
from lightdet.errors import UserError
from lightdet.line.ledger import Waiting
from lightdet.line.sinks.sink import BATCH, AwayError
from lightdet.missing import require_file

_SECONDS = 10.0
"""For a connection, and for the broker to confirm a batch."""
_KEEP_ALIVE = 15
_PORTS = {"mqtt": 1883, "mqtts": 8883}


def check_authority(file: Path) -> None:
    """Refuse a file that holds no certificate of an authority: no broker could ever be reached with it.

    Raises:
        UserError: it is missing, or cannot be used.
    """
    require_file(file)
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise UserError("holds no certificate that can be read; give the authority's, as PEM", path=file) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path=file) from None


class MqttSink:
    """Publishes to a broker.

    What the broker has confirmed is never published again by this process. A message that it took without our hearing
    of it comes a second time, with the same ``id``.

    Args:
        section: its part of the YAML.
        password: of its user.
    """

    batch = BATCH

    def __init__(self, section: config.MqttSink, password: str | None) -> None:
        self._section, self._password = section, password
        self._client: Any = None
        self._lost = threading.Event()
        self._confirmed: set[str] = set()

    def take(self, results: list[Waiting]) -> None:
        """Publish these, and wait until the broker has confirmed all.

        Raises:
            AwayError: it cannot be reached, lets us not in, or does not confirm in time.
        """
        client = self._connected()
        sent = []
        for each in results:
            if each.id not in self._confirmed:
                topic = self._section.topic.replace("{source}", str(each.body["source"]))
                sent.append((each.id, client.publish(topic, json.dumps(each.body, ensure_ascii=False), qos=1)))
        end = time.monotonic() + _SECONDS
        while not all(info.is_published() for _, info in sent):
            if self._lost.wait(0.005) or time.monotonic() > end:
                break
        self._confirmed |= {identity for identity, info in sent if info.is_published()}
        if not all(info.is_published() for _, info in sent):
            self.close()
            raise AwayError(f"the broker {self._shown} did not confirm")
        self._confirmed = {each.id for each in results}  # should the spool not hear of it

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    @property
    def _shown(self) -> str:
        return urlsplit(self._section.url).netloc

    def _connected(self) -> Any:
        if self._client is not None and not self._lost.is_set():
            return self._client
        self.close()
        import paho.mqtt.client as mqtt  # noqa: PLC0415 - of the extra "line"
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415

        section, parts = self._section, urlsplit(self._section.url)
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=section.client_id or "")
        client.max_inflight_messages_set(self.batch)
        if section.user is not None:
            client.username_pw_set(section.user, self._password)
        answer: list[Any] = []
        answered, self._lost = threading.Event(), threading.Event()
        lost = self._lost

        def on_connect(_client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
            answer.append(code)
            answered.set()

        client.on_connect = on_connect
        client.on_disconnect = lambda *_: lost.set()
        try:
            if parts.scheme == "mqtts":
                client.tls_set(ca_certs=section.ca_file)
            client.connect(str(parts.hostname), parts.port or _PORTS[parts.scheme], keepalive=_KEEP_ALIVE)
        except (OSError, ValueError) as error:
            raise AwayError(f"the broker {self._shown} cannot be reached: {error}") from None
        client.loop_start()
        self._client = client
        if not answered.wait(_SECONDS) or answer[0].is_failure:
            self.close()
            why = str(answer[0]) if answer else "no answer"
            raise AwayError(f"the broker {self._shown} does not let us in: {why}")
        return client
