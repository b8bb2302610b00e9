"""Build the documentation as a site in ``build/site``; ``make docs`` runs this.

The pages are the repository's own Markdown files. They are gathered in a folder that mirrors the repository, so that
a link between two of them is right on the site and in the repository alike. Any warning ends the build.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from notebook import as_markdown

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "build" / "pages"
SHOWN = ("*.md", "docs/**/*", "benchmarks/**/*", "configs/**/*", "datasets/**/*.yaml", "LICENSE")
"""What pages show or link to."""


def gather() -> None:
    """Copy what git keeps of `SHOWN`."""
    shutil.rmtree(PAGES, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    kept = set(listed.stdout.splitlines())
    for pattern in SHOWN:
        for path in ROOT.glob(pattern):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and name in kept:
                target = PAGES / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                if path.suffix == ".ipynb":
                    write_page(path, target)
                elif path.suffix == ".md":  # a link to a notebook leads to its page
                    target.write_text(target.read_text(encoding="utf-8").replace(".ipynb)", ".md)"), encoding="utf-8")


def write_page(notebook: Path, target: Path) -> None:
    """Beside the notebook, which can be downloaded, its page and pictures."""
    text, pictures = as_markdown(notebook)
    text += f"\n[This page as a notebook]({notebook.name})\n"
    target.with_suffix(".md").write_text(text, encoding="utf-8")
    for name, data in pictures.items():
        (target.parent / name).write_bytes(data)


def main() -> int:
    """Gather and build; returns the exit status."""
    gather()
    return subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean"], cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
