"""The labelling page in a real browser: mouse, fingers, keyboard, two windows, a server that dies."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from label_command import command
from label_folders import SIZE, bare_folder, labelled_folder, picture
from label_page import Page, near, rows
from page_browser import Open, axe_findings, becomes, until

Start = Callable[..., Any]


def test_draw_one_box_after_the_other_and_give_classes(label: Page, folder: Path) -> None:
    label.drag((20, 20), (60, 50))
    label.saved()
    assert near(rows(folder, "0"), [(0, [20, 20, 60, 50])])
    label.press("2")  # the selected box, and those that follow
    label.drag((100, 60), (150, 120))  # one drag, although a box is selected
    label.page.locator("#boxes li >> nth=1").wait_for()
    label.page.wait_for_timeout(50)
    label.press("Escape")
    label.drag((110, 70), (140, 100))  # within another box
    label.page.locator("#boxes li >> nth=2").wait_for()
    label.saved()
    assert near(rows(folder, "0"), [(1, [20, 20, 60, 50]), (1, [100, 60, 150, 120]), (1, [110, 70, 140, 100])])
    label.click(30, 30)
    label.page.locator("#classes button", has_text="scratch").click()
    until(label.page, "document.querySelector('#boxes .what').textContent === 'scratch'")
    label.saved()
    assert [label_ for label_, _ in rows(folder, "0")] == [0, 1, 1]
    assert label.page.locator("#progress-text").inner_text() == "1 of 4"
    assert label.page.locator("#classes .more").all_inner_texts() == ["1", "2"]


@pytest.mark.slow
def test_twenty_pictures_take_less_than_five_minutes(start: Start, open_page: Open, tmp_path: Path) -> None:
    """By the keystroke-level model (Card, Moran & Newell 1983): what a person does, and what the page takes for it."""
    think, point, button, key = 1.35, 1.1, 0.1, 0.28  # seconds
    folder = bare_folder(tmp_path / "twenty", 20)
    label = Page(open_page(start(folder, form="yolo", classes=("scratch", "dent")).url))
    spent, began = 0.0, time.perf_counter()
    for number in range(20):
        until(label.page, f"decodeURIComponent(location.hash) === '#{number}.png'")
        label.page.locator("#boxes li").first.wait_for(state="detached")
        spent += think  # is there a defect?
        for count, (box, class_key) in enumerate((((20, 20, 60, 50), "2"), ((100, 60, 150, 120), "1")), 1):
            label.drag(box[:2], box[2:])
            label.page.locator(f"#boxes li >> nth={count - 1}").wait_for()
            label.press(class_key)
            spent += think + 2 * (point + button) + key
        label.saved()
        label.press("Enter")
        spent += key
    label.page.locator("#progress-text", has_text="20 of 20").wait_for()
    waited = time.perf_counter() - began
    print(f"a person: {spent:.0f} s; the page: {waited:.0f} s")
    assert all([row[0] for row in rows(folder, str(number))] == [1, 0] for number in range(20))
    assert spent + waited < 300


def test_move_resize_and_delete(label: Page, folder: Path) -> None:
    label.drag((20, 20), (60, 50))
    label.drag((40, 35), (60, 45))  # within the selected box: moves it by 20, 10
    label.saved()
    until(label.page, "document.querySelectorAll('#boxes li').length === 1")
    becomes(label.page, lambda: near(rows(folder, "0"), [(0, [40, 30, 80, 60])]), True)
    label.drag((80, 60), (120, 100))  # its corner
    becomes(label.page, lambda: near(rows(folder, "0"), [(0, [40, 30, 120, 100])]), True)
    label.drag((100, 90), (240, 172))  # out of the picture: it stays within
    becomes(label.page, lambda: [box[2:] for _, box in rows(folder, "0")], [list(SIZE)])
    label.press("Delete")
    label.page.locator("#boxes-note", has_text="None yet").wait_for()
    label.saved()
    becomes(label.page, (folder / "0.txt").exists, False)  # nobody said that there are no defects


def test_small_boxes_quick_ones_and_those_over_the_border(label: Page, folder: Path) -> None:
    label.drag((150, 130), (240, 172))  # it ends beside the picture
    label.saved()
    label.drag((50, 50), (56, 53))
    label.drag((100, 50), (100, 90))  # no box: it has no width
    label.page.locator("#boxes li >> nth=1").wait_for()
    label.page.wait_for_timeout(300)  # what may not come
    becomes(label.page, lambda: near(rows(folder, "0"), [(0, [150, 130, 200, 160]), (0, [50, 50, 56, 53])]), True)


@pytest.mark.smoke
def test_label_correct_undo_reload_undo(label: Page, folder: Path) -> None:
    label.drag((20, 20), (60, 50))
    label.drag((100, 60), (150, 120))
    label.page.locator("#boxes li >> nth=1").wait_for()
    label.saved()
    label.press("2")
    label.page.wait_for_timeout(300)
    before = rows(folder, "0")
    label.press("Control+z")
    label.saved("Undone")
    assert [number for number, _ in rows(folder, "0")] == [0, 0]
    label.page.reload()
    label.page.locator("#boxes li >> nth=1").wait_for()
    label.press("u")
    until(label.page, "document.querySelectorAll('#boxes li').length === 1")
    label.press("u")
    label.page.locator("#boxes-note", has_text="None yet").wait_for()
    assert label.page.locator("#undo").is_disabled() and not (folder / "0.txt").exists()
    for count in (1, 2):
        label.press("r")
        until(label.page, f"document.querySelectorAll('#boxes li').length === {count}")
    label.press("Control+Shift+z")
    until(label.page, "document.querySelectorAll('#boxes .what')[1].textContent === 'dent'")
    assert rows(folder, "0") == before


def test_everything_by_keyboard(label: Page, folder: Path) -> None:
    label.press("b", "2")
    label.saved()
    label.page.wait_for_timeout(300)
    (_, start), = rows(folder, "0")  # fmt: skip
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Control+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowDown"):
        label.press(key)
    label.page.wait_for_timeout(600)
    label.saved()
    moved = [start[0] - 8, start[1] + 1, start[2] - 7, start[3] + 2]
    assert rows(folder, "0") == [(1, moved)]
    assert len(label.page.evaluate("Array.from(document.querySelectorAll('#boxes li'))")) == 1
    label.press("Escape", "d")
    label.page.locator("#state.doubtful").wait_for()
    label.press("Enter")
    label.page.locator("#name", has_text="1.png").wait_for()
    label.press("Enter")  # nothing here
    label.page.locator("#name", has_text="2.png").wait_for()
    label.press("p")
    label.page.locator("#name", has_text="1.png").wait_for()
    assert label.page.locator("#progress-text").inner_text() == "2 of 4, 1 doubtful"
    assert rows(folder, "1") == [] and not (folder / "2.txt").exists()


def test_only_enter_says_that_there_are_no_defects(label: Page, folder: Path) -> None:
    state = label.page.locator("#state")
    label.press("d")
    becomes(label.page, state.inner_text, "doubtful")
    label.press("d")
    becomes(label.page, state.inner_text, "unlabelled")
    label.press("b")  # by mistake
    label.saved()
    becomes(label.page, state.inner_text, "labelled")
    label.press("Delete")
    becomes(label.page, state.inner_text, "unlabelled")
    label.saved()
    assert not (folder / "0.txt").exists()
    label.press("b", "Delete", "Enter")  # faster than the server answers
    label.page.locator("#name", has_text="1.png").wait_for()
    assert rows(folder, "0") == []


def test_filters_and_classes_of_ones_own(start: Start, open_page: Open, folder: Path) -> None:
    label = Page(open_page(start(folder, form="yolo").url))
    label.drag((20, 20), (60, 50))
    label.page.locator("#alert", has_text="Add a class first").wait_for()
    assert label.page.evaluate("document.activeElement.id") == "class-name"
    label.page.keyboard.type("crack 1")
    label.press("Enter")
    label.page.locator("#classes button", has_text="crack 1").wait_for()
    label.drag((20, 20), (60, 50))
    label.saved()
    assert (folder / "classes.txt").read_text() == "crack 1\n"
    label.page.locator("#filter").select_option("unlabelled")
    label.page.locator("#name", has_text="1.png").wait_for()
    label.press("Enter")
    label.page.locator("#name", has_text="2.png").wait_for()
    label.press("Enter")
    label.page.locator("#name", has_text="3.png").wait_for()
    label.press("n")
    label.page.locator("#alert", has_text="the last picture of those shown").wait_for()
    assert label.page.locator("#pictures .what").all_inner_texts() == ["3.png"]
    assert label.page.locator("#filter").inner_text().split("\n")[:2] == ["all (4)", "unlabelled (1)"]


def test_zoomed_and_moved_a_box_is_where_it_was_drawn(label: Page, folder: Path) -> None:
    label.page.mouse.move(*label.at(50, 50))
    for _ in range(4):
        label.page.mouse.wheel(0, -150)
    until(label.page, "parseInt(document.getElementById('zoom-value').textContent) > 1000")
    label.drag((45, 45), (55, 55))
    label.saved()
    assert near(rows(folder, "0"), [(0, [45, 45, 55, 55])])
    before = label.at(0, 0)
    label.drag((60, 60), (65, 63), button="middle")
    label.page.keyboard.down("Space")
    label.drag((60, 60), (65, 63))
    label.page.keyboard.up("Space")
    label.press("h")
    label.drag((60, 60), (65, 63))
    label.press("h")
    after = label.at(0, 0)
    assert after[0] - before[0] > 100 and after[1] - before[1] > 60
    label.page.wait_for_timeout(300)  # moving draws nothing and moves no box
    becomes(label.page, lambda: near(rows(folder, "0"), [(0, [45, 45, 55, 55])]), True)
    label.press("0")
    label.drag((100, 100), (140, 140))
    becomes(label.page, lambda: near(rows(folder, "0")[1:], [(0, [100, 100, 140, 140])]), True)


def test_fingers_draw_and_pinch(start: Start, open_page: Open, folder: Path) -> None:
    served = start(folder, form="yolo", classes=("scratch",))
    label = Page(open_page(served.url, has_touch=True, viewport={"width": 390, "height": 844}))
    session = label.page.context.new_cdp_session(label.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        given = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": given})

    touch("touchStart", label.at(20, 20))
    for x in (30, 50, 80):
        touch("touchMove", label.at(x, x))
    touch("touchEnd")
    label.saved()
    assert near(rows(folder, "0"), [(0, [20, 20, 80, 80])])
    percent = "parseInt(document.getElementById('zoom-value').textContent)"
    before = label.page.evaluate(percent)
    left, right = label.at(120, 100), label.at(130, 100)
    touch("touchStart", left)
    touch("touchStart", left, right)
    for step in range(1, 6):
        touch("touchMove", (left[0] - 12 * step, left[1]), (right[0] + 12 * step, right[1]))
    touch("touchEnd")
    assert label.page.evaluate(percent) > 2 * before
    label.page.wait_for_timeout(400)
    assert len(rows(folder, "0")) == 1  # two fingers draw nothing


def test_proposals_are_accepted_corrected_and_dismissed(start: Start, open_page: Open, folder: Path) -> None:
    for number in range(2):
        (folder / f"{number}.png").write_bytes(picture(number, [(0, 20, 20, 60, 50), (1, 100, 60, 150, 120)]))
    label = Page(open_page(start(folder, form="yolo", classes=("scratch", "dent"), model=True).url))
    label.page.locator("#proposals li >> nth=1").wait_for()
    assert label.page.locator("#over .proposed").count() == 2
    label.page.locator("#threshold").fill("0.1")
    assert label.page.locator("#proposals .more").all_inner_texts() == ["0.90", "0.80", "0.20"]
    label.page.get_by_label("Dismiss scratch, score 0.20").click()
    label.click(125, 90)  # on a proposal: accepts it
    label.page.locator("#boxes li").wait_for()
    label.saved()
    assert near(rows(folder, "0"), [(1, [100, 60, 150, 120])])
    assert label.page.locator("#proposals .more").all_inner_texts() == ["0.90"]
    label.press("Enter")
    label.page.locator("#name", has_text="1.png").wait_for()
    label.page.locator("#threshold").fill("0.5")
    label.page.locator("#proposals li >> nth=1").wait_for()
    label.page.locator("#name").click()
    label.press("a")
    label.page.locator("#boxes li >> nth=1").wait_for()
    label.saved()
    becomes(label.page, lambda: near(rows(folder, "1"), [(0, [20, 20, 60, 50]), (1, [100, 60, 150, 120])]), True)
    label.press("u")
    label.page.locator("#proposals li >> nth=1").wait_for()  # they are back
    assert not (folder / "1.txt").exists()


def test_two_windows_do_not_overwrite_each_other(start: Start, open_page: Open, folder: Path) -> None:
    served = start(folder, form="yolo", classes=("scratch", "dent"))
    one, two = Page(open_page(served.url)), Page(open_page(served.url))
    one.drag((20, 20), (60, 50))
    one.saved()
    two.drag((100, 60), (150, 120))
    two.page.locator("#conflict[open]").wait_for()
    assert near(rows(folder, "0"), [(0, [20, 20, 60, 50])])
    two.page.get_by_role("button", name="Take what is there").click()
    until(two.page, "document.querySelectorAll('#boxes li').length === 1")
    two.drag((100, 60), (150, 120))
    two.saved()
    one.press("2")
    one.page.locator("#conflict[open]").wait_for()
    one.page.get_by_role("button", name="Save mine instead").click()
    one.saved()
    assert near(rows(folder, "0"), [(1, [20, 20, 60, 50])])
    one.page.wait_for_timeout(300)
    one.press("u")
    until(one.page, "document.querySelectorAll('#boxes li').length === 2")  # theirs


def test_the_server_is_killed_in_between_and_nothing_is_lost(open_page: Open, folder: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = tmp_path / "told.json"
    with command(folder, told, "--format", "yolo", "--class", "scratch", port=port) as (process, url):
        label = Page(open_page(url.rstrip("/")))
        label.drag((20, 20), (60, 50))
        label.saved()
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    label.drag((100, 60), (150, 120))
    label.saved("Not saved: the server does not answer")
    label.drag((5, 100), (40, 140))
    assert len(rows(folder, "0")) == 1
    with command(folder, told, port=port):
        label.saved()
        assert near(rows(folder, "0"), [(0, [20, 20, 60, 50]), (0, [100, 60, 150, 120]), (0, [5, 100, 40, 140])])
        label.page.reload()
        label.page.locator("#boxes li >> nth=2").wait_for()
        label.press("u")
        until(label.page, "document.querySelectorAll('#boxes li').length < 3")


@pytest.mark.parametrize("form", ["voc", "coco", "labelme"])
def test_the_other_formats_through_the_page(start: Start, open_page: Open, tmp_path: Path, form: str) -> None:
    folder = labelled_folder(tmp_path / "set", form)
    label = Page(open_page(start(folder).url))
    label.page.locator("#pictures button", has_text="b.png").click()
    label.page.locator("#boxes li >> nth=1").wait_for()
    label.drag((20, 100), (60, 140))
    label.saved()
    label.page.reload()
    label.page.locator("#boxes li >> nth=2").wait_for()
    assert label.page.locator("#name").inner_text().endswith("b.png")
    label.press("u")
    until(label.page, "document.querySelectorAll('#boxes li').length === 2")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(start: Start, open_page: Open, axe: str, folder: Path, scheme: str) -> None:
    (folder / "0.png").write_bytes(picture(0, [(0, 20, 20, 60, 50), (1, 100, 60, 150, 120)]))
    served = start(folder, form="yolo", classes=("scratch", "dent"), model=True)
    label = Page(open_page(served.url, color_scheme=scheme))
    label.page.locator("#proposals li").first.wait_for()
    assert axe_findings(label.page, axe) == [], "proposals"
    label.drag((20, 100), (60, 140))
    label.saved()
    label.page.locator("summary").click()
    label.press("d")
    assert axe_findings(label.page, axe) == [], "a selected box"
    served.client.put(served.of(0), json={"version": 3, "marks": [], "state": "labelled"})
    label.drag((70, 100), (90, 140))
    label.page.locator("#conflict[open]").wait_for()
    assert axe_findings(label.page, axe) == [], "changed elsewhere"
    label.page.get_by_role("button", name="Take what is there").click()
    label.page.set_viewport_size({"width": 390, "height": 844})
    label.press("p")
    label.page.locator("#alert", has_text="first picture").wait_for()
    assert axe_findings(label.page, axe) == [], "on a telephone"


def test_a_broken_label_file_is_told_and_not_changed(start: Start, open_page: Open, tmp_path: Path) -> None:
    folder = labelled_folder(tmp_path / "set", "yolo")
    broken = folder / "labels/train/a.txt"
    broken.write_text("0 nonsense\n")
    label = Page(open_page(f"{start(folder).url}", "#images%2Ftrain%2Fa.png"))
    label.page.locator("#alert", has_text="a.txt:1").wait_for()
    label.drag((20, 100), (60, 140))
    label.page.wait_for_timeout(300)
    assert label.page.locator("#boxes li").count() == 0 and broken.read_text() == "0 nonsense\n"
