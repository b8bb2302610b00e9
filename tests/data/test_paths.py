"""A path that stands in a file of somebody else's: read where one file can be meant, refused where two can."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.describe import describe_folder
from lightdet.data.dataset import read_split
from lightdet.data.formats.class_csv import parse_class_csv
from lightdet.data.formats.folders import listed_classes
from lightdet.data.paths import FileFinder, find_file, find_folder, path_from
from lightdet.errors import UserError

part = st.text("abcxyz019 .-_ä", min_size=1, max_size=6).map(lambda text: f"p{text.strip(' .')}q")
PREFIXES = [
    "",
    "./",
    "data/",
    "../",
    "../../up/",
    "/content/",
    "C:/Users/me/",
    "d:\\data\\",
    "x64/Release/data/",
    "\\\\server\\share\\",
]


@given(
    folders=st.lists(part, min_size=1, max_size=3), name=part, prefix=st.sampled_from(PREFIXES), turned=st.booleans()
)
def test_whatever_stands_in_front_leads_to_the_one_file(
    folders: list[str], name: str, prefix: str, turned: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("set")
    target = root.joinpath(*folders, f"{name}.png")
    target.parent.mkdir(parents=True)
    target.touch()
    text = prefix + "/".join([*folders, f"{name}.png"])
    assert find_file(text.replace("/", "\\") if turned else text, [root]) == target


@given(first=part, name=part, at=st.integers(0, 20), drive=st.sampled_from(["C:\\", "C:/", "d:/"]))
def test_a_drive_within_a_path_is_part_of_it(
    first: str, name: str, at: int, drive: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Taken out, what is left would be the path of another file."""
    base = tmp_path_factory.mktemp("set")
    (base / first).mkdir()
    (base / first / name).touch()
    text = f"{first}/{name}"
    cut = 1 + at % len(text)
    assert find_file(text, [base]) is not None
    found = find_file(text[:cut] + drive + text[cut:], [base])
    assert found is None or cut <= len(first)  # in a folder's name: what another computer put in front


@given(first=part, second=part, name=part)
def test_two_files_that_fit_are_refused_with_both(
    first: str, second: str, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("set")
    bases = [root / f"1{first}", root / f"2{second}"]
    for base in bases:
        base.mkdir()
        (base / name).touch()
    with pytest.raises(UserError) as caught:
        find_file(name, bases)
    assert all(str(base / name) in str(caught.value) for base in bases)
    (bases[1] / name).unlink()
    (bases[1] / name).symlink_to(bases[0] / name)
    assert find_file(name, bases) == bases[0] / name  # one file by two ways


def test_the_end_of_a_path_may_fit_twice(tmp_path: Path) -> None:
    for folder in ("obj/a", "a"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.png").touch()
    with pytest.raises(UserError, match=r"'data/obj/a/1\.png' could be .*obj/a/1\.png or .*a/1\.png; write the path"):
        find_file("data/obj/a/1.png", [tmp_path])
    assert find_file("obj/a/1.png", [tmp_path]) == tmp_path / "obj" / "a" / "1.png"  # as it is written


def test_a_folder_that_was_named_is_kept(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    assert find_file("camera-a/1.png", [tmp_path]) is None
    assert find_file("C:\\camera-a\\1.png", [tmp_path]) is None
    assert (
        find_file("x" * 5000, [tmp_path]) is None
        and find_file("a\0b", [tmp_path]) is None
        and find_file("", []) is None
    )


def test_the_folder_of_the_pictures_may_be_part_of_the_path(tmp_path: Path) -> None:
    (tmp_path / "JPEGImages").mkdir()
    (tmp_path / "JPEGImages" / "1.png").touch()
    assert find_file("C:\\me\\JPEGImages\\1.png", [tmp_path / "JPEGImages"]) == tmp_path / "JPEGImages" / "1.png"


@pytest.mark.parametrize("text", ["../train/images", "/content/project-1/train/images", "D:/x/train/images"])
def test_folders_of_exports(text: str, tmp_path: Path) -> None:
    root = tmp_path / "set"
    (root / "train" / "images").mkdir(parents=True)
    (root / "images").mkdir()
    assert find_folder(text, root) == root / "train" / "images"
    (root / "train" / "images").rmdir()
    assert not find_folder(text, root).is_dir()  # 'images' is another split's, or all of them


def test_a_folder_beside_the_yaml_and_in_the_folder_above(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "set"):
        (folder / "train" / "images").mkdir(parents=True)
    with pytest.raises(UserError) as caught:
        find_folder("../train/images", tmp_path / "set")
    assert str(tmp_path / "set" / "train" / "images") in str(caught.value)
    assert str(tmp_path / "set" / ".." / "train" / "images") in str(caught.value)


@pytest.mark.parametrize("front", ["", "../", "../images/", "/", "/content/set/", "images/", "C:/x/"])
@pytest.mark.parametrize("length", [200, 256, 5000])
def test_names_that_no_file_can_have(front: str, length: int, tmp_path: Path) -> None:
    (tmp_path / "set" / "images").mkdir(parents=True)
    name = front + "x" * length
    assert find_file(name, [tmp_path / "set"]) is None
    assert find_folder(name, tmp_path / "set") == tmp_path / "set" / name
    for key in ("train: {}", "labels: {}\ntrain: images", "images: {}\ntrain: images", "path: {}\ntrain: images"):
        (tmp_path / "set" / "d.yaml").write_text(f"names: [x]\n{key.format(name)}\nval: images\n")
        with pytest.raises(UserError):
            read_split(load_dataset(tmp_path / "set" / "d.yaml"), "train")


names = st.sampled_from(["a", "b", "A", "1.png", "1.PNG", "ä.png", "a\u0308.png", "..", ".", "", "x" * 300, "a\0b"])


@settings(max_examples=40)
@given(
    files=st.sets(st.lists(st.sampled_from(["a", "b", "1.png", "ä.png"]), min_size=1, max_size=3).map("/".join)),
    texts=st.lists(
        st.tuples(st.sampled_from(PREFIXES), st.lists(names, max_size=3), st.sampled_from("/\\")),
        min_size=1,
        max_size=5,
    ),
)
def test_many_paths_are_found_as_one_is(
    files: set[str], texts: list[tuple[str, list[str], str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("set")
    for file in files:
        if not any(part.is_file() for part in [root / file, *(root / file).parents]):
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            if not (root / file).exists():
                (root / file).touch()

    def told(find: Callable[[str], Path | None], text: str) -> Path | str | None:
        try:
            return find(text)
        except UserError as error:
            return str(error)

    bases = [root, root / "a", root / "missing"]
    finder = FileFinder(bases)
    for prefix, parts, between in texts:
        text = prefix + between.join(parts)
        assert told(finder.find, text) == told(lambda text: find_file(text, bases), text)


@pytest.mark.parametrize(
    "row", ["images/{:03d}.jpg big scratch", "images\\{:03d}.jpg\t1", "{:03d} big scratch", "{:03d}"]
)
def test_a_longer_list_lists_no_more_folders(row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for each name that a line could mean took milliseconds per line, and far more on a network drive."""
    asked = Counter[str]()
    real_list, real_ask = os.listdir, Path.is_file

    def listdir(folder: Path) -> list[str]:
        asked["listed"] += 1
        return real_list(folder)

    def is_file(path: Path) -> bool:
        asked["files"] += 1
        return real_ask(path)

    (tmp_path / "images" / "big scratch").mkdir(parents=True)
    for number in range(200):
        (tmp_path / "images" / f"{number:03d}.jpg").touch()
    monkeypatch.setattr("lightdet.data.paths.os.listdir", listdir)
    monkeypatch.setattr(Path, "is_file", is_file)
    listed = []
    for length in (20, 200):
        asked.clear()
        lines = [row.format(number) for number in range(length)]
        if row == "{:03d}":
            table = tmp_path / "list.csv"
            table.write_text("\n".join(["path,label", *(f"{line},ok" for line in lines)]), "utf-8")
            entries, faults = parse_class_csv(table, [tmp_path / "images"], "train", ["ok", "big scratch"])
        else:
            (tmp_path / "list.txt").write_text("\n".join(lines), "utf-8")
            folders = [tmp_path, tmp_path / "images"]
            entries, faults = listed_classes([tmp_path / "list.txt"], folders, tmp_path, ["ok", "big scratch"])
        assert len(entries) == length
        assert not faults
        assert asked["files"] <= 2 * length + 10
        listed.append(asked["listed"])
    assert listed[0] == listed[1] <= 10


def test_a_path_to_another_drive_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_picture: Callable[..., Path]
) -> None:
    assert path_from(tmp_path / "a", tmp_path / "b" / "c.png") == "../b/c.png"
    for number in range(6):
        save_picture(tmp_path / "set" / "ok" / f"{number}.png", seed=number)
        save_picture(tmp_path / "set" / "bad" / f"{number}.png", seed=number + 50)

    def another_drive(*_: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", another_drive)
    assert path_from(tmp_path / "a", tmp_path / "b" / "c.png") == (tmp_path / "b" / "c.png").as_posix()
    describe_folder(tmp_path / "set", tmp_path / "d.yaml")
    assert load_dataset(tmp_path / "d.yaml").root == tmp_path / "set"
