"""Write the pinned packages of the Docker image, each version with the hashes of its wheels.

    python packaging/lock.py            # packaging/docker/runtime.txt: what packaging/runtime asks for
    python packaging/lock.py gpu        # packaging/docker/gpu.txt: lightdet itself, with torch for CUDA

The newest versions of today, for the Python and the processors of the image, as uv finds them (``pip install uv``),
which fetches no package. ``UV_CONSTRAINT=FILE`` keeps versions.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "3.13"  # as in the Dockerfile
IMAGES = {  # project, its extras, processors
    "runtime": ("packaging/runtime/pyproject.toml", ("openvino", "service"), ("x86_64", "aarch64")),
    "gpu": ("pyproject.toml", ("service",), ("x86_64",)),
}
BUILD = ["setuptools>=77"]  # what the package itself is built with


def wanted(file: str, extras: tuple[str, ...]) -> list[str]:
    """Return what a project asks for, with these extras."""
    project = tomllib.loads((ROOT / file).read_text())["project"]
    optional = project["optional-dependencies"]
    return [*BUILD, *project["dependencies"], *(each for extra in extras for each in optional[extra])]


def resolve(requirements: list[str], processor: str, uv: str) -> dict[str, tuple[str, str]]:
    """Return by name the version, and the hash of the wheel that pip would take on this processor."""
    with tempfile.TemporaryDirectory() as folder:
        asked, found = Path(folder) / "asked.txt", Path(folder) / "pylock.toml"
        asked.write_text("\n".join(requirements))
        command = [
            uv, "pip", "compile", "--quiet", "--format", "pylock.toml", "--output-file", str(found),
            "--only-binary", ":all:", "--no-header", "--no-annotate",
            "--python-version", PYTHON, "--python-platform", f"{processor}-manylinux_2_39", str(asked),
        ]  # fmt: skip
        subprocess.run(command, check=True)
        packages = tomllib.loads(found.read_text())["packages"]
    return {each["name"]: (each["version"], best_wheel(each["wheels"], processor)) for each in packages}


def best_wheel(wheels: list[dict[str, Any]], processor: str) -> str:
    """Return the SHA-256 of the wheel that pip prefers."""
    python = tuple(int(part) for part in PYTHON.split("."))
    glibc = [f"manylinux_2_{minor}_{processor}" for minor in range(39, 4, -1)] + [f"manylinux2014_{processor}"]
    platforms = [*glibc, f"manylinux1_{processor}", f"linux_{processor}"]
    order = [*cpython_tags(python, platforms=platforms), *compatible_tags(python, "cp313", platforms)]
    place = {tag: number for number, tag in enumerate(order)}

    def rank(wheel: dict[str, Any]) -> int:
        name = wheel.get("name") or wheel["url"].rpartition("/")[2].partition("#")[0]
        tags = parse_wheel_filename(unquote(name))[3]
        return min((place[tag] for tag in tags if tag in place), default=len(order))

    best = min(wheels, key=rank)
    if rank(best) == len(order):
        sys.exit(f"error: no wheel for Python {PYTHON} on {processor} among {[each['url'] for each in wheels][:3]}")
    return str(best["hashes"]["sha256"])


def main(image: str = "runtime") -> None:
    """Write the file."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("error: this needs uv, which resolves without fetching the packages: pip install uv")
    file, extras, processors = IMAGES[image]
    hashes: dict[str, set[str]] = {}
    versions: dict[str, str] = {}
    for processor in processors:
        pins = [f"{name}=={version}" for name, version in versions.items()]
        for name, (version, sha256) in resolve(wanted(file, extras) + pins, processor, uv).items():
            versions[name] = version
            hashes.setdefault(name, set()).add(sha256)
    lines = [
        f"# Python {PYTHON}, Linux on {' and '.join(processors)}; written by packaging/lock.py",
        *(
            f"{name}=={versions[name]} " + " ".join(f"\\\n    --hash=sha256:{each}" for each in sorted(hashes[name]))
            for name in sorted(versions)
        ),
    ]
    target = ROOT / f"packaging/docker/{image}.txt"
    target.write_text("\n".join(lines) + "\n")
    print(f"{target.relative_to(ROOT)}: {len(versions)} packages")


if __name__ == "__main__":
    main(*sys.argv[1:])
