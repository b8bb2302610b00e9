"""A column, or an attribute, that names each picture's split: every row is in one, in any spelling, or is a fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.describe import describe_folder
from lightdet.cli.app import main
from lightdet.data.dataset import read_split
from lightdet.data.fold_file import Folds
from lightdet.data.paths import below_root
from lightdet.errors import UserError

Writer = Callable[[Path, Sequence[str]], None]


def boxes(root: Path, words: Sequence[str]) -> None:
    rows = [f"{number}.png,2,3,12,9,dent,{word}" for number, word in enumerate(words)]
    (root / "parts.csv").write_text("\n".join(["image,xmin,ymin,xmax,ymax,label,split", *rows]))


def classes(root: Path, words: Sequence[str]) -> None:
    rows = [f"{number}.png,{'ok' if number % 2 else 'bad'},{word}" for number, word in enumerate(words)]
    (root / "parts.csv").write_text("\n".join(["path,label,split", *rows]))


def cvat(root: Path, words: Sequence[str]) -> None:
    box = '<box label="dent" xtl="2" ytl="3" xbr="12" ybr="9"/>'
    head = 'width="32" height="24"'
    rows = [f'<image name="{n}.png" {head} subset="{word}">{box}</image>' for n, word in enumerate(words)]
    (root / "parts.xml").write_text("\n".join(["<annotations>", *rows, "</annotations>"]))


WRITERS: dict[str, Writer] = {"csv-boxes": boxes, "csv": classes, "cvat": cvat}


@pytest.fixture(params=WRITERS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(form: str, tmp_path: Path) -> Callable[..., Path]:
    """A folder with one picture for each row; `yaml`: the splits of its YAML."""

    def make(words: Sequence[str], yaml: str = "") -> Path:
        root = tmp_path / "set"
        root.mkdir()
        for number in range(len(words)):
            Image.effect_noise((32, 24), 90 + number).convert("RGB").save(root / f"{number}.png")
        WRITERS[form](root, words)
        if yaml:
            (root / "d.yaml").write_text(f"format: {form}\nlabels: {next(root.glob('parts.*')).name}\nsplits: {yaml}\n")
        return root

    return make


def sizes(root: Path) -> dict[str, int]:
    spec = load_dataset(root)
    return {name: len(read_split(spec, name)[0]) for name in spec.splits}


WORDS = ["train", "Train", "TRAINING", "train", "val", "Valid", "validation", "VAL", "Test", "testing"]


def test_splits_are_spelled_in_any_way(made: Callable[..., Path]) -> None:
    root = made(WORDS)
    assert sizes(root) == {"train": 4, "val": 4, "test": 2}
    describe_folder(root)
    assert sizes(root) == {"train": 4, "val": 4, "test": 2}


@pytest.mark.parametrize("yaml", ["", "{train: , val: , test: }", "{train: , val: }"])
@pytest.mark.parametrize("word", ["holdout", "trian", "", "train val"])
def test_a_row_of_no_split_is_a_fault(made: Callable[..., Path], form: str, word: str, yaml: str) -> None:
    root = made([*WORDS, word, "train"], yaml)
    if form == "cvat" and not word:
        word = "default"
    spec = load_dataset(root)
    with pytest.raises(UserError) as caught:
        read_split(spec, "train")
    message = str(caught.value)
    line = len(WORDS) + 2
    assert message.startswith(f"{next(root.glob('parts.*'))}:{line}: '{len(WORDS)}.png' is in ")
    if word and word != "default":
        assert (
            f"is in '{word}', which is no split of the data set ({', '.join(spec.splits)}); correct it, or name it"
            in message
        )
    else:
        assert "is in no split, and others are; say in which it is, or remove it" in message
    kept, skipped = read_split(spec, "train", on_error="skip")
    assert len(kept) == 5 and [str(fault) for fault in skipped] == [message]


def test_a_split_of_any_name_that_the_yaml_names(made: Callable[..., Path]) -> None:
    root = made([*WORDS, "holdout", "Holdout"], "{train: , val: , holdout: }")
    assert sizes(root) == {"train": 4, "val": 4, "holdout": 2}


@pytest.mark.parametrize("word", ["", "unassigned"])
def test_where_no_row_names_a_split_all_belong_to_it(made: Callable[..., Path], form: str, word: str) -> None:
    words = {"cvat": "default"}.get(form, word) if word else word
    assert sizes(made([words] * 6, "{train: }")) == {"train": 6}


def test_a_validation_split_is_drawn_from_the_rows_of_training(made: Callable[..., Path], tmp_path: Path) -> None:
    root = made(["train"] * 10 + ["test"] * 3)
    assert sizes(root) == {"train": 8, "val": 2, "test": 3}
    drawn = {each.image for each in read_split(load_dataset(root), "val")[0]}
    describe_folder(root, tmp_path / "d.yaml")
    spec = load_dataset(tmp_path / "d.yaml")
    assert {each.image.name for each in read_split(spec, "val")[0]} == {path.name for path in drawn}
    assert {name: len(read_split(spec, name)[0]) for name in spec.splits} == {"train": 8, "val": 2, "test": 3}


@pytest.mark.parametrize("words", [["train"] * 6 + ["val"] * 4 + ["test"], ["train"] * 10 + ["test"]])
@pytest.mark.parametrize("yaml", ["", "{train: , val: , extra: }"])
def test_folds_hold_the_rows_of_all_their_splits(made: Callable[..., Path], words: list[str], yaml: str) -> None:
    """Also where the validation split is drawn, and where the folds' data set no longer has the other splits."""
    if yaml and "val" in words:
        words = [*words, "extra"]
    elif yaml:
        yaml = "{train: , test: }"
    spec = load_dataset(made(words, yaml))
    splits = tuple(name for name in ("train", "val") if name in spec.splits)
    names = sorted(below_root(each.image, spec.root) for split in splits for each in read_split(spec, split)[0])
    assert len(names) == 10
    folds = Folds(splits, (tuple(names[::2]), tuple(names[1::2])))
    for number in range(2):
        held, rest = folds.held_out(spec, number), folds.training(spec, number)
        assert [len(read_split(each, next(iter(each.splits)))[0]) for each in (held, rest)] == [5, 5]


def test_a_list_says_more_than_the_column(made: Callable[..., Path]) -> None:
    root = made(["train"] * 4 + ["test"] * 2, "{train: {list: a.txt}, val: {list: b.txt}}")
    if "format: csv\n" in (root / "d.yaml").read_text():
        return  # has no lists
    (root / "a.txt").write_text("0.png\n1.png\n4.png\n")
    (root / "b.txt").write_text("2.png\n")
    assert sizes(root) == {"train": 3, "val": 1}


def test_the_commands_say_it_in_one_line(made: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    root = made([*WORDS, "holdout"])
    assert main(["data", "audit", "--data", str(root)]) == 1
    assert "is in 'holdout', which is no split of the data set" in " ".join(capsys.readouterr().out.split())


def test_a_file_that_went_away_is_told_for_a_fold(made: Callable[..., Path]) -> None:
    root = made(["train"] * 6 + ["val"] * 2, "{train: , val: }")
    spec = load_dataset(root)
    held = Folds(("train", "val"), (("0.png", "6.png"), ("1.png",))).held_out(spec, 0)
    next(root.glob("parts.*")).unlink()
    with pytest.raises(UserError, match="of the split 'held out' does not exist"):
        read_split(held, "held out")


@pytest.mark.parametrize("val", [True, False])
def test_folds_of_folders(val: bool, tmp_path: Path) -> None:
    """Folders for the splits, where the validation split of one is drawn."""
    for number in range(12):
        folder = tmp_path / "set" / ("train" if number < 8 else "val" if val else "test")
        folder.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((32, 24), 90 + number).convert("RGB").save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    (tmp_path / "set" / "classes.txt").write_text("dent\n")
    spec = load_dataset(tmp_path / "set")
    names = sorted(below_root(t.image, spec.root) for split in ("train", "val") for t in read_split(spec, split)[0])
    folds = Folds(("train", "val"), (tuple(names[::2]), tuple(names[1::2])))
    half = len(names) // 2
    assert half == (6 if val else 4)
    for each in (folds.held_out(spec, 0), folds.training(spec, 0)):
        assert len(read_split(each, next(iter(each.splits)))[0]) == half
