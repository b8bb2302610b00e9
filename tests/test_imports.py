"""The walls of the house: who may import whom, and what nobody may do. Read from the sources with `ast`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lightdet"
SOURCES = sorted(PACKAGE.rglob("*.py"))
DOORS = sorted((ROOT / "tools").glob("*.py"))

# Anyone may import these; they need nothing but each other.
BASE = {
    "addresses",
    "errors",
    "arrays",
    "files",
    "fonts",
    "lock_file",
    "missing",
    "model_kind",
    "other_names",
    "plain_yaml",
    "processors",
    "signals",
    "seal",
    "secret_file",
    "storage",
}
BASE |= {"seal", "wording"}
TYPES = BASE | {"geometry", "structures", "card"}
ALLOWED: dict[str, set[str]] = {
    **dict.fromkeys(BASE, BASE),
    "geometry": BASE,
    "layers": BASE,
    "compute": BASE | {"layers"},
    "config": BASE,
    "structures": BASE | {"geometry"},
    "card": BASE | {"structures"},
    "drawing": TYPES,
    "calibration": BASE,
    "drift": BASE,
    "decisions": TYPES,
    "models": TYPES | {"layers"},
    "losses": TYPES,
    "data": TYPES | {"drawing"},
    "evaluation": TYPES | {"drawing"},
    "comparison": TYPES | {"drawing", "evaluation"},
    "training": TYPES | {"compute", "drawing", "models", "losses", "data", "evaluation"},
    "inference": TYPES | {"compute", "drawing", "decisions", "drift", "models", "data"},
    "profiling": TYPES | {"models", "inference"},
    "exporting": TYPES | {"layers", "models", "inference", "classification", "options"},
    "classification": TYPES
    | {"calibration", "compute", "drawing", "layers", "models", "data", "evaluation", "training", "inference"},
    "explaining": TYPES | {"drawing", "decisions", "models", "classification", "inference", "options"},
    "picking": TYPES | {"data", "evaluation", "inference"},
    "tuning": TYPES | {"evaluation"},
    "crossval": TYPES | {"comparison", "evaluation"},
    "options": BASE | {"inference"},
}
for above in (
    "assembly",
    "tasks",
    "runs",
    "web",
    "labelling",
    "service",
    "line",
    "display",
    "api",
    "cli",
):  # each may import all that stands below it
    ALLOWED[above] = set(ALLOWED)
ALLOWED["service"] -= {"labelling"}  # they stand side by side, on "web"
ALLOWED["line"] -= {"labelling"}  # on the service's records
ALLOWED["lightdet"] = set(ALLOWED) - {"cli"}  # lightdet/__init__.py, the public names
ALLOWED["__main__"] = {"cli"}

TORCH_FREE = (
    "addresses",
    "arrays",
    "card",
    "errors",
    "files",
    "decisions",
    "drawing",
    "drift",
    "fonts",
    "wording",
    "structures",
    "config",
    "geometry",
    "data.formats",
    "evaluation",
    "comparison",
    "crossval",
    "tuning",
    "inference",
    "labelling",
    "line",
    "options",
    "service",
    "storage",
    "tasks",
    "web",
)
WITH_TORCH = {
    "lightdet.geometry.iou",  # differentiable: the loss needs it
    "lightdet.inference.torch_runtime",
}
PICKLED = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """``lightdet.data.formats.yolo`` → ``data``; the package's own ``__init__`` → ``lightdet``."""
    pieces = module.split(".")
    return pieces[1] if len(pieces) > 1 else pieces[0]


def typing_only(tree: ast.AST) -> set[ast.AST]:
    """All nodes below an ``if TYPE_CHECKING:``."""
    guarded: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for child in node.body:
                guarded.update(ast.walk(child))
    return guarded


def imports(tree: ast.AST, module: str, *, runtime: bool = False) -> Iterator[tuple[str, int]]:
    """Yield (imported name, line): ``from a import b`` gives ``a.b``, which may be a module or a name in one."""
    skipped = typing_only(tree) if runtime else set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*module.split(".")[: -node.level], *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno


def wall_breaks(tree: ast.AST, module: str) -> list[str]:
    here = part_of(module)
    found = []
    for name, line in imports(tree, module):
        if name.split(".")[0] != "lightdet":
            continue
        there = part_of(name)
        if there != here and there not in ALLOWED[here] and name not in {"lightdet.__version__"}:
            found.append(f"line {line}: {here} must not import {name}")
    return found


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def keyword(call: ast.Call, name: str) -> object:
    """The constant given for a keyword; the text "?" for any other expression, None where it is absent."""
    for given in call.keywords:
        if given.arg == name:
            return given.value.value if isinstance(given.value, ast.Constant) else "?"
    return None


def habits(tree: ast.AST, module: str) -> list[str]:
    """What opens a door to foreign code: pickles, eval, full YAML, shells."""
    found = [
        f"line {line}: imports {name}"
        for name, line in imports(tree, module)
        if name.split(".")[0] in PICKLED | {"_pickle"}
    ]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        bad = (
            name in {"eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
            or name in {"torch.save", "pd.read_pickle"}
            or (name == "torch.load" and keyword(node, "weights_only") is not True)
            or (name in {"np.load", "numpy.load"} and keyword(node, "allow_pickle") is not False)
            or keyword(node, "allow_pickle") not in (None, False)
            or keyword(node, "shell") not in (None, False)
        )
        if bad:
            found.append(f"line {node.lineno}: calls {name}")
    return found


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def identify(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_part_has_its_rule() -> None:
    parts = {part_of(module_name(path)) for path in SOURCES}
    assert parts - {"lightdet"} <= set(ALLOWED), "a new part needs its line in ALLOWED"


# One test for all files: a test for each of them took longer to begin and end than to run.
def test_arrows_run_downwards() -> None:
    found = {identify(path): wall_breaks(parse(path), module_name(path)) for path in SOURCES}
    assert {name: breaks for name, breaks in found.items() if breaks} == {}


def test_nothing_opens_a_door_to_foreign_code() -> None:
    found = {identify(path): habits(parse(path), module_name(path)) for path in SOURCES + DOORS}
    assert {name: bad for name, bad in found.items() if bad} == {}


def test_there_is_no_utils() -> None:
    assert [
        p for p in PACKAGE.rglob("*") if p.stem.lower() in {"utils", "util", "helpers", "misc", "common_utils"}
    ] == []


def test_no_two_test_files_share_a_name() -> None:
    # pytest collects the second as the first and stops, but only where both folders are in one run.
    names = Counter(path.name for path in ROOT.glob("tests/**/*.py") if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_no_module_imports_itself_through_others() -> None:
    modules = {module_name(path): path for path in SOURCES}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        targets = set()
        for name, _ in imports(parse(path), module, runtime=True):
            owner = name if name in modules else name.rpartition(".")[0]
            if owner in modules and owner not in (module, "lightdet"):
                targets.add(owner)
        graph[module] = targets
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail("a circle of imports: " + " → ".join(error.args[1]))


def torch_free_modules() -> dict[str, Path]:
    modules = {module_name(path): path for path in SOURCES}
    prefixes = tuple(f"lightdet.{part}." for part in TORCH_FREE)
    return {name: path for name, path in modules.items() if f"{name}.".startswith(prefixes) and name not in WITH_TORCH}


def test_torch_free_parts_do_not_name_torch() -> None:
    for module, path in torch_free_modules().items():
        named = {name.split(".")[0] for name, _ in imports(parse(path), module, runtime=True)}
        assert not named & {"torch", "torchvision"}, module


def test_torch_free_parts_come_without_torch() -> None:
    """Imported for real, with all that they pull in."""
    names = list(torch_free_modules())
    code = f"import importlib, sys\nfor n in {names!r}: importlib.import_module(n)\nsys.exit('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr or "torch was imported"


BROKEN_WALLS = [
    ("lightdet.geometry.boxes", "import lightdet.models.detector"),
    ("lightdet.models.detector", "from lightdet.config import ModelConfig"),
    ("lightdet.models.detector", "from lightdet.losses import detection_loss"),
    ("lightdet.evaluation.report", "def f():\n    from lightdet.models import Detector"),
    ("lightdet.data.dataset", "from lightdet.assembly.dataset import load_dataset"),
    ("lightdet.training.trainer", "from lightdet.cli import app"),
    ("lightdet.runs.train", "import lightdet.cli.app"),
    ("lightdet.runs.train", "from lightdet.display.progress import Bar"),
    ("lightdet.display.progress", "from lightdet.api.train import train"),
    ("lightdet.api.train", "from lightdet.cli.app import main"),
    ("lightdet.tasks.detection", "from lightdet.runs.validate import Validation"),
    ("lightdet.assembly.detector", "from lightdet.tasks import DETECTION"),
    ("lightdet.runs.validate", "from lightdet.service.app import create_app"),
    ("lightdet.inference.predictor", "from lightdet.service.app import create_app"),
    ("lightdet.service.app", "from lightdet.cli import app"),
    ("lightdet.labelling.app", "from lightdet.service.app import create_app"),
    ("lightdet.service.app", "from lightdet.labelling.store import Store"),
    ("lightdet.web.guard", "from lightdet.service.metrics import Metrics"),
    ("lightdet.data.formats.voc", "from ...models import detector"),
    ("lightdet.training.trainer", "from lightdet.classification.task import ClassifyTask"),
    ("lightdet.data.dataset", "from lightdet.classification import dataset"),
    ("lightdet.errors", "from lightdet.structures import Sample"),
]


@pytest.mark.parametrize(("module", "source"), BROKEN_WALLS)
def test_a_broken_wall_is_seen(module: str, source: str) -> None:
    assert len(wall_breaks(ast.parse(source), module)) == 1


BAD_HABITS = [
    "import pickle",
    "from pickle import loads",
    "eval('1')",
    "yaml.load(text)",
    "os.system('ls')",
    "subprocess.run('ls', shell=True)",
    "torch.load(path)",
    "torch.load(path, weights_only=flag)",
    "np.load(path)",
    "np.load(path, allow_pickle=True)",
    "np.savez(path, allow_pickle=flag)",
]


@pytest.mark.parametrize("source", BAD_HABITS)
def test_a_bad_habit_is_seen(source: str) -> None:
    assert len(habits(ast.parse(source), "lightdet.anything")) == 1


GOOD_HABITS = [
    "np.load(p, allow_pickle=False)",
    "torch.load(p, weights_only=True)",
    "yaml.safe_load(t)",
    "subprocess.run(['ls'])",
]


@pytest.mark.parametrize("source", GOOD_HABITS)
def test_a_good_habit_passes(source: str) -> None:
    assert habits(ast.parse(source), "lightdet.anything") == []
