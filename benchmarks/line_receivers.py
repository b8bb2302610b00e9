"""What a line's sinks write to: a web server and an MQTT broker, which can be cut off and started again."""

from __future__ import annotations

import atexit
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_CLIENT = "line-benchmark"


class WebReceiver:
    """Takes the POSTs of a webhook in a process of its own; each id is in its file before the answer."""

    def __init__(self, folder: Path) -> None:
        self.port, self._kept, self._secret = _free_port(), folder / "webhook.txt", folder / "secret"
        self._secret.write_text("a secret for a benchmark alone\n", encoding="ascii")
        self._process: BaseProcess | None = None
        self.start()

    def section(self) -> dict[str, Any]:
        """Return the sink in the line's YAML."""
        return {"webhook": {"url": f"http://127.0.0.1:{self.port}/results", "secret_file": str(self._secret)}}

    def start(self) -> None:
        """Let it answer, again or for the first time."""
        self._process = get_context("spawn").Process(target=_receive, args=(self.port, self._kept), daemon=True)
        self._process.start()

    def cut(self) -> None:
        """Kill it at once, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def ids(self) -> Counter[str]:
        """Return how often each result came."""
        return Counter(self._kept.read_text(encoding="ascii").split()) if self._kept.exists() else Counter()


def _receive(port: int, kept: Path) -> None:
    with kept.open("a", encoding="ascii") as file:

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the name that http.server wants
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                file.write(f"{body['id']}\n")
                file.flush()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        HTTPServer(("127.0.0.1", port), Handler).serve_forever()


class Broker:
    """Debian's mosquitto, ended and started again, and a subscriber for whom it keeps what comes meanwhile."""

    def __init__(self, folder: Path) -> None:
        import paho.mqtt.client as mqtt  # noqa: PLC0415 - of the extra "line"

        self.port, self._config = _free_port(), folder / "mosquitto.conf"
        kept = f"persistence true\npersistence_location {folder}/\nmax_queued_messages 0\n"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n{kept}")
        self._ids: Counter[str] = Counter()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        subscribed = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=_CLIENT, clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda own, *_: own.subscribe("lightdet/#", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda _own, _data, message: self._count(message.payload)
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        if not subscribed.wait(10):
            sys.exit("the MQTT broker does not answer")

    def section(self) -> dict[str, Any]:
        """Return the sink in the line's YAML."""
        return {"mqtt": {"url": f"mqtt://127.0.0.1:{self.port}"}}

    def start(self) -> None:
        """Let it answer, again or for the first time."""
        self._process = subprocess.Popen([_mosquitto(), "-c", str(self._config)], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not _answers(self.port) and time.monotonic() < end:
            time.sleep(0.05)

    def cut(self) -> None:
        """End it by SIGTERM: killed, mosquitto forgets what it had confirmed since it last wrote its file."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def ids(self) -> Counter[str]:
        """Return how often each result came."""
        return Counter(self._ids)

    def _count(self, payload: bytes) -> None:
        self._ids[json.loads(payload)["id"]] += 1


Receiver = WebReceiver | Broker


def receivers(folder: Path) -> dict[str, Receiver]:
    """Return the web server, and the broker where mosquitto is installed."""
    made: dict[str, Receiver] = {"web": WebReceiver(folder)}
    if _mosquitto():
        made["broker"] = Broker(folder)
    for each in made.values():
        atexit.register(each.cut)
    return made


def all_delivered(made: dict[str, Receiver], wanted: int, seconds: float) -> None:
    """Wait until each has `wanted` different results, at most so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(len(each.ids()) < wanted for each in made.values()):
        time.sleep(1.0)


def delivered(made: dict[str, Receiver], ids: set[str]) -> dict[str, dict[str, int]]:
    """Count what each was given of the results with these `ids`."""
    found = {}
    for name, each in made.items():
        got = each.ids()
        found[name] = {
            "results": len(got),
            "lost": len(ids - got.keys()),
            "unknown": len(got.keys() - ids),
            "twice_with_one_id": sum(count > 1 for count in got.values()),
        }
    return found


def _mosquitto() -> str:
    return shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") or ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
