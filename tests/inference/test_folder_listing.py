"""Folders that are listed while a run goes: the same pictures as held ones, each once, and never all in memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from lightdet.errors import UserError
from lightdet.inference.sources import Sources, expand_sources

FILES = ["a.png", "b/a.jpg", "b/c/d.PNG", "b/notes.txt", ".hidden.png", ".git/a.png", "e.tif", "x#1.png", "film.mp4"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "in/b/around").symlink_to(tmp_path / "in", target_is_directory=True)
    return tmp_path


def known(sources: Sources) -> list[tuple[str, str, str]]:
    return sorted((source.kind, source.name, source.stem.as_posix()) for source in sources)


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("given", [["in"], ["in", "in"], ["in", "in/b"], ["in/b/c", "in", "in/b"], ["in/", "./in"]])
def test_the_same_pictures_as_held_ones(here: Path, given: list[str], recursive: bool) -> None:
    held = expand_sources(given, recursive=recursive)
    listed = expand_sources(given, recursive=recursive, held=False)
    found = known(listed)
    assert len(found) == len(held.items) == listed.total
    assert {Path(name) for _, name, _ in found} == {Path(name) for _, name, _ in known(held)}
    if len(given) == 1:
        assert found == known(held) and listed.passed_over == held.passed_over


def test_a_picture_that_is_named_by_itself_comes_once(here: Path) -> None:
    listed = expand_sources(["in", "in/a.png", "in/b/a.jpg"], recursive=True, held=False)
    names = [source.name for source in listed]
    assert len(names) == len(set(names)) == listed.total
    assert {"in/a.png", "in/b/a.jpg", "in/e.tif"} <= set(names)


@pytest.mark.parametrize(
    ("given", "message"), [("empty", "give another folder"), ("in/b/..", None), ("deep", "--recursive")]
)
def test_a_folder_without_pictures_is_told_at_once(here: Path, given: str, message: str | None) -> None:
    (here / "empty").mkdir()
    (here / "deep/er").mkdir(parents=True)
    (here / "deep/er/a.png").touch()
    if message is None:
        assert expand_sources([given], held=False).total == 4
    else:
        with pytest.raises(UserError, match=message):
            expand_sources([given], held=False)


def test_names_are_not_held(tmp_path: Path) -> None:
    for number in range(8000):
        (tmp_path / f"{number:0100d}.png").touch()
    tracemalloc.start()
    try:
        sources = expand_sources([tmp_path], held=False)
        assert sum(1 for _ in sources) == 8000 == sources.total
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000  # held sources are 14 MB
