"""Results in the holding registers of a controller, by Modbus TCP."""

from __future__ import annotations

import time
from typing import Any

from lightdet.config import line as config
from lightdet.line.ledger import Waiting
from lightdet.line.sinks.sink import AwayError
from lightdet.line.work import CAUSES

VERDICTS = {"OK": 1, "NG": 2, "none": 3}
CAUSE_NUMBERS = {"": 0, **{name: number for number, name in enumerate(CAUSES, start=1)}}
WORDS = config.RESULT_WORDS
"""Registers of a source: counter, verdict, cause, defects, and the last 64 bits of the id, the highest first."""
_SECONDS = 3.0
_POLL = 0.02


class ModbusSink:
    """Writes each result into its source's registers, all of them in one request.

    Args:
        section: its part of the YAML.
    """

    batch = 1

    def __init__(self, section: config.ModbusSink) -> None:
        from pymodbus.client import ModbusTcpClient  # noqa: PLC0415 - of the extra "line"
        from pymodbus.exceptions import ModbusException  # noqa: PLC0415

        self._section, self._failures = section, (ModbusException, OSError)
        self._client: Any = ModbusTcpClient(section.host, port=section.port, timeout=_SECONDS, retries=0)

    def take(self, results: list[Waiting]) -> None:
        """Write one result, if its source has registers, and wait until the controller has read it, if it says so.

        Raises:
            AwayError: the controller cannot be reached, refuses, or has not acknowledged in time.
        """
        for each in results:
            address = self._section.registers.get(str(each.body["source"]))
            if address is not None:
                self._write(address, each)

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def _write(self, address: int, result: Waiting) -> None:
        if not self._client.connected and not self._client.connect():
            raise AwayError(f"the controller {self._shown} cannot be reached")
        before = self._read(address, WORDS)
        mark = id_words(result.id)
        counter = before[0]
        if before[4:] != mark:  # otherwise it was written before a kill
            counter = before[0] % 0xFFFF + 1
            values = [counter, *words(result.body), *mark]
            self._ask(lambda: self._client.write_registers(address, values, device_id=self._section.unit))
        if self._section.acknowledge is None:
            return
        end = time.monotonic() + self._section.acknowledge
        while self._read(address + WORDS, 1) != [counter]:
            if time.monotonic() > end:
                raise AwayError(f"the controller {self._shown} has not acknowledged number {counter}")
            time.sleep(_POLL)

    def _read(self, address: int, count: int) -> list[int]:
        unit = self._section.unit
        answer = self._ask(lambda: self._client.read_holding_registers(address, count=count, device_id=unit))
        return list(answer.registers)

    def _ask(self, request: Any) -> Any:
        try:
            answer = request()
        except self._failures as error:
            self._client.close()
            raise AwayError(f"the controller {self._shown} does not answer: {error}") from None
        if answer.isError():
            raise AwayError(f"the controller {self._shown} refuses: {answer}")
        return answer

    @property
    def _shown(self) -> str:
        return f"{self._section.host}:{self._section.port}"


def words(body: dict[str, Any]) -> list[int]:
    """Return verdict, cause and the number of defects of a result, as registers."""
    findings = [each for said in body["models"].values() for each in said["findings"]]
    defects = sum(bool(each["defect"]) for each in findings)
    return [VERDICTS[body["verdict"]], CAUSE_NUMBERS[body["cause"]], min(defects, 0xFFFF)]


def id_words(identity: str) -> list[int]:
    """Return the last 64 bits of an id as four registers."""
    return [int(identity[-16:][start : start + 4], 16) for start in range(0, 16, 4)]
