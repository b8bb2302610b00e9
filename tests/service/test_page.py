"""The page in a real browser: what a person sees and does."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colors import paint
from PIL import Image as Pil
from test_store import NOON, inspection

playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")

RED, GREEN, WEAK_BLUE = (0, 200, 10, 20, 50, 60), (1, 120, 100, 30, 180, 50), (2, 40, 120, 100, 160, 180)
BAD, GOOD = paint(RED, GREEN, WEAK_BLUE), paint()


def chromium() -> str | None:
    """Debian's Chromium, or what ``CHROMIUM`` names."""
    names = [os.environ.get("CHROMIUM"), "/usr/bin/chromium", shutil.which("chromium-browser"), shutil.which("chrome")]
    return next((name for name in names if name and Path(name).is_file()), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = chromium()
    if path is None:
        pytest.skip("no Chromium here: apt install chromium, or name one in CHROMIUM")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
        )
        yield opened
        opened.close()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Open the page; at the end nothing may have been loaded from elsewhere, and no script may have failed."""
    contexts: list[Any] = []
    failures: list[str] = []

    def listen(message: Any) -> None:
        # Refused requests are logged by the browser, too; the page tells of them itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            failures.append(message.text)

    def begin(url: str, path: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"} | options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("request", lambda request: None if _own(request.url, url) else failures.append(request.url))
        page.goto(f"{url}/{path}")
        return page

    yield begin
    for context in contexts:
        context.close()
    assert failures == []


def _own(address: str, url: str) -> bool:
    return address.startswith((f"{url}/", "blob:", "data:"))


def drop(page: Any, *files: tuple[str, bytes, str]) -> None:
    """Drop files on the page as from a folder."""
    given = [[name, base64.b64encode(data).decode(), kind] for name, data, kind in files]
    transfer = page.evaluate_handle(
        """files => { const transfer = new DataTransfer();
        for (const [name, data, type] of files) {
          const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
          transfer.items.add(new File([bytes], name, { type })); }
        return transfer; }""",
        given,
    )
    for kind in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#drop", kind, {"dataTransfer": transfer})


def until(page: Any, condition: str) -> None:
    """Wait for a JavaScript condition (Playwright's own waiting needs eval, which the page's policy forbids)."""
    deadline = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(30)


def verdict(page: Any, word: str) -> str:
    page.locator("#verdict-word", has_text=re.compile(f"^{word}$")).wait_for()
    why: str = page.locator("#verdict-why").inner_text()
    return why


def set_slider(page: Any, value: float) -> None:
    page.locator("#threshold").fill(str(value))


def past(page: Any) -> list[str]:
    texts: list[str] = page.locator("#past .label").all_inner_texts()
    return texts


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


def test_the_slider_decides_anew(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    drop(page, ("a.png", BAD, "image/png"))
    verdict(page, "NG")
    assert page.locator("#threshold-value").inner_text() == "0.25"
    assert not page.locator("#threshold-reset").is_visible()
    set_slider(page, 0.5)
    assert verdict(page, "NG") == "1 defect: red"
    set_slider(page, 0.9)
    assert verdict(page, "OK") == "no defects at this threshold; recorded as NG"
    set_slider(page, 0.12)
    assert verdict(page, "NG").startswith("3 defects: red, green, =blue+")
    assert page.locator("#boxes .counted").count() == 3

    set_slider(page, 0.9)
    drop(page, ("b.png", BAD, "image/png"))  # what comes now is decided and recorded so
    page.locator("#past li >> nth=1").wait_for()
    verdict(page, "OK")
    records = served.client.get("/api/inspections").json()["results"]
    assert [(r["name"], r["decision"], r["rule"]["threshold"]) for r in records] == [
        ("b.png", "OK", 0.9), ("a.png", "NG", 0.25),
    ]  # fmt: skip
    page.locator("#threshold-reset").click()
    assert verdict(page, "OK") == "no defects; decided at threshold 0.9"  # as it was recorded
    set_slider(page, 0.25)
    assert verdict(page, "NG").endswith("at this threshold; recorded as OK")
    page.locator("#threshold-reset").click()
    assert page.locator("#threshold-value").inner_text() == "0.25"


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

    page.get_by_role("button", name=re.compile("part 3")).click()
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
    page.get_by_role("button", name=re.compile("line 29")).click()
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


def test_csv_is_saved(served: Any, open_page: Open) -> None:
    served.detect(BAD, name="part 7")
    page = open_page(served.url)
    page.locator("#past li").wait_for()
    for button, columns in (
        ("CSV of parts", "id,time,name,decision"),
        ("CSV of findings", "id,time,name,decision,class"),
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
    assert verdict(page, "NG") == "2 defects: red, green · 2 of the 4 pictures in this file NG"
    assert "stack.tif#2" in page.locator("#caption").inner_text()
    assert page.locator("#alert").is_hidden()  # it is no fault
    drop(page, ("broken.tif", stack(GOOD)[:-90], "image/tiff"), ("good.tif", stack(GOOD, GOOD), "image/tiff"))
    assert verdict(page, "OK") == "no defects · all 2 pictures in this file OK"
    assert "broken.tif" in page.locator("#alert").inner_text()  # what was refused is still told
    drop(page, ("one.png", BAD, "image/png"))
    assert verdict(page, "NG") == "2 defects: red, green"


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
    page.wait_for_timeout(300)
    seen = served.client.get("/api/statistics").json()["inspected"]
    page.wait_for_timeout(900)
    assert served.client.get("/api/statistics").json()["inspected"] == seen


def test_a_picture_that_is_refused_is_told_and_the_next_goes_on(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    drop(page, ("notes.txt", b"this is no picture", "text/plain"), ("cut.png", BAD[:80], "image/png"),
         ("good.png", GOOD, "image/png"))  # fmt: skip
    verdict(page, "OK")
    told = page.get_by_role("alert").inner_text()
    assert "notes.txt: not a picture" in told and "cut.png: the picture is" in told
    page.locator("#past li").wait_for()
    assert past(page) == ["good.png"]
    drop(page, ("good.png", GOOD, "image/png"))
    page.locator("#past li >> nth=1").wait_for()
    assert not page.get_by_role("alert").is_visible()


def test_what_was_refused_does_not_stand_under_the_verdict_before(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    drop(page, ("good.png", GOOD, "image/png"), ("cut.png", BAD[:80], "image/png"))
    assert verdict(page, "Not inspected") == ""
    assert page.locator("#caption").inner_text() == "cut.png"
    assert not page.locator("#frame").is_visible() and not page.locator("#save").is_visible()
    assert page.locator("#findings li").count() == 0
    set_slider(page, 0.5)  # nothing of the picture before comes back
    page.set_viewport_size({"width": 700, "height": 900})
    assert verdict(page, "Not inspected") == ""
    page.get_by_role("button", name=re.compile("good")).click()
    verdict(page, "OK")


def test_keys_work_after_the_mouse(served: Any, open_page: Open) -> None:
    page = open_page(served.url, permissions=["camera"])
    page.locator("#past-empty").wait_for()
    page.locator("#threshold").click()  # the slider has the focus
    assert page.locator("#threshold-reset").is_visible()
    moved = page.locator("#threshold").input_value()
    page.keyboard.press("ArrowRight")  # is the slider's own
    assert float(page.locator("#threshold").input_value()) > float(moved)
    page.keyboard.press("r")
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
        .filter(e => !(e.labels?.length || e.innerText?.trim() || e.ariaLabel || e.hasAttribute('alt')))
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
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("r")
    assert page.locator("#threshold-value").inner_text() == "0.25"


def test_the_api_for_people(shared: Any, open_page: Open) -> None:
    page = open_page(shared.url, "docs")
    page.get_by_role("heading", name="/api/detect").wait_for()
    for path in ("/api/mark", "/api/inspections.csv", "/metrics", "/ready"):
        assert page.get_by_role("heading", name=path).count() >= 1
    assert f"{shared.url}/api/detect" in page.locator("#example").inner_text()
