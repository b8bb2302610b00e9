"""Pages name what the code has: variables of the environment, extras, and each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_variable_of_the_service_is_on_its_page() -> None:
    sources = [*(ROOT / "lightdet/options").glob("s*.py"), *(ROOT / "lightdet/cli").glob("serve*.py")]
    known = {name for path in sources for name in re.findall(r'"(LIGHTDET_\w+)"', path.read_text(encoding="utf-8"))}
    settings = page("docs/service.md").partition("## Settings from the environment")[2].partition("## ")[0]
    listed = set(re.findall(r"`(LIGHTDET_\w+)`", settings))
    assert len(known) > 20 and known <= listed
    assert listed <= set(re.findall(r"LIGHTDET_\w+", "".join(p.read_text() for p in (ROOT / "lightdet").rglob("*.py"))))


def test_every_extra_is_explained() -> None:
    explained = page("docs/install.md").partition("Extras:")[2].partition("\n\n")[0]
    extras = tomllib.loads(page("pyproject.toml"))["project"]["optional-dependencies"]
    assert set(extras) == set(re.findall(r"`(\w+)`(?= \(| and `)", explained))
    runtime = tomllib.loads(page("packaging/runtime/pyproject.toml"))["project"]["optional-dependencies"]
    at_the_line = page("docs/export.md").partition("## On the computer at the line")[2]
    line = at_the_line.partition("This is the same package")[0]
    assert not {name for name in runtime if not re.search(rf"[`\[,]{name}[`\],]", line)}


def test_the_contents_link_every_page() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages <= set(re.findall(r"\]\(([\w-]+\.md)\)", page("docs/index.md")))
