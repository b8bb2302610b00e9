"""Everything that can be named on the command line, and what is said when it is not there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lightdet.errors import UserError
from lightdet.inference.folder_listing import InFolder
from lightdet.inference.run_folder import check_free, fresh_folder, marked_file, results_of_runs
from lightdet.inference.source import Source, printable
from lightdet.inference.sources import _in_folder, expand_sources
from lightdet.inference.stored_sources import TakenPlaces


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"x")


def targets(*arguments: str, recursive: bool = False) -> list[str]:
    return [str(s.target).replace(os.sep, "/") for s in expand_sources(arguments, recursive=recursive).items]


def stems(*arguments: str, recursive: bool = False) -> list[str]:
    return [s.stem.as_posix() for s in expand_sources(arguments, recursive=recursive).items]


def test_a_folder_in_counting_order_without_hidden_and_other_files(here: Path) -> None:
    touch("in/part10.png", "in/part2.PNG", "in/part1.jpg", "in/.hidden.png", "in/notes.md", "in/b/part3.png")
    found = expand_sources(["in"])
    assert [s.target.name for s in found.items] == ["part1.jpg", "part2.PNG", "part10.png"]  # type: ignore[union-attr]
    assert found.passed_over == 2


def test_subfolders_on_request_and_their_places_kept(here: Path) -> None:
    touch("in/a.png", "in/x/a.png", "in/y/z/a.png", "in/.git/a.png")
    assert targets("in", recursive=True) == ["in/a.png", "in/x/a.png", "in/y/z/a.png"]
    assert stems("in", recursive=True) == ["a", "x/a", "y/z/a"]


def test_a_folder_without_pictures_says_where_they_are(here: Path) -> None:
    touch("in/x/a.png", "in/readme.md")
    with pytest.raises(UserError, match="1 in its sub-folders: add --recursive"):
        expand_sources(["in"])
    (here / "empty").mkdir()
    with pytest.raises(UserError, match="empty: holds no pictures"):
        expand_sources(["empty"])


def test_earlier_results_are_not_pictures_to_look_at(here: Path) -> None:
    touch("a.png", "runs/detect/a.jpg", "runs/detect-2/a.jpg", "runs/detector/a.jpg")
    exclude = results_of_runs(Path("runs/detect"))
    found = expand_sources(["."], recursive=True, exclude=exclude)
    assert [s.stem.as_posix() for s in found.items] == ["a", "runs/detector/a"]
    found = expand_sources(["**/*.jpg"], exclude=exclude)
    assert [s.target for s in found.items] == [Path("runs/detector/a.jpg")]
    assert len(expand_sources(["runs/detect/*.jpg"], exclude=exclude).items) == 1
    assert len(expand_sources(["runs/detect"], exclude=exclude).items) == 1


def test_globs(here: Path) -> None:
    touch("in/a.png", "in/b.jpg", "in/x/c.png", "in/notes.txt")
    assert targets("in/*.png") == ["in/a.png"]
    assert targets("in/**/*.png") == ["in/a.png", "in/x/c.png"]
    assert targets(str(here / "in" / "*.jpg")) == [(here / "in" / "b.jpg").as_posix()]
    assert expand_sources(["in/*"]).passed_over == 1
    with pytest.raises(UserError, match=r"no file matches 'in/\*.bmp'"):
        expand_sources(["in/*.bmp"])
    with pytest.raises(UserError, match="no picture or video matches"):
        expand_sources(["in/*.txt"])


def test_a_name_with_brackets_that_exists_is_a_file(here: Path) -> None:
    touch("part[1].png", "part1.png")
    assert targets("part[1].png") == ["part[1].png"]


def test_lists_from_their_folder_or_the_current_one(here: Path) -> None:
    touch("data/Prüfling ☃.png", "other/b.png")
    Path("data/list.txt").write_bytes("\ufeffPrüfling ☃.png\r\n\r\n# a remark\r\nother/b.png\r\n".encode())
    assert targets("data/list.txt") == ["data/Prüfling ☃.png", "other/b.png"]
    assert stems("data/list.txt") == ["data/Prüfling ☃", "other/b"]


def test_a_wrong_list_names_its_line(here: Path) -> None:
    touch("a.png")
    Path("list.txt").write_text("a.png\n\nb.png\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"^list.txt:3: no such picture or video: 'b.png'"):
        expand_sources(["list.txt"])
    Path("list.txt").write_text("# nothing\n\n", encoding="utf-8")
    with pytest.raises(UserError, match="names no pictures"):
        expand_sources(["list.txt"])
    Path("list.txt").write_bytes(b"Pr\xfcfling.png\n")
    with pytest.raises(UserError, match="not UTF-8"):
        expand_sources(["list.txt"])


def test_what_is_named_twice_is_looked_at_once(here: Path) -> None:
    touch("in/a.png", "in/b.png")
    assert targets("in/a.png", "in", "in/*.png", "./in/b.png") == ["in/a.png", "in/b.png"]


def test_equal_names_get_places_of_their_own(here: Path) -> None:
    touch("x/a.png", "y/a.png", "x/a.jpg", "x/A.bmp", "x/a-2.png")
    assert stems("x/a.png", "y/a.png") == ["x/a", "y/a"]
    assert stems("x/a.png", "x/a.jpg", "x/a-2.png") == ["a", "a-2", "a-2-2"]
    places = stems("x", "y")  # also where capitals make no difference
    assert len({place.casefold() for place in places}) == 5 and "y/a" in places
    assert stems("x/a.png") == ["a"]


def results_of(source: Source) -> set[str]:
    """Places that results of a source may go to: itself, its pages or frames, their heat."""
    stem = source.stem.as_posix().casefold()
    parts = [f"{stem}_{frame:06d}" for frame in (0, 7, 1_234_567)]
    if source.kind == "picture":
        parts = [f"{stem}#{page}" for page in (1, 2, 12)]
        parts += [f"{part}.heat" for part in (stem, *parts)]
    return {stem, *parts}


ALIKE = [
    ("clip.avi", "clip_000007.png"),
    ("clip.avi", "CLIP_1234567.png"),
    ("part.png", "part.heat.png"),
    ("part.tif", "part#2.png", "part#2.heat.png"),
    ("a.tif", "a.png", "a-2#2.png"),
    ("a.avi", "a.mp4", "a-2_000007.png"),
    ("a.avi", "a_000007.avi", "a_000007.png", "a_000007.heat.png"),
    ("x/clip.avi", "x/clip_000007.png", "clip_000007.png"),
]


@pytest.mark.parametrize("names", ALIKE, ids=str)
def test_no_result_of_a_source_goes_to_the_place_of_another(here: Path, names: tuple[str, ...]) -> None:
    touch(*(f"in/{name}" for name in names))
    for order in (names, names[::-1]):
        listed = [InFolder(Path("in", name), Path("in").absolute()) for name in order]
        taken = TakenPlaces([])
        for found in (
            expand_sources(["in"], recursive=True).items,
            expand_sources([f"in/{name}" for name in order]).items,
            [_in_folder(file, taken) for file in listed],
        ):
            places = [results_of(source) for source in found]
            assert len(places) == len(names) and len(set().union(*places)) == sum(map(len, places))


def test_numbered_pictures_keep_their_names(here: Path) -> None:
    touch("in/clip.png", "in/clip_000001.png", "in/clip_000002.png", "in/b.avi", "in/b_00001.png")
    assert stems("in") == ["b", "b_00001", "clip", "clip_000001", "clip_000002"]


def test_a_folder_beside_single_files(here: Path) -> None:
    touch("x/a.png", "y/b.png")
    assert stems("x", "y/b.png") == ["a", "b"]


def test_parents_in_a_path_do_not_leave_the_output(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch("a.png", "deep/down/b.png")
    monkeypatch.chdir(here / "deep")
    assert stems("../a.png") == ["a"]
    assert stems("..", recursive=True) == ["a", "deep/down/b"]
    for stem in stems("..", "down", "../a.png", recursive=True):
        assert ".." not in stem and not stem.startswith("/")


def test_videos_and_streams_are_known_by_name(here: Path) -> None:
    touch("clip.MP4", "7")
    found = expand_sources(
        ["clip.MP4", "0", "rtsp://me:secret@cam.local:554/line/1?token=abc", "http://h/x.mjpg"]
    ).items
    assert [s.kind for s in found] == ["video", "stream", "stream", "stream"]
    assert found[1] == Source("stream", 0, "camera 0", Path("camera-0"))
    assert found[2].target == "rtsp://me:secret@cam.local:554/line/1?token=abc"
    assert found[2].name == "rtsp://cam.local:554/line/1"
    assert found[2].stem == Path("cam.local_line_1")
    assert expand_sources(["7"]).items[0].kind == "picture"  # a file of that name comes first


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("", "empty source"),
        ("99999999999999999999", "no camera with number 99999999999999999999"),
        ("scratches_1.jpg", "did you mean"),
        ("nowhere/a.jpg", "the folder nowhere does not exist either"),
        ("ftp://host/a.jpg", "ftp"),
        ("rtsp://host:port/x", "not valid"),
        ("x" * 5000, "longer than the system allows"),
    ],
)
def test_what_is_not_there_is_told(here: Path, argument: str, words: str) -> None:
    touch("scratches_10.jpg")
    with pytest.raises(UserError, match=words):
        expand_sources([argument])


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
def test_a_name_that_is_no_utf8_can_be_printed(here: Path) -> None:
    Path(os.fsdecode(b"in")).mkdir()
    Path(os.fsdecode(b"in/pr\xfcf.png")).write_bytes(b"x")
    source = expand_sources(["in"]).items[0]
    assert source.name == "in/pr\\udcfcf.png"
    assert printable(source.name).encode("utf-8")


def test_each_run_gets_a_folder_of_its_own(here: Path) -> None:
    base = Path("runs/detect")
    assert [fresh_folder(base) for _ in range(3)] == [base, Path("runs/detect-2"), Path("runs/detect-3")]


def test_sources_and_earlier_results_are_not_written_over(here: Path) -> None:
    touch("in/a.jpg", "in/b.png", "out/b.jpg", "out/labels/a.txt")
    sources = expand_sources(["in"]).items
    assert marked_file(Path("out"), sources[1]) == Path("out/b.jpg")
    with pytest.raises(UserError, match="one of the sources"):
        check_free(Path("in"), sources, [], marked=True, overwrite=True)
    with pytest.raises(UserError, match="--overwrite"):
        check_free(Path("out"), sources, [], marked=True)
    check_free(Path("out"), sources, [], marked=True, overwrite=True)
    check_free(Path("out"), sources, ["json", "csv", "coco"], marked=False)
    with pytest.raises(UserError, match=r"a\.txt"):
        check_free(Path("out"), sources, ["yolo"], marked=False)
    with pytest.raises(UserError, match="one of the sources"):
        check_free(Path("new"), sources, [], marked=True, extra=[Path("in/a.jpg")])
    with pytest.raises(UserError, match="is a folder"):
        check_free(Path("new"), sources, [], marked=True, extra=[Path("in")])


def test_labels_of_a_camera_are_not_written_over(here: Path) -> None:
    touch("out/labels/camera-0_000017.txt", "out/labels/camera-01.txt")  # which frames are judged depends on the moment
    cameras = expand_sources(["0", "1"]).items
    with pytest.raises(UserError, match=r"camera-0_000017\.txt: exists already"):
        check_free(Path("out"), cameras, ["yolo"], marked=False)
    check_free(Path("out"), cameras[1:], ["yolo"], marked=False)
    check_free(Path("out"), cameras, ["yolo"], marked=False, overwrite=True)
