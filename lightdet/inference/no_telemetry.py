"""Runtimes must not report their use, nor leave an id of this computer in the home folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_onnxruntime() -> Any:
    """Import ONNX Runtime, which would otherwise (1.32) report to its maker and keep a device id under ``~/.cache``.

    Raises:
        ImportError: it is not installed.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read at its import
    import onnxruntime  # noqa: PLC0415 - wanted for this kind of file alone

    onnxruntime.disable_telemetry_events()  # other code may have imported it before
    return onnxruntime


def import_openvino() -> Any:
    """Import OpenVINO, whose converter would otherwise keep a client id in ``~/intel`` as soon as it is imported.

    Raises:
        ImportError: it is not installed.
    """
    with _no_openvino_telemetry():
        import openvino  # noqa: PLC0415 - wanted for this kind of file alone
    return openvino


def import_nncf() -> Any:
    """Import NNCF, which would otherwise report to its maker, and warn if it cannot keep an id in the home folder.

    Raises:
        ImportError: it is not installed.
    """
    os.environ.setdefault("NNCF_CI", "1")
    with _no_openvino_telemetry():
        import nncf  # noqa: PLC0415 - an extra, and slow to import
    return nncf


@contextmanager
def _no_openvino_telemetry() -> Iterator[None]:
    """As if ``openvino_telemetry`` were not installed: its importers fall back to a stand-in that does nothing."""
    before = sys.modules.get("openvino_telemetry")
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["openvino_telemetry"]
        if before is not None:
            sys.modules["openvino_telemetry"] = before
