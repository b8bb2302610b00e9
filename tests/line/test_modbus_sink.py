"""The Modbus sink against a real server on loopback, that goes away and returns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from plain_judge import wait_for
from test_sinks import Desk, body, free_port

from lightdet.config.line import SinkSection
from lightdet.line.ledger import Waiting
from lightdet.line.sinks.make import make_sink
from lightdet.line.sinks.sink import AwayError

pymodbus = pytest.importorskip("pymodbus", reason="needs pip install 'lightdet[line]'")

FIRST = 100


class Controller:
    """A server with forty registers, and what was written to it."""

    def __init__(self, port: int) -> None:
        from pymodbus.client import ModbusTcpClient

        self.client = ModbusTcpClient("127.0.0.1", port=port)
        assert self.client.connect()

    def read(self) -> list[int]:
        return list(self.client.read_holding_registers(FIRST, count=9).registers)

    def write(self, place: int, values: list[int]) -> None:
        assert not self.client.write_registers(FIRST + place, values).isError()


@contextmanager
def controller(port: int) -> Iterator[Controller]:
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    loop = asyncio.new_event_loop()
    device = SimDevice(id=1, simdata=[SimData(address=FIRST, values=[0] * 40, datatype=DataType.REGISTERS)])
    servers: list[Any] = []

    async def serve() -> None:
        servers.append(ModbusTcpServer(device, address=("127.0.0.1", port)))
        await servers[0].serve_forever(background=True)

    asyncio.run_coroutine_threadsafe(serve(), loop)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    own: list[Controller] = []

    def connected() -> bool:
        try:
            own.append(Controller(port))
        except AssertionError:
            return False
        return True

    wait_for(connected)
    try:
        yield own[-1]
    finally:
        own[-1].client.close()
        asyncio.run_coroutine_threadsafe(servers[0].shutdown(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def sink(port: int, **more: Any) -> Any:
    values = {"host": "127.0.0.1", "port": port, "registers": {"left": FIRST}, **more}
    return make_sink(SinkSection.model_validate({"modbus": values}))


def test_a_result_is_in_the_registers_once_and_a_part_without_verdict_is_no_ok() -> None:
    port = free_port()
    with controller(port) as there:
        first, second = body(1), body(2, "none")
        own = sink(port)
        for each in (first, first, second):  # the first again, as after a kill
            own.take([Waiting(1, each["id"], each)])
            seen = there.read()
            assert seen[4:8] == [int(each["id"][start : start + 4], 16) for start in (16, 20, 24, 28)]
            assert seen[:4] == ([1, 1, 0, 0] if each is first else [2, 3, 4, 0])
        own.take([Waiting(2, "0" * 32, {**body(3), "source": "right"})])  # it has no registers
        assert there.read()[0] == 2
        own.close()


def test_a_controller_that_was_away_gets_all_in_order_and_acknowledges_each(tmp_path: Any) -> None:
    port, desk = free_port(), Desk(tmp_path)
    desk.add(6)
    got: list[str] = []
    with desk.feeding(sink(port, acknowledge=5.0)) as feeder:
        wait_for(lambda: feeder.problem)
        with controller(port) as there:
            for _ in range(3):
                seen = wait_for(lambda: (s := there.read())[0] != s[8] and s)
                got.append("".join(f"{word:04x}" for word in seen[4:8]))
                there.write(8, [seen[0]])
            wait_for(lambda: feeder.delivered == 3)
        wait_for(lambda: feeder.problem)
        with controller(port) as there:  # it has lost its memory
            for _ in range(3):
                seen = wait_for(lambda: (s := there.read())[0] != s[8] and s)
                got.append("".join(f"{word:04x}" for word in seen[4:8]))
                there.write(8, [seen[0]])
            wait_for(lambda: feeder.delivered == 6)
    assert got == [identity[-16:] for identity in desk.ids]


def test_a_controller_that_does_not_acknowledge_holds_the_next_result_back() -> None:
    port = free_port()
    with controller(port) as there:
        own, first = sink(port, acknowledge=0.1), body(1)
        for _ in range(2):
            with pytest.raises(AwayError, match="not acknowledged number 1"):
                own.take([Waiting(1, first["id"], first)])
        assert there.read()[0] == 1
        own.close()
