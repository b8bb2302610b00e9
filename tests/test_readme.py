"""What README, documentation and Makefile tell people to type is understood: commands, data sets, Python, files."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
import yaml

from lightdet.cli.app import app
from lightdet.config import YamlFile, validate
from lightdet.config.dataset import DatasetConfig
from lightdet.errors import UserError
from lightdet.storage import kept, listing

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md"))
}
SCREEN = 120
"""Lines of README that a newcomer reads; what is longer belongs to a page of its own."""
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = []
    for page in ("README.md", *(name for name in PAGES if name.startswith("docs/"))):
        pieces = re.split(r"^ *```(.*)\n", PAGES[page], flags=re.MULTILINE)  # text, language, block, "", text, …
        found += [block for tag, block in zip(pieces[1::4], pieces[2::4], strict=True) if tag == language]
    return found


def commands() -> list[str]:
    """Every ``lightdet …`` of the pages' code blocks and the Makefile, and every ``python tools/….py …``."""
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
def test_a_command_is_understood(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for module in (kept, listing):
        monkeypatch.setattr(module, "filesystem", no_network)
    understand([word for word in shlex.split(text) if word != "…"])


NO_NETWORK = "nothing is requested here"


def no_network(url: str) -> None:
    raise UserError(NO_NETWORK, path=url)


def understand(args: list[str]) -> None:
    """Parse a command's words; a file that is missed is made, and they are parsed again."""
    for _ in args:
        try:
            app.parse_args(args)
        except UserError as error:
            if error.message == NO_NETWORK:
                return  # a URL, and understood as such
            assert error.message.startswith("no such file") and error.path is not None and not error.path.is_absolute()
            error.path.parent.mkdir(parents=True, exist_ok=True)
            error.path.touch()
        else:
            return
    app.parse_args(args)


def test_there_are_commands_at_all() -> None:
    assert len(commands()) >= 40


def test_the_readme_is_short() -> None:
    assert len(PAGES["README.md"].splitlines()) <= SCREEN


@pytest.mark.parametrize("text", [text for text in blocks("yaml") if "format:" in text])
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


LINKS = [
    (name, link) for name, text in PAGES.items() for link in re.findall(r"\]\((?!http)([^)#]*(?:#[^)]*)?)\)", text)
]


def anchors(text: str) -> set[str]:
    """Of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("name", "link"), sorted(set(LINKS)))
def test_a_link_leads_somewhere(name: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
    assert target.exists()
    if anchor:
        assert anchor in anchors(target.read_text(encoding="utf-8"))


NAMED = re.compile(r"`((?:configs|datasets|tools|docs|tests)/[\w./-]+)`")


@pytest.mark.parametrize("path", sorted({path for text in PAGES.values() for path in NAMED.findall(text)}))
def test_a_named_file_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_site_has_every_page() -> None:
    """Each page of the documentation, each notebook too, stands in the site's navigation; each line of it exists."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r": ([\w./-]+\.md)$", text, re.MULTILINE))
    notebooks = {path.relative_to(ROOT).with_suffix(".md").as_posix() for path in (ROOT / "docs").rglob("*.ipynb")}
    assert listed == {name for name in PAGES if not name.startswith(".")} | notebooks
