"""The report: complete, self-contained, and safe whatever the names are."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from evaluation_scenes import NAMES, annotation, detections

from lightdet.errors import UserError
from lightdet.evaluation.average_precision import evaluate
from lightdet.evaluation.report import Evaluation, write_report
from lightdet.evaluation.report.charts import Line, chart
from lightdet.evaluation.report.markup import Markup, join, tag

EVIL = '<script>alert("1")</script>&\'"'


def picture(_path):
    return np.full((200, 200, 3), 99, np.uint8)


def evaluation(names=NAMES, image="picture.png", found=None, truth=None, **more):
    truths = [annotation([[10, 10, 50, 50], [80, 80, 120, 150]], [0, 1], image=image), annotation([], [], image=image)]
    given = [
        detections([(10, 10, 50, 50, 0.5, 0), (80, 80, 120, 150, 0.7, 2), (150, 10, 190, 60, 0.6, 1)]),
        detections([(5, 5, 60, 60, 0.65, 1)]),
    ]
    truths, given = truth or truths, given if found is None else found
    return Evaluation("A title", evaluate(given, truths, names, sizes=True), given, truths, names, **more)


class Page(HTMLParser):
    """Tags in order, checked to be closed; text by tag."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.tags.append(name)
        self.attributes += attributes
        self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.tags.append(name)
        self.attributes += attributes

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.texts.append(data)


def test_both_files(tmp_path):
    html, numbers = write_report(tmp_path / "new" / "folder", evaluation(details={"split": "val"}), picture)
    assert html.name == "report.html" and numbers.name == "metrics.json"
    values = json.loads(numbers.read_text(encoding="utf-8"))
    assert values["split"] == "val" and values["map50"] == pytest.approx(0.5)
    assert values["confusion"]["counts"][0][0] == 1 and len(values["confusion"]["counts"]) == 4
    page = Page(html.read_text(encoding="utf-8"))
    assert page.tags.count("svg") >= 3 and page.tags.count("table") >= 3
    assert page.tags.count("img") == 3  # one picture with misses, two with false alarms
    text = " ".join(page.texts)
    for part in (
        "Kratzer ü",
        "dent: reported as Kratzer ü (0.70)",
        "dent 0.65: picture without defects",
        "1 picture without",
    ):
        assert part in text


def test_nothing_is_loaded_from_anywhere(tmp_path):
    html, _ = write_report(tmp_path, evaluation(), picture)
    text = html.read_text(encoding="utf-8")
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "a"} & set(page.tags)
    for name, value in page.attributes:
        assert name not in {"href", "onload", "onclick"} and "://" not in (value or "")
        assert name != "src" or value.startswith("data:image/jpeg;base64,")
    assert "@import" not in text and "url(" not in text
    assert "default-src 'none'" in str(page.attributes)


def test_names_are_text(tmp_path):
    content = evaluation(
        (EVIL, "b", "c"),
        image=f"{EVIL.replace('/', '_')}.png",
        facts={EVIL: {EVIL: EVIL}},
        skipped=[EVIL],
    )
    html, _ = write_report(tmp_path, content, picture)
    text = html.read_text(encoding="utf-8")
    assert "<script" not in text and 'alert("1")' not in text
    assert EVIL in Page(text).texts


@pytest.mark.parametrize("found", [[], None])
def test_without_mistakes_or_ground_truth(tmp_path, found):
    truth = [annotation([], [])] if found == [] else [annotation([[0, 0, 50, 50]], [0])]
    given = [detections([] if found == [] else [(0, 0, 50, 50, 0.9, 0)])]
    html, numbers = write_report(tmp_path, evaluation(found=given, truth=truth), picture)
    text = html.read_text(encoding="utf-8")
    assert text.count("None.") == 2 and "nan" not in text
    json.loads(numbers.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_a_picture_that_went_away_leaves_the_rest(tmp_path):
    def gone(path):
        raise UserError("no such file", path=path)

    html, _ = write_report(tmp_path, evaluation(), gone)
    text = html.read_text(encoding="utf-8")
    assert "picture.png: no such file" in text and "<img" not in text


def test_large_pictures_show_a_detail(tmp_path):
    truth = [annotation([[3000, 2000, 3020, 2030]], [0], size=(4000, 3000))]
    content = evaluation(found=[detections([], size=(4000, 3000))], truth=truth)
    html, _ = write_report(tmp_path, content, lambda _: np.zeros((3000, 4000, 3), np.uint8))
    assert "(detail of 4000 × 3000)" in html.read_text(encoding="utf-8")
    assert html.stat().st_size < 200_000


def test_many_classes_draw_few_lines(tmp_path):
    names = [f"class {number}" for number in range(40)]
    boxes = [[4 * i, 4 * i, 4 * i + 20, 4 * i + 20] for i in range(40)]
    truth = [annotation(boxes, list(range(40)))]
    given = [detections([(*box, 0.5, i) for i, box in enumerate(boxes) if i % 2])]
    html, _ = write_report(tmp_path, evaluation(names, found=given, truth=truth), picture)
    assert "Of 40 classes, the 16 with the lowest AP are drawn." in html.read_text(encoding="utf-8")


def test_without_pictures(tmp_path):
    html, _ = write_report(tmp_path, evaluation(), picture, pictures=0)
    text = html.read_text(encoding="utf-8")
    assert "<img" not in text and "Worst" not in text and "None." not in text


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        write_report(tmp_path / "file", evaluation(), picture)


def test_markup():
    assert tag("b", "<", None, ["&", tag("i", '"')], class_="a b", data_x=None, hidden=True) == (
        '<b class="a b" hidden="">&lt;&amp;<i>&quot;</i></b>'
    )
    assert tag("img", src='"') == '<img src="&quot;"/>'
    assert join(["<", Markup("<br>")]) == "&lt;<br>"


def test_charts_place_points():
    drawn = chart([Line("a", np.array([0.0, 1.0]), np.array([0.0, 1.0]))], x_title="x", y_title="y")
    points = re.search(r'points="([^"]+)"', drawn)[1].split()
    (x0, y0), (x1, y1) = ([float(v) for v in point.split(",")] for point in points)
    assert x0 < x1 and y0 > y1  # SVG counts downwards
