"""The notebooks under ``docs/`` run from the first cell to the last, and show what they would show anew."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> object:
    """``packaging/notebook.py``."""
    monkeypatch.syspath_prepend(str(ROOT / "packaging"))
    import notebook

    yield notebook
    del sys.modules["notebook"]


SHORT = {
    "images=60": "images=24",
    "imgsz=160": "imgsz=96",
    "epochs=8": "epochs=2, model={'widths': [8, 8, 16, 16, 16]}",
    "false_reject_rate=0.4": "false_reject_rate=0.9",
}
"""What makes the cells' work small: what they call, and what comes of it, stays."""


@pytest.mark.parametrize("short", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["short", "as it stands"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(
    path: Path, short: bool, notebook: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each cell gives outputs of the kinds that are kept; numbers differ from computer to computer."""
    kept = notebook.read(path)
    monkeypatch.chdir(tmp_path)
    for cell in kept["cells"] if short else ():
        cell["source"] = [replaced(line) for line in cell["source"]]
    for cell, outputs in notebook.run_cells(kept):
        kinds = [sorted(output.get("data", {"text": None})) for output in cell["outputs"]]
        assert [sorted(output.get("data", {"text": None})) for output in outputs] == kinds, "".join(cell["source"])


def replaced(line: str) -> str:
    for long, small in SHORT.items():
        line = line.replace(long, small)
    return line


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_a_page(path: Path, notebook: object) -> None:
    """It reads without Jupyter; what it links to is there; it names no place on the computer that ran it."""
    text, pictures = notebook.as_markdown(path)
    assert text.count("```python") == sum(cell["cell_type"] == "code" for cell in notebook.read(path)["cells"])
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert target in pictures or (path.parent / target).is_file(), target
    assert pictures and sum(map(len, pictures.values())) < 300_000
    assert "/root" not in path.read_text(encoding="utf-8") and "/home" not in path.read_text(encoding="utf-8")
