"""How often the package outside `lightdet.tasks` asks which of the two tasks it is dealing with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "lightdet"
CEILING = 5
"""Lower it whenever one goes; below 10 is what was asked for."""
ASKED = {"label_kind", "judges", "CLASSIFICATION", "DETECTION"}
KINDS = {"ClassifyConfig", "ClassRule", "DecisionRule", "Classification", "Detections", "ImageLabel", "Annotation"}
KINDS |= {"TorchClassRuntime", "ExportedClassRuntime", "ClassifierPredictor", "ClassifierExplainer"}


def forks(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the questions: attributes and names that tell the tasks apart, ``isinstance`` and ``== "classify"``."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Load()):
                asks = name in ASKED
            case ast.Compare(left=left, comparators=others):
                asks = any(_names(side) & ASKED or _is_task(side) for side in (left, *others))
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]):
                asks = bool(_names(kinds) & KINDS)
            case _:
                asks = False
        if asks:
            yield node


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _is_task(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in ("detect", "classify", "probabilities")


def count() -> dict[str, int]:
    """Forks by file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        number = sum(1 for _ in forks(ast.parse(path.read_text(encoding="utf-8"))))
        if number and not name.startswith("tasks/"):
            found[name] = number
    return found


def test_the_forks_grow_fewer() -> None:
    found = count()
    total = sum(found.values())
    assert total <= CEILING, f"{total} forks: {found}"
    assert total > CEILING - 5, f"lower CEILING to {total}"


def test_a_fork_is_seen() -> None:
    source = "if spec.label_kind: pass\nif isinstance(c, ClassifyConfig): pass\nx = task is CLASSIFICATION\n"
    assert len(list(forks(ast.parse(source)))) == 3


if __name__ == "__main__":
    for name, number in count().items():
        print(f"{number:3}  {name}")


def test_no_function_is_longer_than_a_screen() -> None:
    long = []
    for path in sorted((Path(__file__).resolve().parents[1] / "lightdet").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 60:
                long.append(f"{path.name}:{node.lineno} {node.name}")
    assert long == []
