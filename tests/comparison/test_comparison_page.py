"""The page: whole, self-contained, and with whatever is missing said or left out."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from comparison_scenes import comparison, history, metrics, model, picture
from hypothesis import given
from hypothesis import strategies as st

from lightdet.comparison.picture_table import choose_pictures
from lightdet.comparison.results import Comparison, Run
from lightdet.comparison.writer import write_comparison
from lightdet.config import Config, YamlFile, validate
from lightdet.errors import UserError
from lightdet.structures import Annotation


class Page(HTMLParser):
    """Tags in order, checked to be closed; texts and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def gray(_: Path) -> np.ndarray:
    return np.full((100, 100, 3), 90, np.uint8)


def scene() -> Comparison:
    truth, found = picture()
    settings = validate(Config, YamlFile({}), []).model_dump(mode="json")
    other = validate(Config, YamlFile({}), ["train.lr=0.5"]).model_dump(mode="json")
    runs = [Run(f"seed {s}", s, metrics(v), history(v), [found]) for s, v in ((0, 0.5), (1, 0.7))]
    ours = model("ours", *runs, settings=settings)
    theirs = model("theirs", Run("", None, metrics(0.6), (), [found]), kind="predictions", params=None)
    broken = model("broken", problems={"seed 0": "it <diverged>"}, params=None, settings=other)
    return comparison(
        ours, theirs, broken, pictures=[truth], notes=["A note."], skipped=["a.png: broken"], facts={"Made": {"a": "b"}}
    )


def written(folder: Path, given: Comparison) -> Page:
    result = write_comparison(folder, given, gray)
    assert {path.name for path in folder.iterdir()} == {
        "comparison.html", "comparison.md", "comparison.json", "tables"
    }  # fmt: skip
    return Page(result.html.read_text(encoding="utf-8"))


def test_a_whole_page(tmp_path: Path) -> None:
    page = written(tmp_path, scene())
    text = " ".join(page.texts)
    for part in (
        "A <title>",
        "A note.",
        "Table 1. Average precision by class",
        "Table 3. Size and speed",
        "it <diverged>",
        "a.png: broken",
        "train.lr",
        "seed 0, from score 0.5",
        "pic <1>.png",
    ):
        assert part in text, part
    assert page.tags.count("img") == 3  # what is labelled, and two models that found something
    assert page.tags.count("svg") >= 3 + 3


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    page = written(tmp_path, scene())
    assert not {"script", "link", "iframe", "object", "a"} & set(page.tags)
    for name, value in page.attributes:
        assert name not in {"href", "onload", "onclick"} and "://" not in (value or "")
        assert name != "src" or (value or "").startswith("data:image/jpeg;base64,")
    assert "default-src 'none'" in str(page.attributes)


def test_all_failed_is_a_page_all_the_same(tmp_path: Path) -> None:
    page = written(tmp_path, comparison(model("broken", problems={"seed 0": "why"}, params=None)))
    assert "Failed or missing (1)" in page.texts and "img" not in page.tags


def test_a_picture_that_went_away_leaves_the_rest(tmp_path: Path) -> None:
    def gone(path: Path) -> np.ndarray:
        raise UserError("no such file", path=path)

    result = write_comparison(tmp_path, scene(), gone)
    text = result.html.read_text(encoding="utf-8")
    assert "no such file" in text and "<img" not in text


def test_tables_of_an_earlier_time_go(tmp_path: Path) -> None:
    write_comparison(tmp_path, scene(), gray)
    (tmp_path / "tables" / "table4.csv").write_text("old")
    (tmp_path / "tables" / "notes.txt").write_text("mine")
    write_comparison(tmp_path, scene(), gray)
    names = {path.name for path in (tmp_path / "tables").iterdir()}
    assert names == {"summary.csv", "table1.csv", "table2.csv", "table3.csv", "runs.csv", "notes.txt"}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        write_comparison(tmp_path / "file", scene(), gray)


LABELS = st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=12)


@given(LABELS, st.integers(0, 8))
def test_the_sheet_takes_every_class_in_turn(labels: list[list[int]], count: int) -> None:
    boxes = [np.tile(np.array([[0, 0, 5, 5]], np.float32), (len(each), 1)) for each in labels]
    given_ = [
        Annotation(Path(f"{i}.png"), (10, 10), box, np.array(each, np.int64))
        for i, (box, each) in enumerate(zip(boxes, labels, strict=True))
    ]
    chosen = choose_pictures(given_, 3, count)
    assert chosen == sorted(set(chosen)) and chosen == choose_pictures(given_, 3, count)
    with_defects = [i for i, each in enumerate(labels) if each]
    assert len(chosen) == min(count, len(with_defects)) and set(chosen) <= set(with_defects)
    if len(chosen) >= 3:  # every class that occurs is to be seen
        assert {label for i in chosen for label in labels[i]} == {label for each in labels for label in each}
