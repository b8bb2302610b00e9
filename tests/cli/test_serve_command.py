"""``lightdet serve`` from its options to the settings of the service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightdet.assembly.zones import zones_text
from lightdet.cli.app import main
from lightdet.decisions.zones import Zone, Zones

pytest.importorskip("fastapi", reason="the service needs pip install 'lightdet[service]'")

Serve = Callable[..., Any]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Run the command up to where it would listen; returns the settings and the --json file."""
    from lightdet.service import run as module

    (tmp_path / "best.onnx").write_bytes(b"a model")
    monkeypatch.chdir(tmp_path)
    seen: list[Any] = []
    monkeypatch.setattr(module, "run", lambda *given: seen.append(given))

    def call(*args: str) -> Any:
        seen.clear()
        assert main(["serve", "best.onnx", *args]) == 0
        return seen[0][0]

    return call


def test_what_is_not_given_is_left_to_the_model(serve: Serve) -> None:
    settings = serve()
    [model] = settings.models
    assert model.model == Path("best.onnx") and settings.threads is None
    assert model.load_options() == {"device": "auto", "rect": False, "no_promise": False}
    assert (settings.host, settings.port, settings.workers, settings.api_key) == ("127.0.0.1", 8000, 1, "")
    assert (model.threshold, model.min_size, model.thresholds, model.min_sizes) == (None, None, {}, {})
    assert not settings.allow_override
    assert settings.is_local


def test_every_option_arrives(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    zones = Zones((Zone("thread", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),))
    (tmp_path / "zones.yaml").write_text(zones_text(zones))
    settings = serve(
        "--threshold", "0.4", "--class-threshold", "scratch=0.5", "--class-threshold", "a=b=0.6", "--min-size", "5",
        "--class-min-size", "dent=7.5", "--confidence", "0.05", "--host", "0.0.0.0", "--port", "81", "--api-key-file",
        "key", "--allow-host", "line7", "--allow-host", "line8", "--database", "postgresql://u:p@h/d",
        "--no-thumbnails", "--keep-days", "30", "--workers", "3", "--concurrency", "4", "--queue", "0", "--max-mib",
        "200", "--max-megapixels", "12.5", "--max-parts", "2", "--timeout", "3", "--body-timeout", "4", "--imgsz",
        "320", "--iou", "0.6", "--max-detections", "9", "--rect", "--device", "cpu", "--precision", "bf16",
        "--threads", "2", "--access-log", "--allow-override", "--tile", "96", "--overlap", "0.3", "--no-promise",
        "--zones", "zones.yaml",
    )  # fmt: skip
    [model] = settings.models
    assert model.thresholds == {"scratch": 0.5, "a=b": 0.6} and model.min_sizes == {"dent": 7.5}
    assert (model.threshold, model.min_size, settings.api_key) == (0.4, 5, "s3cret")
    assert settings.allowed_hosts == ("line7", "line8") and not settings.is_local
    assert settings.compute_threads() == 2
    assert model.load_options() == {
        "device": "cpu", "imgsz": 320, "iou": 0.6, "max_detections": 9, "precision": "bf16",
        "confidence": 0.05, "rect": True, "tile": 96, "overlap": 0.3, "no_promise": True, "zones": zones,
    }  # fmt: skip
    limits = settings.limits
    assert (limits.max_bytes, limits.max_pixels, limits.max_parts) == (200 << 20, 12_500_000, 2)
    assert (limits.concurrency, limits.queue, limits.timeout, limits.body_timeout) == (4, 0, 3, 4)
    assert limits.memory == 800 << 20
    assert (settings.thumbnails, settings.keep_days, settings.workers, settings.access_log) == (False, 30, 3, True)
    assert settings.allow_override and "s3cret" not in repr(settings)


def test_secrets_of_a_windows_editor_have_no_mark_in_them(serve: Serve, tmp_path: Path) -> None:
    """Notepad and PowerShell 5 put a byte order mark before UTF-8; with it every signature would be wrong."""
    for name, secret in (("key", "s3cret"), ("secret", "Schlüssel")):
        (tmp_path / name).write_text(f"{secret}\r\n", encoding="utf-8-sig")
    settings = serve("--api-key-file", "key", "--alarm-secret-file", "secret", "--alarm-url", "http://h/")
    assert (settings.api_key, settings.alarms.secret) == ("s3cret", "Schlüssel")
    (tmp_path / "keys").write_text("line operator 0123456789abcdef\n", encoding="utf-8-sig")
    assert [key.name for key in serve("--keys", "keys").keys] == ["line"]


def test_the_environment_of_a_container(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HOST": "0.0.0.0", "PORT": "9000", "DATABASE": "x.sqlite3", "THRESHOLD": "0.7", "API_KEY": "k", "WORKERS": "2",
        "ALLOW_HOST": "a b", "MIN_SIZE": "3", "KEEP_DAYS": "9", "ALLOW_OVERRIDE": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"LIGHTDET_{name}", value)
    settings = serve()
    [model] = settings.models
    assert (settings.host, settings.port, settings.database, model.threshold) == ("0.0.0.0", 9000, "x.sqlite3", 0.7)
    assert (settings.api_key, settings.workers, settings.allowed_hosts) == ("k", 2, ("a", "b"))
    assert (model.min_size, settings.keep_days, settings.allow_override) == (3, 9, True)


LINE_UP = """
models:
  surface: {file: best.onnx, threshold: 0.6, class_threshold: {dent: 0.3}, zones: zones.yaml}
  shape: {file: best.onnx, min_size: 4, no_promise: true, tile: 0}
"""


def test_several_models_are_named_in_a_file(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightdet.service import run as module

    zones = Zones((Zone("thread", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),))
    (tmp_path / "zones.yaml").write_text(zones_text(zones))
    (tmp_path / "models.yaml").write_text(LINE_UP)
    seen: list[Any] = []
    monkeypatch.setattr(module, "run", lambda *given: seen.append(given[0]))
    assert main(["serve", "models.yaml", "--workers", "2"]) == 0
    surface, shape = seen[0].models
    assert (surface.called, surface.threshold, surface.thresholds) == ("surface", 0.6, {"dent": 0.3})
    assert (surface.zones, surface.zones_file) == (zones, Path("zones.yaml"))
    assert (shape.called, shape.model, shape.min_size, shape.no_promise) == ("shape", Path("best.onnx"), 4, True)
    assert (shape.threshold, shape.zones, shape.tile) == (None, None, 0)
    for args, told in [
        (("--threshold", "0.4"), "models.yaml: --threshold is for one model: write it into the file"),
        (("--zones", "zones.yaml"), "--zones is for one model"),
    ]:
        assert main(["serve", "models.yaml", *args]) == 2
        assert told in capsys.readouterr().err
    for wrong, told in [
        ("models: {a b: {file: best.onnx}}", "models.yaml:1"),
        ("models: {a: {file: best.onnx, treshold: 0.4}}", "threshold"),
        ("models: {a: {file: best.onnx, threshold: 2}}", "models.yaml:1"),
        ("models: {a: {file: nothing.onnx}}", "models.yaml:1: the model 'a': nothing.onnx: no such file"),
        ("models: {}", "models.yaml:1"),
    ]:
        (tmp_path / "models.yaml").write_text(wrong)
        assert main(["serve", "models.yaml"]) == 2
        text = capsys.readouterr().err
        assert told in text and text.count("\n") == 1


WRONG = [
    (("missing.onnx",), "missing.onnx: no such file"),
    (("folder",), "folder: is a folder"),
    ((), "Missing argument 'MODEL'"),
    (("best.onnx", "--class-threshold", "scratch"), "write NAME=NUMBER, such as --class-threshold scratch=0.4"),
    (("best.onnx", "--class-threshold", "=0.4"), "write NAME=NUMBER"),
    (("best.onnx", "--class-min-size", "dent=big"), "--class-min-size 'dent=big'"),
    (("best.onnx", "--class-threshold", "dent=1.4"), "threshold of 'dent' must lie in 0-1"),
    (("best.onnx", "--threshold", "2"), "--threshold"),
    (("best.onnx", "--port", "70000"), "--port"),
    (("best.onnx", "--workers", "0"), "--workers"),
    (("best.onnx", "--tls-cert", "best.onnx"), "HTTPS needs both a certificate and its key"),
    (("best.onnx", "--tls-cert", "c.pem", "--tls-key", "k.pem"), "c.pem: no such file"),
    (("best.onnx", "--api-key-file", "nothing"), "nothing: cannot be read"),
    (("best.onnx", "--api-key-file", "empty"), "empty: the file is empty"),
    (("best.onnx", "--api-key-file", "spaced"), "plain ASCII without spaces"),
    (("best.onnx", "--api-key-file", "marked"), "marked: the file is empty"),
    (("best.onnx", "--api-key-file", "utf16"), "utf16: cannot be read: not in UTF-8; save it so"),
    (("best.onnx", "--keys", "utf16"), "utf16: cannot be read: not in UTF-8; save it so"),
]


@pytest.mark.parametrize(("args", "told"), WRONG)
def test_a_mistake_is_one_line(
    serve: Serve, capsys: pytest.CaptureFixture[str], tmp_path: Path, args: tuple[str, ...], told: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "spaced").write_text("a key\n")
    (tmp_path / "marked").write_text("\n", encoding="utf-8-sig")
    (tmp_path / "utf16").write_text("s3cret\n", encoding="utf-16")
    assert main(["serve", *args]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and told in err


def test_packages_that_are_not_there(
    serve: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sqlalchemy" else find(name))
    assert main(["serve", "best.onnx"]) == 2
    assert "pip install 'lightdet[service]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("abc", "error: Invalid value for 'LIGHTDET_PORT': 'abc' is no whole number"),
        ("", "error: m.onnx: no such file"),
    ],
)
def test_a_variable_is_checked_by_its_name_and_an_empty_one_is_none(
    value: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIGHTDET_PORT", value)
    assert main(["serve", "m.onnx"]) == 2
    assert capsys.readouterr().err.startswith(told)
