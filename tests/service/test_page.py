"""The page in a real browser: what a person sees and does."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import BAD, BROKEN, GOOD, drop, set_slider, verdict
from colors import paint
from page_browser import Open, until
from PIL import Image as Pil
from test_store import NOON, inspection

from lightdet.service.inspection import Origin


def past(page: Any) -> list[str]:
    texts: list[str] = page.locator("#past .label").all_inner_texts()
    return texts


@pytest.mark.smoke
def test_drop_a_picture_see_boxes_and_decision(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    page.locator("#past-empty").wait_for()
    drop(page, ("part 1.png", BAD, "image/png"))
    assert verdict(page, "NG") == "2 defects: red, green"
    assert page.locator("#verdict").get_attribute("class").split() == ["verdict", "ng"]
    assert page.locator("#findings li").all_inner_texts() == ["red\n0.78", "green\n0.47"]
    assert sorted(page.locator("#boxes text").all_text_contents()) == ["green 0.47", "red 0.78"]
    assert "part 1.png" in page.locator("#caption").inner_text()

    # The boxes lie over the picture where the patches are.
    picture = page.locator("#picture").bounding_box()
    scale = picture["width"] / 256
    assert abs(picture["height"] / 192 - scale) < 0.02
    box = page.locator("#boxes .counted >> nth=-1 >> .box-line").bounding_box()
    for value, wanted in (
        (box["x"] - picture["x"], 10 * scale), (box["y"] - picture["y"], 20 * scale), (box["width"], 40 * scale),
    ):  # fmt: skip
        assert abs(value - wanted) < 4
    page.locator("#past li").wait_for()
    assert past(page) == ["part 1.png"]


def test_a_good_part_is_ok_in_large(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    drop(page, ("good.png", GOOD, "image/png"))
    assert verdict(page, "OK") == "no defects"
    assert page.locator("#boxes rect").count() == 0
    assert page.locator("#verdict strong").evaluate("e => parseFloat(getComputedStyle(e).fontSize)") > 40
    assert page.locator("#verdict").get_attribute("aria-live") == "assertive"


def test_another_threshold_is_a_view_of_its_own(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    drop(page, ("a.png", BAD, "image/png"))
    verdict(page, "NG")
    assert page.locator("#threshold-value").inner_text() == "0.25"
    assert not page.locator("#trial").is_visible() and not page.locator("#threshold-reset").is_visible()
    for value, names, told in (
        (0.5, ["red"], "At 0.50: 1 finding would count."),
        (0.9, [], "At 0.90: nothing would count."),
        (0.12, ["red", "green", "=blue+"], "At 0.12: 3 findings would count."),
    ):
        set_slider(page, value)
        # The verdict stays the service's; the view says what it is, in a frame that no verdict has.
        assert verdict(page, "NG") == "2 defects: red, green"
        assert page.locator("#verdict").get_attribute("class").split() == ["verdict", "ng"]
        assert page.locator("#trial-text").inner_text() == f"{told} This is no verdict, and it is not recorded."
        assert page.locator("#drop").evaluate("e => parseFloat(getComputedStyle(e).borderTopWidth)") >= 10
        assert page.locator("#boxes .counted").count() == len(names)
        assert page.locator("#findings .name").all_inner_texts() == names
        assert not page.locator("#save").is_visible()
    page.locator("#trial-end").click()
    assert not page.locator("#trial").is_visible() and page.locator("#save").is_visible()
    assert page.locator("#boxes .counted").count() == 2
    assert page.locator("#threshold-value").inner_text() == "0.25"
    assert len(served.client.get("/api/inspections").json()["results"]) == 1


@pytest.mark.parametrize("value", [0.12, 0.9])
def test_what_is_inspected_is_decided_by_the_service_alone(shared: Any, open_page: Open, value: float) -> None:
    page = open_page(shared.url)
    page.locator("#model", has_text="colors").wait_for()
    set_slider(page, value)
    drop(page, (f"at {value}.png", BAD, "image/png"))
    assert verdict(page, "NG") == "2 defects: red, green"
    assert not page.locator("#trial").is_visible()  # a new part ends the looking around
    record = shared.client.get("/api/inspections", params={"limit": 1}).json()["results"][0]
    assert (record["name"], record["decision"]) == (f"at {value}.png", "NG")
    assert (record["rule"]["threshold"], record["overridden"]) == (0.25, False)


def test_a_callers_own_threshold_is_told(start: Any, open_page: Open) -> None:
    served = start(allow_override=True)
    served.detect(BAD, threshold=0.9, name="by 0.9")
    page = open_page(served.url)
    page.locator("#past button", has_text=re.compile("by 0.9")).first.click()
    assert "decided by the caller's own threshold" in verdict(page, "OK")
    assert page.locator("#verdict").get_attribute("class").split() == ["verdict", "own"]  # neither green nor red
    assert page.locator("#past .by").inner_text() == "threshold 0.9"
    assert page.locator("#overridden").inner_text().startswith("Not counted: 1 inspection by")
    assert page.locator("#inspected").inner_text() == "0"


def test_what_does_not_count_can_be_shown(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    drop(page, ("a.png", BAD, "image/png"))
    verdict(page, "NG")
    assert page.locator("#boxes g").count() == 2
    page.get_by_label("show what does not count, too").check()
    assert page.locator("#boxes g").count() == 3 and page.locator("#boxes .weak").count() == 1
    assert page.locator("#findings li").count() == 3


def test_many_pictures_and_the_history(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    files = [(f"part {i}.png", BAD if i % 2 else GOOD, "image/png") for i in range(5)]
    drop(page, *files)
    page.locator("#past li >> nth=4").wait_for()
    assert past(page) == [f"part {i}.png" for i in (4, 3, 2, 1, 0)]
    loaded = "e => new Promise(r => { const t = setInterval(() => { if (e.naturalWidth) { clearInterval(t); r(e.naturalWidth); } }, 20); })"  # noqa: E501
    assert page.locator("#past .thumb").first.evaluate(loaded) == 240

    page.locator("#past button", has_text=re.compile("part 3")).first.click()
    assert verdict(page, "NG").startswith("2 defects")
    assert page.locator("#past button[aria-current=true] .label").inner_text() == "part 3.png"
    page.keyboard.press("ArrowRight")  # an older one
    verdict(page, "OK")
    assert page.locator("#past button[aria-current=true] .label").inner_text() == "part 2.png"
    page.keyboard.press("ArrowLeft")
    verdict(page, "NG")

    page.get_by_label("Show", exact=True).select_option("NG")
    page.locator("#past li >> nth=1").wait_for()
    until(page, "document.querySelectorAll('#past li').length === 2")
    assert past(page) == ["part 3.png", "part 1.png"]
    page.get_by_label("Name").fill("part 1")
    until(page, "document.querySelectorAll('#past li').length === 1")
    assert past(page) == ["part 1.png"]


def test_older_pages_and_pictures_of_others(served: Any, open_page: Open) -> None:
    for number in range(30):
        served.detect(BAD if number % 3 else GOOD, name=f"line {number}")
    page = open_page(served.url)
    page.locator("#past li >> nth=23").wait_for()
    page.get_by_role("button", name="Show older ones").click()
    page.locator("#past li >> nth=29").wait_for()
    assert past(page)[-1] == "line 0" and not page.locator("#more").is_visible()
    page.locator("#past button", has_text=re.compile("line 29")).first.click()
    verdict(page, "NG")
    assert "only a small copy is kept" in page.locator("#caption").inner_text()


def test_statistics(served: Any, open_page: Open) -> None:
    hour = 3_600_000
    entries = [inspection(NOON + i * hour // 60, *(["red"] if i % 20 == 0 else [])) for i in range(600)]
    entries += [inspection(NOON + 10 * hour + i * hour // 60, "red", "green") for i in range(60)]
    served.service.store.insert(entries)
    page = open_page(served.url)
    page.get_by_label("Time", exact=True).select_option("all")
    page.locator("#inspected", has_text="660").wait_for()
    assert page.locator("#rejected").inner_text() == "90"
    assert page.locator("#share").inner_text() == "13.6 %"
    assert page.locator("#control").inner_text() == "outside limits"
    assert page.locator("#pchart .signal").count() >= 1 and page.locator("#pchart .dot").count() >= 9
    assert page.locator("#classes .value").all_text_contents() == ["90", "60", "0"]
    page.get_by_text("As a table").click()
    rows = page.locator("#ptable tbody tr")
    assert rows.count() == page.locator("#pchart .signal, #pchart .dot").count()
    assert "outside" in rows.last.inner_text()


def test_the_chart_shows_what_the_interface_says(served: Any, open_page: Open) -> None:
    """Nine hours below the centre between busier ones, one hour far outside, and one that has only begun."""
    hour, now = 3_600_000, time.time_ns() // 1_000_000
    begin = now - now % hour - 30 * hour
    entries = []
    for which in range(31):
        bad = 30 if which == 5 else 7 if 12 <= which < 21 else 12
        parts = 100 if which < 30 else 3
        entries += [inspection(begin + which * hour + i, *(["red"] if i < bad else [])) for i in range(parts)]
    served.service.store.insert(entries)
    page = open_page(served.url, timezone_id="UTC")
    page.get_by_label("Time", exact=True).select_option("all")
    page.locator("#chart-note", has_text="leaves out 1 sample outside").wait_for()  # the note of a day lacks it
    assert "3 of 3 NG so far" in page.locator("#chart-note").inner_text()
    assert page.locator("#pchart .signal").count() == 1
    page.get_by_label("Nelson’s rules").check()
    page.locator("#pchart .signal.pattern").first.wait_for()
    chart = served.client.get("/api/statistics", params={"nelson": True}).json()["chart"]
    assert chart["unfinished"]["inspected"] == 3 and len(chart["points"]) == 30 and chart["left_out"] == 1
    page.get_by_text("As a table").click()
    rows = page.locator("#ptable tbody tr").evaluate_all("all => all.map(e => [...e.children].map(c => c.innerText))")
    for row, point in zip(rows, chart["points"], strict=True):
        assert row[1:3] == [str(point["inspected"]), str(point["rejected"])]
        assert [float(each.rstrip(" %")) / 100 for each in row[3:6]] == pytest.approx(
            [point["share"], point["lower"], point["upper"]], abs=6e-4
        )
        assert len([each for each in row[6].split("; ") if each]) == len(point["rules"])
    patterns = sum(bool(point["rules"]) and 1 not in point["rules"] for point in chart["points"])
    assert page.locator("#pchart .signal.pattern").count() == patterns > 0


def test_csv_is_saved(served: Any, open_page: Open) -> None:
    served.detect(BAD, name="part 7")
    page = open_page(served.url)
    page.locator("#past li").wait_for()
    for button, columns in (
        ("CSV of parts", '"id","time","name","decision"'),
        ("CSV of findings", '"id","time","name","decision","class"'),
    ):
        with page.expect_download() as saved:
            page.get_by_role("button", name=button).click()
        assert saved.value.suggested_filename.endswith(".csv")
        text = Path(saved.value.path()).read_text(encoding="utf-8-sig")
        assert text.startswith(columns) and "part 7" in text


def test_a_file_of_several_pictures(served: Any, open_page: Open) -> None:
    def stack(*pictures: bytes) -> bytes:
        first, *others = (Pil.open(io.BytesIO(each)) for each in pictures)
        stream = io.BytesIO()
        first.save(stream, "TIFF", save_all=True, append_images=others)
        return stream.getvalue()

    page = open_page(served.url)
    drop(page, ("stack.tif", stack(GOOD, BAD, GOOD, BAD), "image/tiff"))
    assert verdict(page, "NG") == "of 4 pictures: 2 NG"
    assert "stack.tif#2" in page.locator("#caption").inner_text()
    assert page.locator("#alert").is_hidden()  # it is no fault
    drop(page, ("good.tif", stack(GOOD, GOOD), "image/tiff"))
    assert verdict(page, "OK") == "all 2 pictures"
    drop(page, ("one.png", BAD, "image/png"))
    assert verdict(page, "NG") == "2 defects: red, green"
    assert not page.locator("#batch").is_visible()


WORST = [
    ([GOOD, BAD, GOOD], "NG", "of 3 pictures: 1 NG", ["✕ NG", "✓ OK", "✓ OK"]),
    ([BAD, GOOD, BROKEN], "NG", "of 3 pictures: 1 NG, 1 not inspected", ["✕ NG", "not inspected", "✓ OK"]),
    ([BROKEN, GOOD], "Not inspected", "of 2 pictures: 1 not inspected", ["not inspected", "✓ OK"]),
    ([GOOD, b""], "Not inspected", "of 2 pictures: 1 not inspected", ["not inspected", "✓ OK"]),
    ([GOOD, GOOD], "OK", "all 2 pictures", ["✓ OK", "✓ OK"]),
]


@pytest.mark.parametrize(("pictures", "word", "why", "tags"), WORST)
def test_the_verdict_of_several_is_the_worst_and_each_is_listed(
    shared: Any, open_page: Open, pictures: list[bytes], word: str, why: str, tags: list[str]
) -> None:
    page = open_page(shared.url)
    drop(page, *((f"part {i}.png", data, "image/png") for i, data in enumerate(pictures)))
    page.locator("#verdict-why", has_text=re.compile(f"^{why}$")).wait_for()
    assert verdict(page, word) == why
    assert page.locator("#batch .tag").all_inner_texts() == tags
    assert sorted(page.locator("#batch .name").all_inner_texts()) == [f"part {i}.png" for i in range(len(pictures))]
    # Looking at a good one does not make the whole of them good.
    page.locator("#batch button", has_text="OK").first.click()
    page.locator("#caption", has_text="OK, no defects").wait_for()
    assert verdict(page, word) == why


@pytest.mark.smoke
def test_before_the_last_is_done_nothing_is_ok(start: Any, open_page: Open) -> None:
    served = start(delay=0.7)
    page = open_page(served.url)
    drop(page, ("first.png", GOOD, "image/png"))
    verdict(page, "OK")
    drop(page, *((f"{i}.png", GOOD, "image/png") for i in range(3)))
    verdict(page, "Inspecting")
    words = set()
    while True:
        word = page.locator("#verdict-word").inner_text()
        if page.locator("#batch li").count() == 3:  # counted after the word was read: it may be of all three
            break
        words.add(word)
        page.wait_for_timeout(20)
    assert words == {"Inspecting"}
    assert verdict(page, "OK") == "all 3 pictures"


GREY = """e => { const [r, g, b] = getComputedStyle(e).backgroundColor.match(/\\d+/g).map(Number);
return Math.max(r, g, b) - Math.min(r, g, b) < 12; }"""


@pytest.mark.parametrize(("fault", "data"), [("gone", GOOD), ("silent", BAD), ("not ready", GOOD)])
def test_without_the_service_the_verdict_is_an_old_one(shared: Any, open_page: Open, fault: str, data: bytes) -> None:
    page = open_page(shared.url)
    drop(page, ("a.png", data, "image/png"))
    word = "OK" if data is GOOD else "NG"
    verdict(page, word)
    answers = {
        "gone": lambda route: route.abort(),
        "silent": lambda route: None,
        "not ready": lambda route: route.fulfill(status=503, json={"ready": False, "database": "up"}),
    }
    page.route("**/ready", answers[fault])
    page.locator("#verdict.stale").wait_for()
    assert re.match(r"\d+ s old: the service ", verdict(page, word))
    assert page.locator("#verdict").evaluate(GREY) and page.locator("#verdict-icon").inner_text() == ""
    assert page.locator("#verdict strong").evaluate("e => parseFloat(getComputedStyle(e).fontSize)") > 40
    age = page.locator("#verdict-why").inner_text()
    until(page, f"document.getElementById('verdict-why').textContent !== {age!r}")  # it grows
    page.unroute("**/ready")
    page.locator(f"#verdict.{word.lower()}").wait_for()
    assert "old" not in verdict(page, word)


def test_without_the_service_nothing_is_ready(shared: Any, open_page: Open) -> None:
    page = open_page(shared.url)
    verdict(page, "Ready")
    page.route("**/ready", lambda route: route.abort())
    assert verdict(page, "No service") == "the service is not reachable"


def test_a_request_that_finds_no_service_greys_at_once(shared: Any, open_page: Open) -> None:
    page = open_page(shared.url)
    drop(page, ("a.png", GOOD, "image/png"))
    verdict(page, "OK")
    page.route("**/*", lambda route: route.abort())
    drop(page, ("b.png", GOOD, "image/png"))
    page.locator("#verdict-word", has_text=re.compile("^(Not inspected|No service)$")).wait_for()
    assert "cannot be reached" in page.locator("#alert").inner_text()


def test_the_marked_picture_is_saved(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    drop(page, ("part 9.png", BAD, "image/png"))
    verdict(page, "NG")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the marked picture").click()
    assert saved.value.suggested_filename == "part 9-marked.png"
    pixels = np.asarray(Pil.open(saved.value.path()).convert("RGB")).astype(int)
    original = np.asarray(Pil.open(io.BytesIO(BAD))).astype(int)
    assert pixels.shape == original.shape
    changed = np.abs(pixels - original).max(axis=2) > 60
    assert changed[20:60, 8:13].any(axis=1).all() and not changed[100:, :].any()


def test_the_camera(served: Any, open_page: Open) -> None:
    page = open_page(served.url, permissions=["camera"])
    page.keyboard.press("c")
    page.locator("#camera-panel").wait_for()
    until(page, "document.getElementById('video').videoWidth > 0")
    assert page.locator("#camera").get_attribute("aria-pressed") == "true"
    page.keyboard.press("Space")
    page.locator("#past li").wait_for()
    record = served.client.get("/api/inspections").json()["results"][0]
    assert record["size"][0] >= 640
    page.locator("#every").select_option("500")  # again and again
    page.locator("#past li >> nth=2").wait_for()
    page.keyboard.press("c")
    assert not page.locator("#camera-panel").is_visible()
    until(page, "!document.getElementById('verdict').classList.contains('busy')")  # the last one is answered
    counts: list[int] = []
    while counts[-2:-1] != counts[-1:]:  # the one on its way arrives late on a busy machine, and no other follows
        assert len(counts) < 9
        page.wait_for_timeout(900)
        counts.append(served.client.get("/api/statistics").json()["inspected"])


def test_a_picture_that_is_refused_is_told_and_the_next_goes_on(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    drop(page, ("notes.txt", b"this is no picture", "text/plain"), ("cut.png", BAD[:80], "image/png"),
         ("good.png", GOOD, "image/png"))  # fmt: skip
    page.locator("#verdict-why", has_text="of 3 pictures: 2 not inspected").wait_for()
    verdict(page, "Not inspected")
    told = page.get_by_role("alert").inner_text()
    assert "notes.txt: not a picture" in told and "cut.png: the picture is" in told
    page.locator("#past li").wait_for()
    assert past(page) == ["good.png"]
    drop(page, ("good.png", GOOD, "image/png"))
    page.locator("#past li >> nth=1").wait_for()
    assert not page.get_by_role("alert").is_visible()


def test_what_was_refused_does_not_stand_under_the_verdict_before(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    drop(page, ("good.png", GOOD, "image/png"))
    verdict(page, "OK")
    drop(page, ("cut.png", BROKEN, "image/png"))
    assert verdict(page, "Not inspected") == ""
    assert page.locator("#caption").inner_text() == "cut.png"
    assert not page.locator("#frame").is_visible() and not page.locator("#save").is_visible()
    assert page.locator("#findings li").count() == 0
    set_slider(page, 0.5)  # nothing of the picture before comes back
    page.set_viewport_size({"width": 700, "height": 900})
    assert verdict(page, "Not inspected") == ""
    page.locator("#past button", has_text=re.compile("good")).first.click()
    verdict(page, "OK")


def test_keys_work_after_the_mouse(served: Any, open_page: Open) -> None:
    page = open_page(served.url, permissions=["camera"])
    page.locator("#past-empty").wait_for()
    page.locator("#threshold").click()  # the slider has the focus
    assert page.locator("#threshold-reset").is_visible()
    moved = page.locator("#threshold").input_value()
    page.keyboard.press("ArrowRight")  # is the slider's own
    assert float(page.locator("#threshold").input_value()) > float(moved)
    page.locator("#threshold-reset").click()
    assert page.locator("#threshold").input_value() == "0.25"
    page.locator("#camera").click()  # its button has the focus
    page.locator("#camera-panel").wait_for()
    until(page, "document.getElementById('video').videoWidth > 0")
    page.keyboard.press("Space")
    page.locator("#past li").wait_for()
    assert page.locator("#camera-panel").is_visible()


def test_a_name_is_never_markup(served: Any, open_page: Open) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    page = open_page(served.url)
    drop(page, (name, BAD, "image/png"))
    verdict(page, "NG")
    page.locator("#past li").wait_for()
    assert past(page) == [name]


def test_a_tiff_is_shown_though_the_browser_cannot(served: Any, open_page: Open) -> None:
    stream = io.BytesIO()
    Pil.open(io.BytesIO(BAD)).save(stream, "TIFF")
    page = open_page(served.url)
    drop(page, ("scan.tif", stream.getvalue(), "image/tiff"))
    verdict(page, "NG")
    until(page, "document.getElementById('picture').naturalWidth === 256")


def test_an_api_key_is_asked_for(start: Any, open_page: Open) -> None:
    served = start(api_key="s3cret")
    page = open_page(served.url)
    page.get_by_label("Key", exact=True).fill("wrong")
    page.get_by_role("button", name="Use it").click()
    until(page, "document.getElementById('key').value === '' && document.getElementById('key-dialog').open")
    page.get_by_label("Key", exact=True).fill("s3cret")
    page.keyboard.press("Enter")
    page.locator("#model", has_text="colors").wait_for()
    drop(page, ("a.png", BAD, "image/png"))
    verdict(page, "NG")
    page.locator("#past li").wait_for()
    until(page, "document.querySelector('#past .thumb').naturalWidth > 0")  # it needs the key, too


def test_a_busy_service_is_asked_again(start: Any, open_page: Open) -> None:
    served = start(delay=2.0, limits={"concurrency": 1, "queue": 0})
    page = open_page(served.url)
    page.locator("#past-empty").wait_for()
    import threading

    other = threading.Thread(target=served.detect, args=(GOOD,))
    other.start()
    page.wait_for_timeout(150)
    drop(page, ("a.png", BAD, "image/png"))
    verdict(page, "NG")
    other.join()
    assert served.metric('lightdet_refused_total{code="busy"}') >= 1


def test_a_database_that_is_away_is_told(start: Any, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightdet.service.records.store import AwayError

    served = start()

    def away(_: Any) -> None:
        raise AwayError("gone")

    monkeypatch.setattr(served.service.store, "insert", away)
    page = open_page(served.url)
    page.locator("#health.good").wait_for()
    drop(page, ("a.png", BAD, "image/png"))
    verdict(page, "NG")
    page.get_by_text("not yet written: the database is away").wait_for()
    page.locator("#health.bad", has_text="records are kept for later").wait_for()
    monkeypatch.undo()


FITS = """(() => { const [a, b] = ['picture', 'drop'].map(id => document.getElementById(id).getBoundingClientRect());
return a.left >= b.left - 1 && a.right <= b.right + 1 && a.height <= b.height + 1 && a.width > 100; })()"""
SIZES = [(1440, 900), (820, 1180), (390, 844)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_at_any_size(shared: Any, open_page: Open, scheme: str) -> None:
    page = open_page(shared.url, color_scheme=scheme)
    drop(page, ("a rather long name of a part " * 6 + ".png", BAD, "image/png"))
    verdict(page, "NG")
    page.locator("#pchart svg").wait_for()
    page.locator("#past li").first.wait_for()
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        until(page, f"document.documentElement.scrollWidth <= {width} && innerWidth === {width}")
        until(page, FITS)
        box = page.locator("#verdict").bounding_box()
        assert box["y"] + box["height"] < height  # without scrolling
    for selector in ("#verdict", "#verdict-why", "#caption", "#choose", "#threshold-note", ".tile span", ".past .tag"):
        assert contrast(page, selector) >= 4.5, selector  # WCAG 2.2, 1.4.3


def contrast(page: Any, selector: str) -> float:
    """WCAG's contrast of an element's text against the ground that it stands on."""
    colors = page.locator(selector).first.evaluate(
        """e => { let ground = e;
        while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
        return [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor]; }"""
    )

    def luminance(color: str) -> float:
        channels = np.array([int(each) for each in re.findall(r"\d+", color)[:3]]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted(map(luminance, colors))
    return (light + 0.05) / (dark + 0.05)


def test_every_control_has_a_name(shared: Any, open_page: Open) -> None:
    shared.detect(BAD)
    page = open_page(shared.url)
    page.locator("#past li").first.wait_for()
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, a, video, img, svg[role=img]')]
        .filter(e => !(e.labels?.length || e.textContent?.trim() || e.ariaLabel || e.hasAttribute('alt')))
        .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert unnamed == []


def test_keys(shared: Any, open_page: Open) -> None:
    page = open_page(shared.url)
    choosers: list[Any] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))  # noqa: PLW0108 - it takes no built-in
    page.locator("#model", has_text="colors").wait_for()
    page.keyboard.press("o")
    while not choosers:
        page.wait_for_timeout(20)
    choosers[0].set_files([{"name": "k.png", "mimeType": "image/png", "buffer": BAD}])
    verdict(page, "NG")
    page.keyboard.press("t")
    assert page.evaluate("document.activeElement.id") == "threshold"
    page.keyboard.press("ArrowRight")
    assert page.locator("#threshold-value").inner_text() == "0.26"
    page.locator("footer summary").click()
    assert page.locator("footer kbd").all_inner_texts() == [
        "O",
        "C",
        "L",
        "Space",
        "T",
        "←",
        "→",
        "+",
        "−",
        "0",
        "Shift",
    ]


def test_the_api_for_people(shared: Any, open_page: Open) -> None:
    page = open_page(shared.url, "docs")
    page.get_by_role("heading", name="/api/detect").wait_for()
    for path in ("/api/mark", "/api/inspections.csv", "/metrics", "/ready"):
        assert page.get_by_role("heading", name=path).count() >= 1
    assert f"{shared.url}/api/detect" in page.locator("#example").inner_text()


# --- what can be read -------------------------------------------------------------------------------------

CORNERS = [(0, 0), (236, 0), (0, 172), (236, 172)]
CROWDS = {
    "side by side": [
        (i % 3, 90 + i * 8, 20 + i % 4 * 30, 30 + i // 4 * 22, 44 + i % 4 * 30, 46 + i // 4 * 22) for i in range(20)
    ],
    "at the edges": [(i % 3, 200 - i, x, y, x + 20, y + 20) for i, (x, y) in enumerate(CORNERS)],
    "in a row": [(i % 3, 250 - 5 * i, 2 + i * 12, 90, 12 + i * 12, 100) for i in range(21)],
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_no_name_lies_over_another(shared: Any, open_page: Open, crowd: str) -> None:
    page = open_page(shared.url)
    drop(page, ("crowd.png", paint(*CROWDS[crowd]), "image/png"))
    verdict(page, "NG")
    page.locator("#boxes text").first.wait_for()
    assert_names_apart(page, len(CROWDS[crowd]))
    page.set_viewport_size({"width": 500, "height": 900})  # fewer find a place, and still none collide
    until(page, "document.querySelector('#frame').clientWidth < 500")
    assert_names_apart(page, 4)


def assert_names_apart(page: Any, least: int) -> None:
    places = page.locator("#boxes text").evaluate_all(
        "all => all.map(e => e.getBBox()).map(b => [b.x, b.y, b.x + b.width, b.y + b.height])"
    )
    assert len(places) >= least
    collisions = [
        (a, b)
        for i, a in enumerate(places)
        for b in places[:i]
        if a[0] < b[2] and b[0] < a[2] and a[1] + 0.3 * (a[3] - a[1]) < b[3] and b[1] + 0.3 * (b[3] - b[1]) < a[3]
    ]
    assert collisions == []
    assert all(x1 >= -1 and y1 >= -1 and x2 <= 257 and y2 <= 193 for x1, y1, x2, y2 in places)


def test_a_list_that_is_cut_off_says_so(shared: Any, open_page: Open) -> None:
    page = open_page(shared.url)
    drop(page, ("crowd.png", paint(*CROWDS["side by side"]), "image/png"))
    page.locator("#findings-title", has_text="Findings (20)").wait_for()
    below = re.compile(r"↓ (\d+) more below")
    page.locator("#findings-note", has_text=below).wait_for()
    found = below.search(page.locator("#findings-note").inner_text())
    assert found is not None and 0 < int(found[1]) < 20
    page.locator("#findings").focus()  # by the keyboard alone
    page.keyboard.press("End")
    page.locator("#findings-note", has_text=re.compile("^$")).wait_for()
    drop(page, ("one.png", BAD, "image/png"))
    page.locator("#findings-title", has_text="Findings (2)").wait_for()
    assert page.locator("#findings-note").inner_text() == ""


def test_an_empty_search_is_not_an_empty_history(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    page.locator("#past-empty", has_text="Nothing yet.").wait_for()
    served.detect(GOOD, name="part")
    page.get_by_label("Name").fill("no such part")
    page.locator("#past-empty", has_text="No inspection matches this search.").wait_for()
    page.get_by_label("Name").fill("")
    page.locator("#past li").wait_for()
    page.get_by_label("Show", exact=True).select_option("NG")
    page.locator("#past-empty", has_text="No inspection matches this search.").wait_for()


@pytest.mark.parametrize(
    ("locale", "zone", "named"), [("en-US", "America/New_York", "EST"), ("de-DE", "Asia/Tokyo", "GMT+9")]
)
def test_times_have_24_hours_and_a_zone(served: Any, open_page: Open, locale: str, zone: str, named: str) -> None:
    served.service.store.insert([inspection(NOON + i * 3_600_000, "red") for i in range(24)])
    page = open_page(served.url, locale=locale, timezone_id=zone)
    page.get_by_label("Time", exact=True).select_option("all")
    page.locator("#pchart .dot").first.wait_for()
    page.get_by_text("As a table").click()
    page.locator("#past button").first.click()
    page.locator("#verdict-why", has_text="defect").wait_for()
    rows = page.locator("#ptable tbody td:first-child").all_inner_texts()
    titles = page.locator("#past button").evaluate_all("all => all.map(e => e.title)")
    for text in (*rows, *titles, page.locator("#caption").inner_text(), page.locator("#verdict-why").inner_text()):
        assert re.search(rf"\b\d\d:\d\d:\d\d {re.escape(named)}", text), text
    everything = page.locator("body").inner_text() + " ".join(titles)
    assert not re.search(r"\d\s?[AaPp]\.?[Mm]\b", everything)
    assert set(page.locator(".zone").all_inner_texts()) == {named}


def test_an_inspection_has_an_address(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    drop(page, ("a.png", BAD, "image/png"))
    verdict(page, "NG")
    address = page.locator("#facts a").evaluate("e => e.href")
    identity = served.client.get("/api/inspections").json()["results"][0]["id"]
    assert address == f"{served.url}/#{identity}" and page.url == f"{served.url}/"
    served.detect(GOOD, name="b")
    other = open_page(served.url, f"#{identity}")  # another person's browser
    assert verdict(other, "NG").startswith("2 defects: red, green")
    assert "a.png" in other.locator("#caption").inner_text()
    other.locator("#past button", has_text="b").first.click()
    verdict(other, "OK")
    other.go_back()
    verdict(other, "NG")
    drop(other, ("c.png", GOOD, "image/png"))  # what is inspected now leaves the old address
    verdict(other, "OK")
    assert other.url == f"{served.url}/"
    nowhere = open_page(served.url, f"#{'0' * 32}")
    nowhere.locator("#alert", has_text="there is no inspection of this id").wait_for()
    verdict(nowhere, "Ready")


def test_the_history_is_filtered(served: Any, open_page: Open) -> None:
    day = 86_400_000
    places = {"station": "line 1", "order": "A-17"}
    served.service.store.insert(
        [
            inspection(NOON, "red", name="a", origin=Origin(**places)),
            inspection(NOON + 1, "green", name="b", origin=Origin(station="line 2")),
            inspection(NOON + day, "red", "green", name="c"),
            inspection(NOON + 2 * day, name="d"),
        ]
    )
    page = open_page(served.url, timezone_id="Asia/Tokyo")  # noon in UTC is 21:00 of the same day there
    page.locator("#past li >> nth=3").wait_for()
    page.get_by_text("More filters").click()

    def shows(*names: str) -> None:
        until(
            page, f"[...document.querySelectorAll('#past .label')].map(e => e.innerText).join() === '{','.join(names)}'"
        )

    page.get_by_label("Class", exact=True).select_option("green")
    shows("c", "b")
    page.get_by_label("Station").fill("line 2")
    shows("b")
    page.get_by_role("button", name="All again").click()
    shows("d", "c", "b", "a")
    page.get_by_label("From", exact=True).fill("2026-01-02")
    shows("d", "c")
    page.locator("#filter-to").fill("2026-01-02")
    shows("c")
    page.get_by_role("button", name="All again").click()
    page.get_by_label("Order").fill("A-17")
    shows("a")
    page.locator("#past button").click()
    page.locator("#facts", has_text="line 1").wait_for()
    page.get_by_role("searchbox", name="Model").fill("no such model")
    page.locator("#past-empty", has_text="No inspection matches this search.").wait_for()
