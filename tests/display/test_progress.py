"""The bar of a notebook: drawn with what IPython has, gone at the end; elsewhere nothing is left in a log."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lightdet.display import progress
from lightdet.display.progress import Bar, NotebookProgress


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a notebook shows, one text after the other."""
    texts: list[str] = []
    module = ModuleType("IPython.display")
    module.HTML = str  # type: ignore[attr-defined]

    def display(text: str, display_id: bool) -> Any:
        texts.append(text)
        return SimpleNamespace(update=texts.append)

    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr(progress, "REDRAWN_SECONDS", 0.0)
    return texts


def test_a_notebook_shows_a_bar_and_clears_it(drawn: list[str]) -> None:
    with Bar("evaluate <it>") as bar:
        assert isinstance(bar.progress, NotebookProgress)
        bar.begin(4)
        bar.step(3)
        assert drawn[-1] == '<div>evaluate &lt;it&gt; <progress max="4" value="3"></progress> 3/4</div>'
        bar.stage("verifying")
        assert drawn[-1] == "<div>verifying <progress></progress></div>"
    assert drawn[-1] == ""


def test_a_hidden_bar_draws_nothing(drawn: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("evaluate", shown=False) as bar:
        bar.begin(4)
        bar.step()
    assert drawn == [] and capsys.readouterr() == ("", "")


def test_a_log_stays_free_of_bars(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("evaluate", 3) as bar:
        bar.step(2)
    assert capsys.readouterr() == ("", "")
