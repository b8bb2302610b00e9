"""Several models on the page: a person sees which one judges, and chooses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import drop, verdict
from one_model import one_model
from page_browser import Open, axe_findings, until
from running_service import Running, running
from test_line_up import WEAK, pair

from lightdet.decisions.promise import Promise
from lightdet.drift.kept import Watched
from lightdet.drift.monitor import Suspension
from lightdet.service.control import Standing


@pytest.fixture
def two(tmp_path: Path, model_file: Path) -> Iterator[Running]:
    with running(pair(one_model(model_file, port=0, database=str(tmp_path / "i.sqlite3")), model_file)) as served:
        yield served


def test_the_chosen_model_judges(two: Running, open_page: Open, axe: str) -> None:
    page = open_page(two.url)
    page.locator("#model", has_text="Choose the model that judges here.").wait_for()
    assert page.locator("#model-choice option").all_inner_texts() == ["choose one", "surface", "shape"]
    drop(page, ("weak.png", WEAK, "image/png"))  # nobody has said which model judges it
    page.locator("body", has_text="say which one; served here: surface, shape").wait_for()
    assert two.client.get("/api/inspections").json()["results"] == [] and not page.locator("#facts").inner_text()
    assert axe_findings(page, axe) == []
    page.locator("#model-choice").select_option("surface")
    page.locator("#model", has_text="surface ·").wait_for()
    drop(page, ("weak.png", WEAK, "image/png"))
    assert verdict(page, "NG") == "1 defect: red"
    page.locator("#model-choice").select_option("shape")
    page.locator("#model", has_text="shape").wait_for()
    until(page, "document.querySelector('#threshold-note').textContent.includes('0.6')")
    drop(page, ("weak.png", WEAK, "image/png"))
    assert verdict(page, "OK") == "no defects"
    assert "shape" in page.locator("#facts").inner_text()
    numbers(page, "2", "1")
    page.locator("#statistics-model").select_option("shape")
    numbers(page, "1", "0")
    assert axe_findings(page, axe) == []
    page.reload()
    page.locator("#model", has_text="shape").wait_for()  # the choice is kept


def test_a_suspended_promise_is_told_of_the_chosen_model_alone(two: Running, open_page: Open) -> None:
    engine = two.service.models.choose("surface").engine
    engine._promise = Promise("escape_rate", 0.02, 0.95)
    two.service.watch(Standing("surface", Watched(Suspension("focus", 12.0, 9.0, 210, 216), 216, {})))
    page = open_page(two.url)
    page.locator("#model-choice").select_option("surface")
    page.locator("#suspended", has_text="focus fell from 12 to 9").wait_for()
    page.locator("#model-choice").select_option("shape")  # which promises nothing
    page.locator("#model", has_text="shape").wait_for()
    page.locator("#suspended").wait_for(state="hidden")


def numbers(page: Any, inspected: str, rejected: str) -> None:
    page.locator("#inspected", has_text=inspected).wait_for()
    page.locator("#rejected", has_text=rejected).wait_for()


def test_the_report_is_of_one_model(two: Running, open_page: Open, axe: str) -> None:
    for name in ("surface", "shape", "shape"):
        two.detect(WEAK, model=name)
    page = open_page(two.url, "report?model=shape")
    page.locator("#sheet").wait_for()
    assert page.locator("#inspected").inner_text() == "2" and page.locator("#rejected").inner_text() == "0"
    page.locator("#model-choice").select_option("surface")
    page.locator("#rejected", has_text="1").wait_for()
    assert axe_findings(page, axe) == []


def test_with_one_model_there_is_nothing_to_choose(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    page.locator("#model", has_text="colors").wait_for()
    assert page.locator(".several:visible").count() == 0


def test_boxes_are_drawn_in_the_classes_of_the_model_that_decided(two: Running, open_page: Open) -> None:
    ids = {name: two.detect(WEAK, model=name).json()["results"][0]["id"] for name in ("surface", "shape")}

    def other_classes(route: Any) -> None:
        route.fulfill(json=route.fetch().json() | {"classes": ["dent", "hole"]})

    page = open_page(two.url)
    page.route("**/api/model?model=shape", other_classes)
    for name, classes in (("shape", ["dent", "hole"]), ("surface", ["red", "green", "=blue+"])):
        page.goto(f"{two.url}/#{ids[name]}")
        page.get_by_text("Correct this verdict").click()
        page.locator("#draw-class option", has_text=classes[0]).wait_for(state="attached")
        assert page.locator("#draw-class option").all_text_contents() == classes
        page.get_by_text("Correct this verdict").click()
