"""The distribution without torch: the same version and command, and no dependency that the whole one does not know."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

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
    known = {*WHOLE["project"]["dependencies"], *extras["runtime"], *extras["service"], *extras["heic"]}
    own = RUNTIME["project"]
    listed = {*own["dependencies"], *(line for extra in own["optional-dependencies"].values() for line in extra)}
    assert listed <= known
    names = {re.split(r"[<>=\[]", line)[0].lower() for line in listed}
    assert not {name for name in names if name.startswith(("torch", "nvidia", "albument", "tensorboard"))}
    assert not [line for line in own["dependencies"] if line.startswith("sci")]


def test_measuring_brings_what_measures() -> None:
    """Classifiers, and decisions of either kind: `lightdet.classification.metrics`, `lightdet.calibration`."""
    names = {re.split(r"[<>=]", line)[0] for line in RUNTIME["project"]["optional-dependencies"]["val"]}
    measuring = [*(ROOT / "lightdet/classification").glob("[im]*.py"), *(ROOT / "lightdet/calibration").glob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in measuring)
    for module, distribution in (("sklearn", "scikit-learn"), ("scipy", "scipy")):
        assert re.search(rf"^from {module}\b", text, re.MULTILINE)
        assert distribution in names
