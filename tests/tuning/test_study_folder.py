"""An output folder holds one study: another would replace its models."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_tune_command import SPACE, command, error_of

from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.runs.tune.objective import Objective
from lightdet.tuning.search import Attempt
from lightdet.tuning.study_folder import STUDY_FILE, note_study, place_of


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


def untrained(self: Objective, attempt: Attempt) -> tuple[float, dict[str, str]]:
    (attempt.folder / "best.safetensors").write_text(str(attempt.params))
    return 0.5 + attempt.number / 100, {"weights": str(attempt.folder / "best.safetensors")}


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*") if path.suffix != ".db"}


def test_an_output_folder_holds_one_study(
    tmp_path: Path, defect_set: Path, space: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Objective, "__call__", untrained)
    output, other = tmp_path / "run", tmp_path / "other.yaml"
    other.write_text("augment.mosaic: [0, 0.5]\n")
    first = command(defect_set, space, output, "--trials", 2)
    assert main(first) == 0
    before = content(output)
    assert "trials/0001/best.safetensors" in before
    told = error_of(capsys, command(defect_set, other, output, "--trials", 1))
    assert "another search space" in told and "use another --output" in told
    elsewhere = f"sqlite:///{tmp_path / 'else.db'}"
    for more in (["--study", "b"], ["--study", "b", "--overwrite"], ["--storage", elsewhere]):
        told = error_of(capsys, command(defect_set, other, output, "--trials", 1, *more))
        assert f"{output}: holds the study 'lightdet' (study.db), whose models" in told and "another --output" in told
        assert content(output) == before
    (output / STUDY_FILE).unlink()  # as earlier versions left it
    for more in (["--study", "b"], ["--study", "b", "--overwrite"], ["--storage", elsewhere]):
        told = error_of(capsys, command(defect_set, other, output, "--trials", 1, *more))
        assert f"{output}: holds the trials of another study, whose models" in told
    assert main(first) == 0
    assert content(output).keys() == before.keys()
    moved = output.rename(tmp_path / "moved")
    assert main(command(defect_set, space, moved, "--trials", 3)) == 0
    assert main(command(defect_set, other, moved, "--trials", 1, "--overwrite")) == 0


def test_studies_share_a_database_and_workers_a_study(
    tmp_path: Path, defect_set: Path, space: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Objective, "__call__", untrained)
    storage = ["--storage", f"sqlite:///{tmp_path / 'all.db'}"]
    for number, (folder, study) in enumerate((("a1", "a"), ("b", "b"), ("a2", "a"), ("a1", "a"), ("a2", "a")), 1):
        more = ("--trials", number, *storage, "--study", study)
        assert main(command(defect_set, space, tmp_path / folder, *more)) == 0
    assert "holds the study 'a' (" in error_of(
        capsys, command(defect_set, space, tmp_path / "a2", "--trials", 9, *storage, "--study", "b")
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (None, "study.db"),
        ("sqlite:///FOLDER/study.db", "study.db"),
        ("sqlite:///FOLDER/../all.db", "PARENT/all.db"),
        ("postgresql://me:secret@host:5432/db", "host:5432/db"),
        ("postgres://host:5432/db?password=x", "host:5432/db"),
    ],
)
def test_a_database_is_named_without_its_password(url: str | None, shown: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    given = url and url.replace("FOLDER", str(folder))
    assert place_of(given, folder) == shown.replace("PARENT", str(tmp_path))


def test_of_two_that_begin_at_once_one_takes_the_folder(tmp_path: Path) -> None:
    for _ in range(2):
        note_study(tmp_path, "study.db", "a")
    with pytest.raises(UserError, match="holds the study 'a'"):
        note_study(tmp_path, "study.db", "b")
