"""The example of docs/line.md runs, and its tables name every key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from plain_judge import MODEL, put, run_once

from lightdet.config import line as config
from lightdet.config.yaml_file import load_yaml
from lightdet.line.work import CAUSES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "line.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    example = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    Path("line.yaml").write_text(example, encoding="utf-8")
    line = config.check_line(load_yaml("line.yaml"))
    for source in line.sources.values():
        Path(str(source.folder)).mkdir(parents=True)
        put(Path(str(source.folder)), a="OK")
    for model in line.models.values():
        Path(model.file).write_text(MODEL, encoding="utf-8")
    run_once(line)
    found = [json.loads(row) for row in Path("out/results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {each["source"]: sorted(each["models"]) for each in found} == {
        "press-1": ["shape", "surface"],
        "press-2": ["surface"],
    }


@pytest.mark.parametrize(
    "section",
    [
        config.SourceSection,
        config.ModelSection,
        config.FileSink,
        config.RecordsSink,
        config.WebhookSink,
        config.MqttSink,
        config.ModbusSink,
        config.SinkSection,
    ],
)
def test_every_key_is_on_the_page(section: type[config.Section]) -> None:
    missing = [name for name in section.model_fields if f"`{name}`" not in PAGE and f"`{name}:" not in PAGE]
    assert missing == []


def test_every_cause_is_on_the_page() -> None:
    assert [cause for cause in CAUSES if f"`{cause}`" not in PAGE] == []
