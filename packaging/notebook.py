"""Run the notebooks under ``docs/`` and turn them into pages; without Jupyter.

python packaging/notebook.py docs/first_detector.ipynb     run it anew and keep its outputs
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    """The notebook as Jupyter keeps it (nbformat 4)."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def run_cells(notebook: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Run the code cells one after another in the current folder; yields each with its outputs."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            yield cell, _run("".join(cell["source"]), names)


def _run(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """What a cell prints, and the value of the expression that it ends with."""
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        if last is not None:
            value = eval(compile(last, "cell", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        outputs.append({"output_type": "display_data", "metadata": {}, "data": _shown(value)})
    return outputs


def _shown(value: Any) -> dict[str, Any]:
    """As Jupyter shows a value: a picture, or its text."""
    if callable(getattr(value, "_repr_png_", None)):
        return {"image/png": base64.b64encode(value._repr_png_()).decode("ascii"), "text/plain": ["a picture"]}
    return {"text/plain": _lines(repr(value))}


def _lines(text: str) -> list[str]:
    return text.rstrip("\n").splitlines(keepends=True)


def as_markdown(path: Path) -> tuple[str, dict[str, bytes]]:
    """A page of the notebook's cells with their kept outputs, and its pictures by file name."""
    parts, pictures = [], dict[str, bytes]()
    for cell in read(path)["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts.append(f"```python\n{text}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {"text/plain": output.get("text", [])})
            if "image/png" in data:
                name = f"{path.stem}_{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![what this cell shows]({name})")
            else:
                parts.append("```text\n" + "".join(data["text/plain"]).rstrip("\n") + "\n```")
    return "\n\n".join(parts) + "\n", pictures


def main() -> int:
    """Run the notebooks that are named, each in an empty folder, and write their outputs into them."""
    import tempfile  # noqa: PLC0415 - pages are made without

    for path in map(Path, sys.argv[1:]):
        notebook, home = read(path), Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            for cell, outputs in run_cells(notebook):
                cell["outputs"] = outputs
            os.chdir(home)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
