"""The distribution without torch: the same version and command, and no dependency that the whole one does not know."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from lightdet import missing
from lightdet.missing import how_to_install

ROOT = Path(__file__).resolve().parents[1]


def project(path: str) -> dict[str, Any]:
    values: dict[str, Any] = tomllib.loads((ROOT / path).read_text(encoding="utf-8"))
    return values


WHOLE, RUNTIME = project("pyproject.toml"), project("packaging/runtime/pyproject.toml")


def test_version_python_command_and_files_are_the_same() -> None:
    for key in ("version", "requires-python", "license", "scripts"):
        assert RUNTIME["project"][key] == WHOLE["project"][key], key
    for key in ("packages", "package-data"):
        ours, theirs = (dict(part["tool"]["setuptools"][key]) for part in (RUNTIME, WHOLE))
        if key == "packages":
            ours["find"] = {name: value for name, value in ours["find"].items() if name != "where"}
        else:  # nothing is trained there
            theirs["lightdet"] = [pattern for pattern in theirs["lightdet"] if not pattern.startswith("pretrained/")]
        assert ours == theirs
    assert (ROOT / "packaging/runtime/LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_its_dependencies_are_few_and_as_in_the_whole() -> None:
    extras = WHOLE["project"]["optional-dependencies"]
    own = RUNTIME["project"]
    shared = {name for name in own["optional-dependencies"] if name not in ("openvino", "val")}
    assert all(own["optional-dependencies"][name] == extras[name] for name in shared)
    known = {*WHOLE["project"]["dependencies"], *extras["runtime"], *(line for name in shared for line in extras[name])}
    listed = {*own["dependencies"], *(line for extra in own["optional-dependencies"].values() for line in extra)}
    assert listed <= known
    names = {re.split(r"[<>=\[]", line)[0].lower() for line in listed}
    assert not {name for name in names if name.startswith(("torch", "nvidia", "albument", "tensorboard"))}
    assert not [line for line in own["dependencies"] if line.startswith("sci")]


def advised() -> dict[str, set[str]]:
    """The extras that messages name, by the file that does."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "lightdet").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        named = {*re.findall(r"how_to_install\(['\"](\w+)", text), *re.findall(r'_needs\(.*"(\w+)"\)', text)}
        if named:
            found[path.relative_to(ROOT / "lightdet").as_posix()] = named
        assert "'lightdet[" not in text or path.name == "missing.py", f"{path}: how_to_install names the distribution"
    return found


def test_it_has_the_extras_that_its_commands_ask_for() -> None:
    needs_torch = ("training/", "tuning/", "exporting/", "runs/ray_cluster.py")
    asked = advised()
    assert {"line", "cloud", "archive", "parquet", "service", "heic", "gui"} <= set().union(*asked.values())
    for file, extras in asked.items():
        assert extras <= set(WHOLE["project"]["optional-dependencies"]), file
        if not file.startswith(needs_torch):
            assert extras <= set(RUNTIME["project"]["optional-dependencies"]), file


@pytest.mark.parametrize(
    ("installed", "extra", "told"),
    [
        (["lightdet"], "cloud", "pip install 'lightdet[cloud]'"),
        ([], "cloud", "pip install 'lightdet[cloud]'"),
        (["lightdet-runtime"], "cloud", "pip install 'lightdet-runtime[cloud]'"),
        (["lightdet-runtime"], "tune", "pip uninstall lightdet-runtime, then pip install 'lightdet[tune]'"),
    ],
)
def test_messages_name_the_distribution_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, installed: list[str], extra: str, told: str
) -> None:
    def extras_of(name: str) -> list[str] | None:
        project = {"lightdet": WHOLE, "lightdet-runtime": RUNTIME}[name]["project"]
        return list(project["optional-dependencies"]) if name in installed else None

    monkeypatch.setattr(missing, "_extras_of", extras_of)
    assert how_to_install(extra) == told


def test_measuring_brings_what_measures() -> None:
    """Classifiers, and decisions of either kind: `lightdet.classification.metrics`, `lightdet.calibration`."""
    names = {re.split(r"[<>=]", line)[0] for line in RUNTIME["project"]["optional-dependencies"]["val"]}
    measuring = [*(ROOT / "lightdet/classification").glob("[im]*.py"), *(ROOT / "lightdet/calibration").glob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in measuring)
    for module, distribution in (("sklearn", "scikit-learn"), ("scipy", "scipy")):
        assert re.search(rf"^from {module}\b", text, re.MULTILINE)
        assert distribution in names
