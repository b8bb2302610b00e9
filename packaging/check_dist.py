"""Build the sdist and the wheel, install each into an empty environment, and use it there; ``make dist`` runs this.

python packaging/check_dist.py            dependencies from the package index, as a user gets them
python packaging/check_dist.py --quick    dependencies of this interpreter, in seconds
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import textwrap
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOOK = """
import pathlib, sys
import lightdet
from lightdet.assembly.starting import FOLDER
home = pathlib.Path(lightdet.__file__).parent
assert home.is_relative_to(sys.prefix), home
assert lightdet.__version__ == sys.argv[1], lightdet.__version__
missing = [name for name in sys.argv[2:] if not (home.parent / name).is_file()]
assert not missing, missing
assert list(FOLDER.glob("*.safetensors")), FOLDER
for name in lightdet.__all__:
    getattr(lightdet, name)
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command and return what it printed; one that fails ends the check.

    Elsewhere than in the repository it must not find the sources.
    """
    hidden = {"PYTHONPATH", "PYTHONHOME"} if cwd != ROOT else set[str]()
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    shown = textwrap.shorten(shlex.join(map(str, command)), 120)
    print("+", shown, flush=True)
    done = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout}\nerror: this ended with {done.returncode}: {shown}")
    return done.stdout


def package_files() -> set[str]:
    """What git keeps of the package."""
    return set(run("git", "ls-files", "lightdet").splitlines())


def check_contents(wheel: Path, sdist: Path, wanted: set[str]) -> None:
    """Refuse archives that lack a file of the package or hold one that git does not know."""
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name for name in archive.namelist() if name.startswith("lightdet/")}
    with tarfile.open(sdist) as tar:
        in_sdist = {
            name.split("/", 1)[1] for name in tar.getnames() if "/lightdet/" in name and tar.getmember(name).isfile()
        }
    for path, found in ((wheel, in_wheel), (sdist, in_sdist)):
        if found != wanted:
            lacking, foreign = sorted(wanted - found), sorted(found - wanted)
            raise SystemExit(f"error: {path.name} lacks {lacking} and should not hold {foreign}")
        print(f"{path.name}: {len(found)} files of the package, {path.stat().st_size / 1e6:.1f} MB")


def check_install(archive: Path, folder: Path, version: str, files: set[str], flags: list[str], *, quick: bool) -> None:
    """Install an archive into a new environment in `folder`, and use it from an empty working folder."""
    venv.create(folder, with_pip=True)
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python, empty = scripts / "python", folder / "empty"
    empty.mkdir()
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *flags]
    if quick:
        install.append("--no-deps")
    run(*install, archive, cwd=empty)
    if quick:  # only now: pip would take a lightdet among the borrowed packages for the one to install
        inside = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=empty).strip()
        Path(inside, "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    run(python, "-W", "error", "-c", LOOK, version, *sorted(files), cwd=empty)
    shown = run(scripts / "lightdet", "--help", cwd=empty)
    if "train" not in shown or "detect" not in shown:
        raise SystemExit(f"error: lightdet --help shows no commands:\n{shown}")
    run(scripts / "lightdet", "data", "synth", "--output", "set", "--images", "10", cwd=empty)
    print(f"{archive.name}: installed, imported, its command and data files are there", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build, install and try the sdist and the wheel.")
    parser.add_argument("--quick", action="store_true", help="borrow this interpreter's dependencies")
    parser.add_argument("--pip-flags", default="", help="more flags for pip")
    given = parser.parse_args()
    wanted, dist = package_files(), ROOT / "dist"
    for old in (*dist.glob("lightdet-*.whl"), *dist.glob("lightdet-*.tar.gz")):
        old.unlink()
    run(sys.executable, "-m", "build", "--outdir", dist, *(["--no-isolation"] if given.quick else []))
    (wheel,), (sdist,) = dist.glob("lightdet-*.whl"), dist.glob("lightdet-*.tar.gz")
    check_contents(wheel, sdist, wanted)
    version = wheel.name.split("-")[1]
    for archive in (wheel, sdist):
        with tempfile.TemporaryDirectory() as folder:
            flags = shlex.split(given.pip_flags)
            check_install(archive, Path(folder), version, wanted, flags, quick=given.quick)


if __name__ == "__main__":
    main()
