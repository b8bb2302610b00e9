"""Write the pinned packages of the Docker image, each version with the hashes of its wheels.

    python packaging/lock.py            # packaging/docker/runtime.txt: what packaging/runtime asks for
    python packaging/lock.py gpu        # packaging/docker/gpu.txt: lightdet itself, with torch for CUDA; fetches 4 GB

The newest versions of today, for the Python and the processors of the image, from the index that pip is set up with.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

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


def resolve(requirements: list[str], processor: str) -> dict[str, tuple[str, str]]:
    """Return by name the version and hash that pip would install on this processor."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        kinds = [f"manylinux_2_{glibc}" for glibc in (39, 38, 35, 34, 31, 28, 27, 26, 24, 17)] + ["manylinux2014"]
        command = [
            sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet",
            "--only-binary", ":all:", "--target", folder, "--report", str(report),
            "--python-version", PYTHON, "--implementation", "cp",
            *(word for kind in kinds for word in ("--platform", f"{kind}_{processor}")), *requirements,
        ]  # fmt: skip
        subprocess.run(command, check=True)
        found = json.loads(report.read_text())["install"]
    return {
        each["metadata"]["name"].lower().replace("_", "-"): (
            each["metadata"]["version"],
            each["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for each in found
    }


def main(image: str = "runtime") -> None:
    """Write the file."""
    file, extras, processors = IMAGES[image]
    hashes: dict[str, set[str]] = {}
    versions: dict[str, str] = {}
    for processor in processors:
        pins = [f"{name}=={version}" for name, version in versions.items()]
        for name, (version, sha256) in resolve(wanted(file, extras) + pins, processor).items():
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
