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
