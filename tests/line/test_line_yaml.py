"""A line's YAML: what is wrong in it is refused in one line with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightdet.cli.app import main
from lightdet.config.line import check_line
from lightdet.config.yaml_file import load_yaml
from lightdet.errors import UserError

GOOD = """\
sources:
  left: {folder: a}
  right: {camera: 0, rate: 2}
models:
  surface: {file: m.onnx}
sinks:
  log: {file: {path: out.jsonl}}
"""


def check(folder: Path, text: str) -> str:
    path = folder / "line.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        check_line(load_yaml(path))
    return str(caught.value).removeprefix(str(folder))


def test_what_may_be_dropped_goes_by_the_source(tmp_path: Path) -> None:
    path = tmp_path / "line.yaml"
    path.write_text(GOOD, encoding="utf-8")
    line = check_line(load_yaml(path))
    assert {name: source.dropping for name, source in line.sources.items()} == {"left": "none", "right": "oldest"}
    assert line.models_of("left") == ("surface",)


@pytest.mark.parametrize(
    ("before", "after", "line", "says"),
    [
        ("folder: a", "foldr: a", 2, "unknown key 'sources.left.foldr'; did you mean 'sources.left.folder'?"),
        ("folder: a", "folder: a, video: b", 2, "exactly one of folder, video, stream, camera"),
        ("folder: a", "latency: 2", 2, "none of them"),
        ("folder: a", "folder: a, rate: 2", 2, "'rate' belongs to a stream or a camera"),
        ("folder: a", "folder: a, models: [surfac]", 2, "there is no model 'surfac'; known here: surface"),
        ("folder: a", "folder: a, models: [surface, surface]", 2, "the model 'surface' is named twice; name it once"),
        ("folder: a", "folder: a, latency: 0", 2, "greater than 0"),
        ("folder: a", "folder: a, drop: all", 2, "'oldest', 'newest' or 'none'"),
        ("surface: {", "sur face: {", 5, "sur face"),
        ("file: m.onnx", "file: m.onnx, batch: 0", 5, "'models.surface.batch' should be greater than or equal to 1"),
        ("file: {path: out.jsonl}", "file: {}", 7, "the key 'sinks.log.file.path' is missing"),
        ("file: {path: out.jsonl}", "webhook: {url: 'ftp://x', secret_file: s}", 7, "http://"),
        ("file: {path: out.jsonl}", "webhook: {url: 'http://x:port/', secret_file: s}", 7, "http://"),
        ("file: {path: out.jsonl}", "modbus: {host: h, registers: {lefd: 1}}", 7, "there is no source 'lefd'"),
        ("file: {path: out.jsonl}", "mqtt: {url: 'mqtt://me:hush@host'}", 7, "'user' and 'password_file'"),
        (
            "file: {path: out.jsonl}",
            "mqtt: {url: 'mqtt://host', ca_file: ca.pem}",
            7,
            "'ca_file' is for a broker with TLS",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, before: str, after: str, line: int, says: str) -> None:
    text = GOOD.replace(before, after)
    told = check(tmp_path, text)
    assert told.startswith(f"/line.yaml:{line}: ")
    assert says in told
    assert "hush" not in told


PLC = "host: plc, acknowledge: 5"


@pytest.mark.parametrize(
    ("sinks", "line", "says"),
    [
        (["host: plc, registers: {left: 100, right: 100}"], 7, "'right' (100 to 107) overlap those of 'left' in 'one'"),
        (["host: plc, registers: {left: 100, right: 107}"], 7, "'right' (107 to 114) overlap"),
        (["host: plc, registers: {left: 100, right: 99}"], 7, "'right' (99 to 106) overlap"),
        ([f"{PLC}, registers: {{left: 100, right: 108}}"], 7, "'left' in 'one' (100 to 108)"),
        ([f"{PLC}, registers: {{left: 108, right: 100}}"], 7, "'right' (100 to 108) overlap"),
        (["host: plc, registers: {left: 100}", "host: plc, registers: {right: 104}"], 8, "'left' in 'one'"),
        (["host: plc, registers: {left: 100}", "host: plc, registers: {left: 100}"], 8, "'left' in 'one'"),
        (["host: plc, registers: {left: 100}", "host: PLC, port: 502, unit: 1, registers: {right: 100}"], 8, "'one'"),
        ([f"{PLC}, registers: {{left: 100}}", "host: plc, registers: {right: 108}"], 8, "(100 to 108)"),
    ],
)
def test_registers_that_two_sources_would_share_are_refused(
    tmp_path: Path, sinks: list[str], line: int, says: str
) -> None:
    told = check(tmp_path, _with_registers(sinks))
    assert told.startswith(f"/line.yaml:{line}: ")
    assert says in told


@pytest.mark.parametrize(
    "sinks",
    [
        ["host: plc, registers: {left: 100, right: 108}"],
        [f"{PLC}, registers: {{left: 109, right: 100}}"],
        ["host: plc, registers: {left: 100}", "host: other, registers: {right: 100}"],
        ["host: plc, registers: {left: 100}", "host: plc, port: 503, registers: {right: 100}"],
        ["host: plc, registers: {left: 100}", "host: plc, unit: 2, registers: {right: 100}"],
        ["host: plc, registers: {left: 100}", f"{PLC}, registers: {{right: 91}}"],
    ],
)
def test_registers_side_by_side_or_of_other_controllers_are_taken(tmp_path: Path, sinks: list[str]) -> None:
    path = tmp_path / "line.yaml"
    path.write_text(_with_registers(sinks), encoding="utf-8")
    assert len(check_line(load_yaml(path)).sinks) == len(sinks)


def _with_registers(sinks: list[str]) -> str:
    lines = [f"{name}: {{modbus: {{{sink}}}}}" for name, sink in zip(("one", "two"), sinks, strict=False)]
    return GOOD.replace("log: {file: {path: out.jsonl}}", "\n  ".join(lines))


def test_a_model_that_nobody_uses_is_named(tmp_path: Path) -> None:
    spare = "surface: {file: m.onnx}\n  spare: {file: n.onnx}"
    text = GOOD.replace("surface: {file: m.onnx}", spare).replace("}\n  right", ", models: [surface]}\n  right")
    told = check(tmp_path, text.replace("rate: 2", "models: [surface]"))
    assert told.startswith("/line.yaml:6: no source uses the model 'spare'")


def test_the_command_says_what_a_yaml_describes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "line.yaml"
    path.write_text(GOOD.replace("sources:", "sources:\n  film: {video: v.avi}"), encoding="utf-8")
    assert main(["line", str(path), "--check"]) == 0
    said = capsys.readouterr().out
    assert "source film: v.avi (no such file) → surface" in said
    assert "source left: a (not there now) → surface" in said
    assert "source right: camera 0 → surface; share 1; drops the oldest" in said
    assert "model surface: m.onnx (no such file)" in said


HOOK = "webhook: {url: 'http://h/', secret_file: FILE}"
CERTIFIED = "mqtt: {url: 'mqtts://h', ca_file: FILE}"
BROKER = "mqtt: {url: 'mqtts://h', user: me, password_file: FILE}"


@pytest.mark.parametrize(
    ("before", "after", "about", "content", "fault"),
    [
        ("folder: a", "video: FILE", "source left", None, ""),
        ("file: m.onnx", "file: FILE", "model surface", None, ""),
        ("file: m.onnx", "file: m.onnx, zones: FILE", "model surface", "units: share\nzones: []\n", ":2: "),
        ("file: {path: out.jsonl}", HOOK, "sink log", " ", "the file is empty"),
        ("file: {path: out.jsonl}", BROKER, "sink log", " ", "the file is empty"),
        ("file: {path: out.jsonl}", CERTIFIED, "sink log", "no", "holds no certificate"),
    ],
)
def test_the_command_says_which_files_are_missing_or_hold_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, about: str, content: str | None,
    fault: str,
) -> None:  # fmt: skip
    path, named = tmp_path / "line.yaml", tmp_path / "named"
    path.write_text(GOOD.replace(before, after.replace("FILE", str(named))), encoding="utf-8")
    told = _told(path, about, capsys)
    assert f"{named} (" in told and "no such file" in told.lower()
    if content is not None:
        named.write_text(content, encoding="utf-8")
        told = _told(path, about, capsys)
        assert f"{named} (" in told and fault in told


def test_the_command_says_what_a_proof_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, kept = tmp_path / "line.yaml", tmp_path / "kept"
    path.write_text(GOOD.replace("m.onnx", f"m.onnx, proof: {{folder: {kept}}}"), encoding="utf-8")
    assert f"proof {kept} ({kept / 'OK'}: cannot be read: No such file or directory)" in _told(path, "model", capsys)
    for verdict in ("OK", "NG"):
        (kept / verdict).mkdir(parents=True)
    assert "holds no pictures" in _told(path, "model", capsys)
    for verdict in ("OK", "NG"):
        (kept / verdict / "a.png").touch()
    assert f"proof {kept}; " in _told(path, "model", capsys)


def test_what_is_there_is_named_without_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, secret = tmp_path / "line.yaml", tmp_path / "secret"
    secret.write_text("hush", encoding="utf-8")
    path.write_text(GOOD.replace("file: {path: out.jsonl}", HOOK.replace("FILE", str(secret))), encoding="utf-8")
    told = _told(path, "sink", capsys)
    assert f"secret_file {secret}, " in told and "hush" not in told


def _told(path: Path, about: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["line", str(path), "--check"]) == 0
    return next(row for row in capsys.readouterr().out.splitlines() if row.startswith(about))


def test_a_password_of_a_stream_is_never_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "line.yaml"
    path.write_text(GOOD.replace("folder: a", "stream: 'rtsp://me:hush@cam/live'"), encoding="utf-8")
    assert main(["line", str(path), "--check"]) == 0
    said = capsys.readouterr()
    assert "rtsp://cam/live" in said.out
    assert "hush" not in said.out + said.err
