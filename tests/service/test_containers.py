"""Dockerfile and compose.yaml do what they say: their own lines are run, outside a container.

The install line runs in a virtual environment that sees this one's packages (so that torch is not fetched again), in a
folder that holds what the COPY lines name and .dockerignore lets through; then the start and health lines run there.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from colors import paint
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Recipe:
    """What a Dockerfile says, in its order."""

    steps: list[tuple[str, str]]
    environment: dict[str, str] = field(default_factory=dict)

    def last(self, kind: str) -> str:
        return next(text for word, text in reversed(self.steps) if word == kind)


def read_dockerfile(text: str) -> Recipe:
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    steps = [
        (word.upper(), " ".join(rest.split()))
        for line in text.replace("\\\n", " ").splitlines()
        if line.strip()
        for word, _, rest in [line.strip().partition(" ")]
    ]
    recipe = Recipe(steps)
    for word, rest in steps:
        if word in ("ENV", "ARG"):
            recipe.environment.update(each.split("=", 1) for each in shlex.split(rest))
    return recipe


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return read_dockerfile((ROOT / "Dockerfile").read_text())


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def substitute(text: str, values: dict[str, str]) -> str:
    """Compose's ``${NAME:?message}`` and ``${NAME:-default}``."""

    def one(found: re.Match[str]) -> str:
        name, kind, rest = found["name"], found["kind"], found["rest"]
        assert kind == ":-" or name in values, f"{name} must be set: {rest}"
        return values.get(name) or rest

    return re.sub(r"\$\{(?P<name>\w+)(?P<kind>:[-?])(?P<rest>[^}]*)\}", one, text)


def test_the_image_is_small_fixed_and_without_root(recipe: Recipe) -> None:
    words = [word for word, _ in recipe.steps]
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", recipe.steps[0][1])
    assert words.index("USER") < words.index("ENTRYPOINT") and recipe.last("USER") == "lightdet"
    assert words.count("USER") == 1 and "HEALTHCHECK" in words
    assert "ADD" not in words and "KEY" not in " ".join(recipe.environment)  # no secret in a layer
    for _, text in (step for step in recipe.steps if step[0] == "RUN"):
        assert subprocess.run(["sh", "-n", "-c", text], check=False).returncode == 0, text


def test_compose_opens_nothing_to_others(compose: dict[str, Any]) -> None:
    service, database = compose["services"]["lightdet"], compose["services"]["db"]
    assert service["ports"] == ["127.0.0.1:8000:8000"] and "ports" not in database
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert ":?" in database["environment"]["POSTGRES_PASSWORD"]  # no password that everybody knows
    assert ":?" in service["environment"]["LIGHTDET_API_KEY"]  # and no service that asks for none
    assert not re.search(r":latest\b", database["image"]) and ":" in database["image"]
    assert service["depends_on"]["db"]["condition"] == "service_healthy" and "healthcheck" in database
    assert set(re.findall(r"^  (\w+):$", (ROOT / "compose.yaml").read_text(), re.MULTILINE)) >= {"lightdet", "db"}


def read_lock(image: str) -> dict[str, str]:
    """The locked packages with their versions; each must have a hash."""
    text = (ROOT / "packaging/docker" / f"{image}.txt").read_text().replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    assert all(
        len(words) > 1 and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", w) for w in words[1:]) for words in lines
    )
    return dict(line[0].split("==") for line in lines)


@pytest.mark.parametrize(
    ("image", "file", "extras", "project"),
    [
        ("runtime", "Dockerfile", ["openvino", "service"], "packaging/runtime/pyproject.toml"),
        ("gpu", "Dockerfile.gpu", ["service"], "pyproject.toml"),
    ],
)
def test_every_package_of_the_image_is_locked(image: str, file: str, extras: list[str], project: str) -> None:
    """Whatever the packages ask for, as the image's Python reads their conditions, is in the list."""
    versions = read_lock(image)
    python = re.match(r"python:(3\.\d+)-", read_dockerfile((ROOT / file).read_text()).steps[0][1])
    assert python is not None
    place = default_environment() | {"python_version": python[1], "python_full_version": f"{python[1]}.0", "extra": ""}
    asked = tomllib.loads((ROOT / project).read_text())["project"]
    optional = asked["optional-dependencies"]
    left = [Requirement(text) for text in [*asked["dependencies"], *(t for extra in extras for t in optional[extra])]]
    seen: set[str] = set()
    while left:
        each = left.pop()
        name = canonicalize_name(each.name)
        if (each.marker is not None and not each.marker.evaluate(place)) or name in seen:
            continue
        seen.add(name)
        assert name in versions, f"{name} is missing: python packaging/lock.py {image}"
        assert each.specifier.contains(versions[name], prereleases=True), each
        if name.startswith(("torch", "nvidia-", "cuda-", "triton")):  # those here are for the processor
            continue
        if Version(metadata.version(name)).major == Version(versions[name]).major:  # moto holds some back in tests
            left += [Requirement(text) for text in metadata.requires(name) or []]
    assert "setuptools" in versions
    assert set(versions) >= ({"onnxruntime", "openvino"} if image == "runtime" else {"torch", "torchvision"})


def test_the_image_for_gpus_is_the_same_but_for_its_packages(recipe: Recipe) -> None:
    gpu = read_dockerfile((ROOT / "Dockerfile.gpu").read_text())
    assert [word for word, _ in gpu.steps] == [word for word, _ in recipe.steps]
    differing = {word for (word, ours), (_, theirs) in zip(gpu.steps, recipe.steps, strict=True) if ours != theirs}
    assert differing == {"ENV", "RUN", "CMD"}
    line = next(text for word, text in gpu.steps if word == "RUN" and "pip" in text)
    assert "--require-hashes --only-binary :all: -r packaging/docker/gpu.txt" in line


def test_the_unit_for_systemd_keeps_to_what_it_needs() -> None:
    text = (ROOT / "packaging/systemd/lightdet.service").read_text()
    assert set(re.findall(r"^(\w+)=", text, re.MULTILINE)) >= {
        "WatchdogSec", "MemoryMax", "SystemCallFilter", "DynamicUser", "CapabilityBoundingSet", "NoNewPrivileges",
    }  # fmt: skip
    assert "Type=notify" in text
    if shutil.which("systemd-analyze"):
        told = subprocess.run(
            ["systemd-analyze", "verify", str(ROOT / "packaging/systemd/lightdet.service")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        wrong = [line for line in told.stderr.splitlines() if "is not executable" not in line]
        assert wrong == []


# --- run for real -----------------------------------------------------------------------------------------


def copy_context(recipe: Recipe, target: Path) -> None:
    """Copy what the COPY lines name, as far as .dockerignore lets it through."""
    patterns = (ROOT / ".dockerignore").read_text().split()
    assert patterns[0] == "*"  # nothing but what is named after it
    allowed = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    hidden = [pattern.removeprefix("**/") for pattern in patterns[1:] if not pattern.startswith("!")]
    for word, text in recipe.steps:
        if word != "COPY":
            continue
        *sources, place = shlex.split(text)
        for name in sources:
            assert any(fnmatch.fnmatch(name, pattern) for pattern in allowed), f".dockerignore hides {name}"
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, target / place, ignore=shutil.ignore_patterns(*hidden))
            else:
                shutil.copy(source, target / place)


@pytest.fixture(scope="module")
def installed(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs after the install line has run."""
    folder = tmp_path_factory.mktemp("image")
    build = folder / "build"
    build.mkdir()
    copy_context(recipe, build)
    venv.create(folder / "python", with_pip=True, symlinks=True)
    programs = folder / "python" / "bin"
    packages = next((folder / "python" / "lib").glob("python*/site-packages"))
    # Its own packages come first, so what is installed there hides this checkout.
    (packages / "outer.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    for old in packages.glob("setuptools*"):  # Python 3.11's own, from before licences were expressions
        shutil.rmtree(old)
    line = next(text for word, text in recipe.steps if word == "RUN" and "pip install" in text)
    environment = recipe.environment | {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder)}
    locked, _, own = line.partition(" && ")
    assert "--require-hashes" in locked  # what is locked is for the image's Python; here it is this environment's
    line = own.replace("/build/", f"{build}/")
    pip = {key: value for key, value in os.environ.items() if key.startswith("PIP_") or key.endswith("_proxy")}
    result = subprocess.run(
        ["sh", "-c", line], cwd=build, env=pip | environment, capture_output=True, text=True, check=False, timeout=280
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert list(build.iterdir()) == []
    assert (programs / "lightdet").is_file()
    return programs


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of the real kind, untrained, exported."""
    code = """
import sys, torch
from lightdet.assembly.detector import build_detector
from lightdet.config import ModelConfig
from lightdet.card import ModelCard
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing
config = ModelConfig(widths=[8, 8, 16, 16, 16])
detector = build_detector(config, 2, 96)
save_model(sys.argv[1], detector.state_dict(), ModelCard(config.model_dump(mode="json"), ("a", "b"), Preprocessing(96)))
"""
    path = tmp_path_factory.mktemp("models") / "best.safetensors"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, cwd=ROOT)
    command = [sys.executable, "-m", "lightdet", "export", "--weights", str(path), "--confidence", "0.001"]
    subprocess.run([*command, "--output", str(path.with_suffix(".onnx"))], check=True, cwd=ROOT)
    return path.with_suffix(".onnx")


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


class Container:
    """The start line of the image, with /models, /data and the port moved to where the test has them."""

    def __init__(
        self, recipe: Recipe, programs: Path, model: Path, data: Path, port: int,
        command: list[str], environment: dict[str, str],
    ) -> None:  # fmt: skip
        assert recipe.last("EXPOSE") == "8000"
        self.port = port
        self.moves = [("/models", str(model.parent)), ("/data", str(data)), ("127.0.0.1:8000", f"127.0.0.1:{port}")]
        self.environment = {name: self.moved(value) for name, value in (recipe.environment | environment).items()}
        self.environment |= {"PATH": f"{programs}:/usr/bin:/bin", "LIGHTDET_PORT": str(port), "HOME": str(data)}
        self.environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        words = [self.moved(word) for word in (*json.loads(recipe.last("ENTRYPOINT")), *command)]
        words[0] = str(programs / words[0])
        self.log = data / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(words, cwd=data, env=self.environment, stdout=log, stderr=log)
        self.health = [self.moved(word) for word in json.loads(recipe.last("HEALTHCHECK").partition("CMD ")[2])]
        self.health[0] = str(programs / self.health[0])

    def moved(self, text: str) -> str:
        for old, new in self.moves:
            text = text.replace(old, new)
        return text

    def healthy(self) -> bool:
        return subprocess.run(self.health, env=self.environment, capture_output=True, check=False).returncode == 0

    def wait(self) -> None:
        deadline = time.monotonic() + 120
        while not self.healthy():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.3)


@pytest.fixture
def containers() -> Iterator[list[Container]]:
    started: list[Container] = []
    yield started
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.name != "posix", reason="the lines are those of a Linux image")
def test_the_image_serves(
    recipe: Recipe, installed: Path, model: Path, tmp_path: Path, port: int, containers: list[Container]
) -> None:
    command = [f"/models/{model.name}"]
    assert json.loads(recipe.last("CMD")) == ["/models/model.onnx"]
    container = Container(recipe, installed, model, tmp_path, port, command, {})
    containers.append(container)
    assert not container.healthy()  # not before it is ready
    container.wait()
    code = "import importlib.metadata as m, lightdet; print(m.version('lightdet-runtime'), lightdet.__file__)"
    where = subprocess.run([installed / "python", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert str(installed.parent) in where.stdout  # what was installed, not this checkout
    url = f"http://127.0.0.1:{port}"
    assert httpx.post(f"{url}/api/detect", content=paint()).json()["recorded"] is True
    for path in ("/", "/docs", "/static/app.js", "/static/page.css", "/static/icon.svg"):  # the page is in the package
        assert httpx.get(url + path).status_code == 200
    assert (tmp_path / "inspections.sqlite3").is_file()
    container.process.send_signal(signal.SIGTERM)
    assert container.process.wait(60) == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.name != "posix", reason="the lines are those of a Linux image")
def test_compose_serves_with_postgresql(
    recipe: Recipe, compose: dict[str, Any], installed: Path, model: Path, tmp_path: Path, port: int,
    containers: list[Container], postgres: str,
) -> None:  # fmt: skip
    given = {"MODEL": model.name, "POSTGRES_PASSWORD": "pw", "LIGHTDET_API_KEY": "k3y"}
    service = compose["services"]["lightdet"]
    environment = {name: substitute(str(value), given) for name, value in service["environment"].items()}
    assert environment["LIGHTDET_DATABASE"] == "postgresql://lightdet:pw@db:5432/lightdet"
    database = compose["services"]["db"]["environment"]
    assert (database["POSTGRES_USER"], database["POSTGRES_DB"]) == ("lightdet", "lightdet")
    environment["LIGHTDET_DATABASE"] = postgres  # the container "db" of this test
    command = [substitute(word, given) for word in service["command"]]
    container = Container(recipe, installed, model, tmp_path, port, command, environment)
    containers.append(container)
    container.wait()
    url = f"http://127.0.0.1:{port}/api"
    assert httpx.post(f"{url}/detect", content=paint()).status_code == 401
    headers = {"x-api-key": "k3y"}
    assert httpx.post(f"{url}/detect", content=paint(), headers=headers).json()["recorded"] is True
    assert len(httpx.get(f"{url}/inspections", headers=headers).json()["results"]) == 1
    assert not (tmp_path / "inspections.sqlite3").exists()
    container.process.send_signal(signal.SIGTERM)
    assert container.process.wait(60) == 0
