"""What the README and the Makefile tell people to type is understood: commands, data sets, Python, files."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from lightdet.cli.app import app
from lightdet.config import YamlFile, validate
from lightdet.config.dataset import DatasetConfig

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    pieces = re.split(r"^```(.*)\n", README, flags=re.MULTILINE)  # text, language, block, "", text, …
    return [block for tag, block in zip(pieces[1::4], pieces[2::4], strict=True) if tag == language]


def commands() -> list[str]:
    """Every ``lightdet …`` of the README's code blocks and the Makefile, and every ``python tools/….py …``."""
    lines = [line.strip() for block in blocks("") for line in block.replace("\\\n", " ").splitlines()]
    lines += [line.strip() for line in MAKEFILE.replace("$(RUN)", "runs/demo").replace("$(MINUTES)", "4").splitlines()]
    found = []
    for line in lines:
        words = line.replace("\\", "/").split("#")[0].strip()
        if match := re.match(r"(?:\S*/)?lightdet +(?!\()(.*)", words):
            found.append(match.group(1))
        elif match := re.search(r"tools/(\w+)\.py +(.*)", words):
            found.append(f"{match.group(1)} {match.group(2)}")
    return found


@pytest.mark.parametrize("text", commands())
def test_a_command_is_understood(text: str) -> None:
    command, args = typer.main.get_command(app), shlex.split(text)
    while hasattr(command, "commands"):
        name, *args = args
        assert name in command.commands, name
        command = command.commands[name]
    command.make_context("lightdet", [word for word in args if word != "…"])


def test_there_are_commands_at_all() -> None:
    assert len(commands()) >= 12


@pytest.mark.parametrize("text", blocks("yaml"))
def test_a_data_set_is_understood(text: str) -> None:
    validate(DatasetConfig, YamlFile(yaml.safe_load(text)))


@pytest.mark.parametrize("text", blocks("python"))
def test_python_is_python(text: str) -> None:
    ast.parse(text)


def test_the_listing_is_what_there_is() -> None:
    """Each folder of the package stands in the README's listing, and each line of it exists."""
    listing = next(block for block in blocks("") if block.startswith("lightdet/"))
    named = set(re.findall(r"^  (\w+)/ ", listing, re.MULTILINE))
    there = {folder.name for folder in (ROOT / "lightdet").iterdir() if (folder / "__init__.py").is_file()}
    assert named == there


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:configs|datasets|tools|docs|tests)/[\w./-]+)`", README))))
def test_a_named_file_is_there(path: str) -> None:
    assert (ROOT / path).exists()
