"""The places and settings that programs really run in, each from a public report about another program.

`data audit` with its page goes through reading, drawing, fonts, tables and writing, and needs no torch.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightdet import files
from lightdet.assembly.dataset import load_dataset
from lightdet.cli.app import main
from lightdet.data.audit import audit_dataset
from lightdet.data.audit.page import audit_page
from lightdet.errors import UserError
from lightdet.files import make_folder, write_text
from lightdet.runs.compare.provenance import now
from lightdet.service.inspection import iso_time

REPOSITORY = Path(__file__).resolve().parents[2]


def made_set(root: Path, pictures: int = 3, classes: tuple[str, ...] = ("größe", "欠陥")) -> Path:
    """A YOLO data set; returns its YAML."""
    rng = np.random.default_rng(1)
    for split in ("train", "val"):
        (root / "images" / split).mkdir(parents=True)
        (root / "labels" / split).mkdir(parents=True)
        for number in range(pictures):
            pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "images" / split / f"{split} é {number}.png")
            row = f"{number % len(classes)} .5 .5 .4 .4\n"
            (root / "labels" / split / f"{split} é {number}.txt").write_text(row)
    names = "".join(f"  - {name}\n" for name in classes)
    text = f"format: yolo\nclasses:\n{names}splits: {{train: images/train, val: images/val}}\n"
    (root / "data.yaml").write_text(text, encoding="utf-8")
    return root / "data.yaml"


def audit(
    yaml: Path, output: Path, *, before: tuple[str, ...] = (), code: int = 0, **settings: str | None
) -> subprocess.CompletedProcess[bytes]:
    """Run the audit with changed environment variables (None: taken out); it must end with `code`, no traceback."""
    kept = {name: value for name, value in os.environ.items() if settings.get(name, value) is not None}
    environment = kept | {name: value for name, value in settings.items() if value is not None}
    environment["PYTHONPATH"] = str(REPOSITORY)
    command = [*before, sys.executable, "-m", "lightdet", "data", "audit", "--data", str(yaml), "--output", str(output)]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode("utf-8", "replace")[-2000:]
    assert done.returncode == code, (done.stdout[-500:], done.stderr[-500:])
    return done


@pytest.fixture(scope="module")
def yaml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_set(tmp_path_factory.mktemp("set"))


# Several at once, because each costs a start of Python:
# - TheRedTower/secure-string-cipher: decorative Unicode can crash under cp1252; microsoft/winml-cli: UnicodeEncodeError
#   on an arrow under cp1252; Rockhopper-Technologies/enlighten: UnicodeEncodeError when stdout is ISO-8859-1
# - rbei-etas/busmaster: floats are stored with comma instead of point on a german system; kgabis/parson: number parsing
#   broken for some locales
# - Textualize/rich: NO_COLOR not respected; near/nearcore: don't write ANSI codes to non-terminal
# - conjure-up, NVIDIA/pix2pixHD: no usable temporary directory found
# - cmbi/hssp: RuntimeError: No home defined; haiwen/seafile: allow seaf-cli to start if $HOME isn't defined
SETTINGS: dict[str, dict[str, str | None]] = {
    "code page, narrow, headless": {"PYTHONIOENCODING": "cp1252", "COLUMNS": "40", "DISPLAY": None, "NO_COLOR": "1"},
    "ASCII, no HOME, no temporary folder": {
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "HOME": None,
        "TMPDIR": "/nowhere",
        "TERM": "dumb",
    },
    "German, one column, HOME gone": {"LC_ALL": "de_DE.UTF-8", "COLUMNS": "1", "HOME": "/nowhere/at all"},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_settings(settings: dict[str, str | None], yaml: Path, tmp_path: Path) -> None:
    done = audit(yaml, tmp_path / "page.html", **settings)
    assert b"\x1b[" not in done.stdout + done.stderr
    assert "größe" in (tmp_path / "page.html").read_text(encoding="utf-8")


# apptainer, rustdesk-server: a user without an entry in the list of users has no home folder
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to become somebody unknown")
def test_a_user_that_the_computer_does_not_know(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, lightdet.fonts as f; os.setuid(54321); os.environ.pop('HOME', None); f.has_letters('欠')"
    )
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# huggingface/transformers, ultralytics: an image's packages belong to root, and its user has no home to write to
OTHERS = """
import json, sys
from lightdet.cli.app import main
told = [main(words) for words in json.loads(sys.argv[1])]
sys.exit(max(told))
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that everybody may read; pytest's own is for its user alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_an_installation_that_belongs_to_somebody_else(open_folder: Path) -> None:
    """Nothing is written into the package, the data set, a home folder or a temporary folder."""
    yaml, home, work = made_set(open_folder / "set"), open_folder / "home", open_folder / "work"
    home.mkdir()
    work.mkdir()
    os.chown(work, 54321, 54321)
    # Reads all that root may read, for this Python may lie in root's home folder; writes where the user may.
    reads = [f"--{kind}-caps=-all,+dac_read_search" for kind in ("inh", "ambient")]
    user = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", *reads]
    if subprocess.run([*user, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this container lets nobody hand on the right to read")
    small = ["--epochs", "1", "--imgsz", "32", "model.widths=[8, 8, 8, 8, 8]", "train.start=chance"]
    commands = [
        ["train", "--data", str(yaml), "--output", "run", *small],
        ["detect", str(yaml.parent / "images" / "val"), "--weights", "run/best.safetensors", "--output", "found"],
    ]
    settings = {"HOME": str(home), "TMPDIR": "/nowhere", "PYTHONPATH": str(REPOSITORY), "LIGHTDET_PROBE": "off"}
    done = subprocess.run(
        [*user, sys.executable, "-c", OTHERS, json.dumps(commands)],
        cwd=work,
        env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert (work / "found").is_dir() and not any(home.iterdir())


# ai-screenshot-namer, sygil-webui, openassessit and others: file name too long
def test_a_page_of_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="File name too long"):
        write_text(tmp_path / ("x" * 300 + ".html"), "page")


# apple/ml-cvnets: crash if the splits have different classes; DEIM: one class custom dataset; medium-facenet-tutorial:
# a data set of only one image
@pytest.mark.parametrize(("pictures", "classes"), [(1, 1), (1, 1000), (3, 1)])
def test_sets_of_one_and_of_a_thousand(pictures: int, classes: int, tmp_path: Path) -> None:
    names = tuple(f"class {number}" for number in range(classes))
    spec = load_dataset(made_set(tmp_path / "set", pictures, names))
    report = audit_dataset(spec, 64)
    assert not report.count("error") and report.splits["train"].pictures == pictures
    assert len(audit_page(report, spec.root)) < 2_000_000


# DL-Art-School, transformers and GPT-SoVITS: [WinError 32] another program uses the file that is to be replaced
@pytest.mark.parametrize("strerror", ["Access is denied", "The process cannot access the file"])
def test_a_file_that_another_program_holds(strerror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    write_text(target, "old")

    def refuse(*_: object) -> None:
        raise PermissionError(13, strerror)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(UserError, match=f"report.html: cannot be written: {strerror}"):
        write_text(target, "new")
    assert target.read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["report.html"]


# spyder, backoff, unpythonic: the clock was set back
def test_no_length_of_time_is_taken_from_the_clock_on_the_wall() -> None:
    # The first two compare times of day that other programs wrote, the others tell one and look for its jumps.
    allowed = {"tuning/study.py", "service/records/recorder.py", "service/webhook.py", "service/records/keeper.py"}
    allowed |= {"storage/kept.py", "line/ledger.py"}  # dates of files; days after which a vanished picture is forgotten
    package = REPOSITORY / "lightdet"
    users = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "time.time()" in path.read_text(encoding="utf-8")
    }
    assert users <= allowed


# python-for-android, Bunkr: Jupyter and other embedders give streams without a file descriptor
def test_streams_that_are_no_files(yaml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream := io.StringIO())
    monkeypatch.setattr(sys, "argv", ["lightdet", "data", "audit", "--data", str(yaml)])
    assert main() == 0 and "größe" in stream.getvalue()


# dvc, rclone, gpodder: files called aux, nul or con.txt; a colon in a name makes a hidden stream on NTFS
BAD_NAMES = ["nul", "NUL.json", "con.tar.gz", "Aux .txt", "com1", "LPT9.csv", "a:b.csv", "a?", "a.", "a ", "COM².txt"]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("windows", [False, True])
def test_names_that_windows_would_not_keep(
    name: str, windows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_WINDOWS", windows)
    if not windows:
        write_text(tmp_path / name, "kept")
        return
    for path in (tmp_path / name, tmp_path / name / "report.json", Path(name, "x")):
        for write in (lambda path=path: write_text(path, "lost"), lambda path=path: make_folder(path)):
            with pytest.raises(UserError, match=r"is the name of a device|is not a valid name on Windows"):
                write()
    assert not list(tmp_path.iterdir())


def test_names_that_only_look_like_those(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_WINDOWS", True)
    make_folder(tmp_path / "sub")
    for name in ("console.txt", "com.txt", "com10.csv", "nul1", ".con", "größe 欠陥.csv", "a.b.c"):
        write_text(tmp_path / "sub" / ".." / name, "kept")
        assert (tmp_path / name).read_text() == "kept"


# pytz-deprecation-shim, celery, airflow: zones without a whole hour, and settings that name no zone at all
@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "No/Such"])
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="a zone is set for a process as in POSIX")
def test_times_hold_in_every_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        try:
            assert iso_time(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
            told = datetime.fromisoformat(now())
            assert told.tzinfo is not None and abs(told.timestamp() - time.time()) < 5
        finally:
            patch.undo()
            time.tzset()
