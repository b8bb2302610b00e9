"""``lightdet detect`` from the command line to the files, with a network that finds colored patches."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pil

from lightdet import drawing
from lightdet.errors import UserError
from lightdet.inference import pipeline, results, tiled, window
from lightdet.inference.predictor import Predictor
from lightdet.inference.video import VideoFile

Detect = Callable[..., tuple[int, str, str]]


@pytest.fixture
def part(painted: Callable[..., np.ndarray]) -> np.ndarray:
    return painted(120, 90, ("red", 10, 10, 30, 40), ("green", 50, 20, 100, 60))


def save(image: np.ndarray, *names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Pil.fromarray(image).save(name)


def save_video(image: np.ndarray, name: str, frames: int = 20) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (image.shape[1], image.shape[0]))
    for _ in range(frames):
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()


def halve(name: str) -> None:
    data = Path(name).read_bytes()
    Path(name).write_bytes(data[: len(data) // 2])


def files(folder: str) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file())


def read(name: str) -> Any:
    return json.loads(Path(name).read_text(encoding="utf-8"))


def test_pictures_to_every_format(detect: Detect, part: np.ndarray) -> None:
    save(part, "in/a.png", "in/sub/a.png", "in/Prüfling ☃.png")
    code, out, err = detect("in", "-r", "--save", "json,csv", "--save", "yolo", "--save", "coco", "--json", "all.json")
    assert (code, err) == (0, "")
    assert "3 pictures: 6 detections; results in runs/detect" in out
    assert "median ms: read" in out and "postprocess" in out
    assert files("runs/detect") == [
        "Prüfling ☃.jpg", "a.jpg", "coco.json", "detections.csv", "detections.json",
        "labels/Prüfling ☃.txt", "labels/a.txt", "labels/classes.txt",
        "labels/sub/a.txt", "labels/sub/classes.txt", "sub/a.jpg",
    ]  # fmt: skip
    assert read("all.json") == read("runs/detect/detections.json")
    summary = read("all.json")
    assert (summary["complete"], summary["pictures"], summary["detections"]) == (True, 3, 6)
    assert summary["per_class"] == {"red": 3, "green": 3, "blue": 0}
    assert set(summary["milliseconds"]) == {"read", "preprocess", "network", "postprocess", "draw", "write"}
    box = summary["results"][0]["detections"][0]["box"]
    assert np.abs(np.array(box) - [10, 10, 30, 40]).max() < 0.5
    marked = np.asarray(Pil.open("runs/detect/a.jpg"))
    assert marked.shape == part.shape and np.abs(marked.astype(int) - part).max() > 50


def test_results_of_two_runs_stay_apart(detect: Detect, part: np.ndarray) -> None:
    save(part, "a.png")
    assert detect("a.png")[0] == 0
    assert "runs/detect-2" in detect("a.png")[1]
    assert "1 picture:" in detect(".", "-r", "--no-images")[1]  # what the two wrote is not looked at
    assert detect("a.png", "-o", "out")[0] == 0
    code, _, err = detect("a.png", "-o", "out")
    assert (code, err) == (
        2,
        "error: out/a.jpg: exists already; add --overwrite to replace it, or give another --output\n",
    )
    assert detect("a.png", "-o", "out", "--overwrite")[0] == 0


def test_only_the_summary_leaves_no_folder(detect: Detect, part: np.ndarray) -> None:
    save(part, "a.png")
    assert detect("a.png", "--no-images", "--json", "x.json")[0] == 0
    assert read("x.json")["results"][0]["source"] == "a.png"
    assert not Path("runs").exists()


def test_a_bad_picture_ends_the_run_with_what_was_done_saved(detect: Detect, part: np.ndarray) -> None:
    save(part, "in/1.png", "in/2.png", "in/3.png")
    halve("in/2.png")
    code, out, err = detect("in", "--save", "json", "-o", "out")
    assert code == 2
    assert err.startswith("error: in/2.png: the picture is truncated") and err.count("\n") == 1
    assert "1 picture: 2 detections" in out
    assert files("out") == ["1.jpg", "detections.json"]
    assert read("out/detections.json")["complete"] is False


def test_bad_pictures_can_be_skipped_and_are_listed(detect: Detect, part: np.ndarray) -> None:
    save(part, "in/1.png", "in/2.png", "in/3.png")
    halve("in/2.png")
    Path("in/4.png").write_bytes(b"")
    code, out, err = detect("in", "--on-error", "skip", "--json", "x.json", "-o", "out")
    assert (code, err) == (0, "")
    assert "2 pictures: 4 detections" in out
    assert (
        "skipped 2" in out and "in/2.png: the picture is truncated" in out and "in/4.png: the picture is empty" in out
    )
    summary = read("x.json")
    assert summary["complete"] is True
    assert [entry["source"] for entry in summary["skipped"]] == ["in/2.png", "in/4.png"]


def test_nothing_readable_is_an_error_all_the_same(detect: Detect) -> None:
    Path("a.png").write_bytes(b"no picture")
    code, _, err = detect("a.png", "--on-error", "skip")
    assert code == 2 and "none of the 1 sources could be read" in err
    assert not Path("runs/detect").exists()


def test_a_video_with_its_frames_and_times(detect: Detect, part: np.ndarray) -> None:
    save_video(part, "in/clip.avi")
    save(part, "in/clip.png")
    code, out, _ = detect("in", "--save", "json,yolo", "-o", "out", "--batch", "3")
    assert code == 0 and "1 picture and 20 frames: 42 detections" in out
    assert files("out")[:2] == ["clip-2.jpg", "clip.mp4"]
    assert len(list(VideoFile("out/clip.mp4").frames())) == 20
    frames = [r for r in read("out/detections.json")["results"] if r["frame"] is not None]
    assert [r["frame"] for r in frames] == list(range(20))
    assert frames[5]["time_s"] == pytest.approx(0.5)
    assert Path("out/labels/clip_000019.txt").read_text().count("\n") == 2


def test_a_video_that_ends_early(detect: Detect, part: np.ndarray) -> None:
    save_video(part, "clip.avi", frames=30)
    save(part, "z.png")
    halve("clip.avi")
    code, out, err = detect("clip.avi", "z.png", "--save", "csv", "-o", "one")
    assert code == 2
    assert err.startswith("error: clip.avi: the video ends early: ") and err.count("\n") == 1
    frames = len(list(VideoFile("one/clip.mp4").frames()))
    assert 5 < frames < 30 and f"{frames} frames: " in out
    lines = Path("one/detections.csv").read_text().splitlines()
    assert len({line.split(",")[1] for line in lines[1:]}) == frames
    code, out, _ = detect("clip.avi", "z.png", "--on-error", "skip", "-o", "two")
    assert code == 0 and "skipped 1" in out and "clip.avi: the video ends early" in out
    assert files("two") == ["clip.mp4", "z.jpg"]
    code, out, _ = detect("clip.avi", "--max-frames", "4", "--no-images")
    assert code == 0 and "4 frames" in out


def test_tiles(detect: Detect, painted: Callable[..., np.ndarray]) -> None:
    save(painted(500, 400, ("red", 80, 90, 110, 120), ("blue", 300, 10, 306, 16)), "large.png")
    code, _, _ = detect("large.png", "--tile", "96", "--overlap", "0.25", "--json", "x.json")
    assert code == 0
    summary = read("x.json")
    assert (summary["tile"], summary["overlap"]) == (96, 0.25)
    found = [(d["name"], [round(v) for v in d["box"]]) for d in summary["results"][0]["detections"]]
    assert found == [("red", [80, 90, 110, 120]), ("blue", [300, 10, 306, 16])]


def test_a_picture_that_fails_in_a_batch_does_not_take_the_others_along(
    detect: Detect, part: np.ndarray, painted: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiled, "MAX_TILES", 8)
    save(part, "in/1.png", "in/3.png")
    save(painted(300, 300), "in/2.png")
    code, out, _ = detect("in", "--tile", "64", "--on-error", "skip", "--no-images")
    assert code == 0 and "2 pictures" in out and "in/2.png: " in out and "larger tiles" in out
    code, _, err = detect("in/2.png", "--tile", "64", "--no-images")
    assert code == 2 and err.startswith("error: in/2.png: ")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("nowhere.png",), "nowhere.png: no such file or folder"),
        (("a.png", "--save", "xml"), "'xml' is none of json, csv, yolo, coco"),
        (("a.png", "--tile", "8"), "--tile"),
        (("a.png", "--confidence", "2"), "--confidence"),
        (("a.png", "--imgsz", "100"), "take 96 or 128"),
        (("a.png", "--output", "a.png"), "a.png"),
        (("a.png", "--json", "a.png"), "a.png is there already and is no .json file"),
        (("a.png", "--json", "folder"), "is a folder"),
        (("a.png", "--show"), "lightdet[gui]"),
        (("98",), "camera 98 cannot be opened"),
        (("a.png", "--weights"), "--weights"),
        ((), "SOURCE"),
    ],
)
def test_mistakes_are_one_line(
    detect: Detect, part: np.ndarray, args: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "")
    save(part, "a.png")
    Path("folder").mkdir()
    code, _, err = detect(*args)
    assert code == 2
    assert err.startswith("error: ") and err.count("\n") == 1 and words in err
    assert files(".") == ["a.png"]


class Screen:
    """Stands in for OpenCV's windows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: list[int]) -> None:
        self.shown: list[np.ndarray] = []
        monkeypatch.setenv("DISPLAY", ":0")
        for name, value in {
            "currentUIFramework": lambda: "QT5",
            "namedWindow": lambda *_: None,
            "destroyAllWindows": lambda: None,
            "imshow": lambda _, image: self.shown.append(image),
            "waitKey": lambda _: keys.pop(0) if keys else -1,
            "getWindowProperty": lambda *_: 1.0,
        }.items():
            monkeypatch.setattr(cv2, name, value)


def test_show_until_q(detect: Detect, part: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    save(part, "1.png", "2.png", "3.png")
    screen = Screen(monkeypatch, [-1, ord("n"), ord("q")])
    code, out, _ = detect("1.png", "2.png", "3.png", "--show", "--no-images", "--json", "x.json")
    assert code == 0 and len(screen.shown) == 2 and "2 pictures" in out
    assert read("x.json")["complete"] is True
    assert (screen.shown[0] != cv2.cvtColor(part, cv2.COLOR_RGB2BGR)).any()


def test_no_screen_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Screen(monkeypatch, [])
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(window.sys, "platform", "linux")
    with pytest.raises(UserError, match="no screen"):
        window.Window()


def interrupt_after(monkeypatch: pytest.MonkeyPatch, pictures: int, number: int) -> None:
    """Act as the signal would. A real one that nobody handles ends the process, and with it the other tests' worker."""
    real, seen = drawing.draw_detections, []

    def draw(*args: Any, **more: Any) -> Any:
        seen.append(1)
        if len(seen) == pictures + 1:
            handler = signal.getsignal(number)
            assert callable(handler), "the command does not handle this signal"
            handler(number, None)
        return real(*args, **more)

    monkeypatch.setattr(results, "draw_detections", draw)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_was_done(
    detect: Detect, part: np.ndarray, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    save_video(part, "clip.avi")
    interrupt_after(monkeypatch, 5, number)
    code, _, err = detect("clip.avi", "--save", "json", "-o", "out", "--batch", "1")
    assert (code, err) == (130, "interrupted\n")
    summary = read("out/detections.json")
    assert summary["complete"] is False and len(summary["results"]) == 5
    assert len(list(VideoFile("out/clip.mp4").frames())) == 5


def test_an_interrupt_is_how_a_camera_is_ended(
    detect: Detect, part: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless:
        def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
            return True

        def get(self, _: int) -> float:
            return 0.0

        def read(self) -> tuple[bool, np.ndarray]:
            return True, part

        def release(self) -> None:
            pass

    monkeypatch.setattr(pipeline, "LiveStream", partial(pipeline.LiveStream, opener=lambda _: Endless()))
    interrupt_after(monkeypatch, 5, signal.SIGINT)
    code, out, _ = detect("0", "--save", "json", "-o", "out")
    assert code == 0 and "5 frames" in out
    assert files("out") == ["camera-0.mp4", "detections.json"]
    assert read("out/detections.json")["complete"] is True


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
def test_a_name_that_is_no_utf8_goes_all_the_way(detect: Detect, part: np.ndarray) -> None:
    save(part, "a.png")
    Path("in").mkdir()
    Path("a.png").rename(Path("in") / os.fsdecode(b"pr\xfcf [red].png"))
    code, _, err = detect("in", "--save", "json,csv,yolo,coco", "-o", "out", "--json", "x.json")
    assert (code, err) == (0, "")
    assert read("x.json")["results"][0]["source"] == "in/pr\\udcfcf [red].png"
    assert len(files("out")) == 6


@pytest.mark.realdata
def test_neu_det_pictures_are_looked_at_without_a_word(detect: Detect) -> None:
    home = Path(__file__).resolve().parents[2].parent / "shared" / "datasets"
    folder = Path(os.environ.get("LIGHTDET_DATASETS", home)) / "neu-det" / "IMAGES"
    if not folder.is_dir():
        pytest.skip(f"NEU-DET is not at {folder}; set LIGHTDET_DATASETS")
    code, out, err = detect(str(folder), "--no-images", "--json", "x.json")
    assert (code, err) == (0, "") and "1,800 pictures" in out


def save_pages(name: str, *pages: np.ndarray) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    first, *others = map(Pil.fromarray, pages)
    first.save(name, save_all=True, append_images=others)


@pytest.mark.parametrize("suffix", ["tif", "png", "gif"])
def test_every_picture_of_a_file_is_a_result_of_its_own(
    detect: Detect, part: np.ndarray, painted: Callable[..., np.ndarray], suffix: str
) -> None:
    save_pages(f"in/stack.{suffix}", painted(120, 90), part, painted(120, 90, ("red", 10, 10, 30, 40)))
    save(part, "in/stack#2.bmp")
    code, out, err = detect("in", "--output", "o", "--save", "json,yolo,coco")
    assert (code, err) == (0, "") and "4 pictures" in out
    told = json.loads(Path("o/detections.json").read_text())["results"]
    expected = [(f"stack.{suffix}#1", 0), (f"stack.{suffix}#2", 2), (f"stack.{suffix}#3", 1), ("stack#2.bmp", 2)]
    assert sorted((Path(r["source"]).name, len(r["detections"])) for r in told) == sorted(expected)
    places = ["stack#1", "stack#2", "stack#2-2", "stack#3"]
    assert sorted(p.stem for p in Path("o").glob("*.jpg")) == places
    assert sorted(p.stem for p in Path("o/labels").glob("stack*.txt")) == places
    code, _, err = detect(f"in/stack.{suffix}", "--output", "o")
    assert code == 2 and "stack#1.jpg: exists already" in err


def test_a_file_whose_last_page_is_broken_is_told(detect: Detect, part: np.ndarray) -> None:
    save_pages("in/stack.tif", part, part, part)
    data = Path("in/stack.tif").read_bytes()
    save(part, "in/z.png")
    Path("in/stack.tif").write_bytes(data[:-3000])
    code, _, err = detect("in", "--output", "o")
    assert code == 2 and "stack.tif" in err and err.count("\n") == 1
    code, out, _ = detect("in", "--output", "p", "--on-error", "skip", "--save", "json")
    summary = json.loads(Path("p/detections.json").read_text())
    assert code == 0 and len(summary["skipped"]) == 1 and "stack.tif" in out


@pytest.mark.parametrize("place", ["labels", "labels/x"])
def test_labels_of_a_model_with_other_classes_keep_their_list(detect: Detect, part: np.ndarray, place: str) -> None:
    save(part, "in/b.png", "in/x/b.png")
    classes = Path("out", place, "classes.txt")
    classes.parent.mkdir(parents=True)
    classes.write_bytes(b"dent\nscratch\nstain\n")
    words = ["in", "-r", "--save", "yolo", "--no-images", "--output", "out"]
    code, _, err = detect(*words)
    assert code == 2 and "classes.txt: lists other classes than this model has" in err
    assert classes.read_bytes().startswith(b"dent") and not list(Path("out").rglob("b.txt"))
    classes.write_bytes(b"red\r\ngreen\r\nblue\r\n")
    assert detect(*words)[0] == 0
    classes.write_bytes(b"dent\nscratch\nstain\n")
    assert detect(*words, "--overwrite")[0] == 0 and classes.read_bytes() == b"red\ngreen\nblue\n"


LONG = np.full((8, 66_000, 3), 60, np.uint8)
"""Longer than a JPEG may be, so its marked-up picture is a PNG."""


def test_a_long_source_is_not_written_over(detect: Detect) -> None:
    save(LONG, "scan/line.png")
    before = Path("scan/line.png").read_bytes()
    for options in ([], ["--overwrite"]):
        code, _, err = detect("scan/line.png", "--tile", "640", "--output", "scan", *options)
        assert code == 2 and "line.png: would be overwritten, and it is one of the sources" in err
        assert Path("scan/line.png").read_bytes() == before
    assert detect("scan/line.png", "--tile", "640", "--output", "out")[0] == 0
    assert files("out") == ["line.png"]


def test_a_long_result_is_not_written_over_unless_told(detect: Detect) -> None:
    save(LONG, "in/line.png")
    Path("out").mkdir()
    Path("out/line.png").write_bytes(b"mine")
    code, _, err = detect("in", "--tile", "640", "--output", "out")
    assert code == 2 and "line.png: exists already; add --overwrite" in err
    assert Path("out/line.png").read_bytes() == b"mine"
    assert detect("in", "--tile", "640", "--output", "out", "--overwrite")[0] == 0
    assert Path("out/line.png").read_bytes() != b"mine"


def test_where_nothing_is_found_the_surest_candidate_is_told(
    detect: Detect, monkeypatch: pytest.MonkeyPatch, part: np.ndarray, painted: Callable[..., np.ndarray]
) -> None:
    monkeypatch.setattr(Predictor, "surest", lambda _, image: float(image[0, 0, 0]) / 1000 or None)
    save(painted(60, 60, ground=83), "in/a.png", "in/b.png")
    save(painted(60, 60, ground=0), "in/c.png")
    _, out, _ = detect("in")
    assert "nothing reached the confidence of 0.25; the surest candidate of the first 3 pictures has 0.083" in out
    assert "in/a.png: --confidence 0.08 shows it" in out
    _, out, _ = detect("in/c.png")
    assert "nothing comes near the confidence of 0.25" in out
    save(part, "in/d.png")
    assert "surest" not in detect("in")[1]


def test_the_surest_candidate_is_looked_for_below_the_confidence(make_runtime: Callable[..., Any]) -> None:
    class Floored(make_runtime):  # type: ignore[misc]
        confidence = 0.95

        def __call__(self, batch: np.ndarray) -> Any:
            found = super().__call__(batch)
            return [tuple(part[scores >= self.confidence] for part in (b, scores, n)) for b, scores, n in found]

    predictor = Predictor(Floored(96), confidence=0.95)
    image = np.full((60, 60, 3), 60, np.uint8)
    assert predictor.surest(image) is None
    image[20:40, 20:40, 0] = 250
    assert predictor.surest(image) == pytest.approx(0.9) and predictor.runtime.confidence == 0.95  # type: ignore[attr-defined]


def test_what_a_phone_saves_is_named_and_not_passed_over(detect: Detect, part: np.ndarray) -> None:
    save(part, "in/a.png")
    for name in ("b.heic", "c.HEIF", "d.avif"):
        Path("in", name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    Path("in/e.jxl").write_bytes(b"\xff\x0a" + bytes(100))
    code, _, err = detect("in", "--output", "o")
    assert code == 2 and "b.heic: " in err and "HEIC" in err  # damaged, or no decoder for it
    code, out, _ = detect("in", "--output", "p", "--on-error", "skip", "--save", "coco")
    assert code == 0 and "skipped 4" in out and "JXL is not read" in out and "passed over" not in out
    assert json.loads(Path("p/coco.json").read_text())["info"] == {}  # pycocotools 2.0.8 to 2.0.10 copy it
