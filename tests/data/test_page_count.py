"""Files with several pictures: every one is read, as an independent decoder has it, or the file is refused."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import imageio.v3
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pil

from lightdet.data.images import TooLargeError, read_image, read_pages
from lightdet.errors import UserError

COLORS = np.array([(0, 0, 0), (255, 255, 255), (200, 30, 40), (20, 120, 250)], np.uint8)
FORMS = {"GIF": {}, "WEBP": {"lossless": True}, "PNG": {}, "TIFF": {}}


def pictures(seed: int, count: int, width: int = 20, height: int = 14) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [COLORS[rng.integers(0, len(COLORS), (height, width))] for _ in range(count)]


def saved(form: str, arrays: list[np.ndarray]) -> bytes:
    first, *others = [Pil.fromarray(array) for array in arrays]
    stream = io.BytesIO()
    first.save(stream, form, save_all=True, append_images=others, **FORMS[form])
    return stream.getvalue()


@pytest.mark.parametrize("form", FORMS)
@given(seed=st.integers(0, 1000), count=st.integers(1, 5), width=st.integers(2, 40), height=st.integers(2, 40))
@settings(max_examples=15, deadline=None)
def test_every_picture_is_the_one_that_was_saved(form: str, seed: int, count: int, width: int, height: int) -> None:
    arrays = pictures(seed, count, width, height)
    arrays = [a for a, before in zip(arrays, [None, *arrays], strict=False) if not np.array_equal(a, before)]
    data = saved(form, arrays)
    pages = list(read_pages(data, name=f"x.{form.lower()}"))
    assert [(p.number, p.of) for p in pages] == [(n + 1, len(arrays)) for n in range(len(arrays))]
    for page, array in zip(pages, arrays, strict=True):
        assert np.array_equal(page.image, array)
    assert [p.name("a.x") for p in pages] == (["a.x"] if len(arrays) == 1 else [f"a.x#{p.number}" for p in pages])
    other = imageio.v3.imread(data, index=..., mode="RGB")
    assert np.array_equal(np.array(other), np.stack([page.image for page in pages]))


@given(
    depth=st.sampled_from([8, 16]),
    gray=st.booleans(),
    count=st.integers(2, 4),
    order=st.sampled_from(["<", ">", "<big"]),  # Pillow reads no BigTIFF of the other order: that one is refused
    compression=st.sampled_from([None, "zlib"]),
    sizes=st.lists(st.tuples(st.integers(2, 30), st.integers(2, 30)), min_size=4, max_size=4),
)
@settings(max_examples=30, deadline=None)
def test_tiffs_of_pages_that_differ_in_size(depth, gray, count, order, compression, sizes) -> None:
    rng, stream = np.random.default_rng(0), io.BytesIO()
    with tifffile.TiffWriter(stream, byteorder=order[0], bigtiff=order == "<big") as writer:
        for width, height in sizes[:count]:
            array = rng.integers(0, 1 << depth, (height, width) if gray else (height, width, 3), f"uint{depth}")
            kind = "minisblack" if gray else "rgb"
            writer.write(array, photometric=kind, compression=compression, metadata=None)
    pages = [page.image for page in read_pages(stream.getvalue())]
    stream.seek(0)
    with tifffile.TiffFile(stream) as file:
        for page, own in itertools.zip_longest(file.pages, pages):
            wanted = np.rint(page.asarray() * (255 / (2**depth - 1))).astype(np.uint8)
            assert np.array_equal(own, np.stack([wanted] * 3, -1) if gray else wanted)


@pytest.mark.parametrize("form", FORMS)
def test_cut_off_anywhere_no_page_is_lost_without_a_word(form: str) -> None:
    arrays = pictures(3, 3, 6, 4)
    data = saved(form, arrays)
    for end in range(1, len(data)):
        try:
            pages = [page.image for page in read_pages(data[:end])]
        except UserError:
            continue
        assert np.array_equal(np.stack(pages), np.stack(arrays)), f"cut at {end} of {len(data)}"


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_damage_is_one_line(form: str, data: st.DataObject) -> None:
    whole = bytearray(saved(form, pictures(5, 3)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        list(read_pages(bytes(whole), max_pixels=100_000))
    except UserError as error:
        assert "\n" not in str(error)


def test_stacks_that_list_their_first_picture_alone_are_refused() -> None:
    stack = np.arange(4 * 30 * 40, dtype=np.uint8).reshape(4, 30, 40)
    for options in ({"imagej": True}, {"metadata": {"axes": "ZYX"}}):
        stream = io.BytesIO()
        with tifffile.TiffWriter(stream, imagej=options.get("imagej", False)) as writer:
            writer.write(
                stack, photometric="minisblack", contiguous=True, truncate=True, metadata=options.get("metadata")
            )
        for read in (read_image, lambda data: list(read_pages(data))):
            with pytest.raises(UserError, match="of which only the first is listed"):
                read(stream.getvalue())


@pytest.mark.parametrize("kind", ["P1", "P2", "P3", "P4", "P5", "P6"])
@pytest.mark.parametrize("depth", [8, 16])
def test_several_pictures_in_a_pnm_are_refused(kind: str, depth: int) -> None:
    most = 1 if kind in ("P1", "P4") else 200 if depth == 8 else 60000
    values = 5 * 3 * (3 if kind in ("P3", "P6") else 1)
    head = f"{kind}\n5 3\n" + ("" if most == 1 else f"{most}\n")
    plain = kind in ("P1", "P2", "P3")
    size = 3 if kind == "P4" else values * (2 if most > 255 else 1)
    one = head.encode() + (b" ".join([b"1"] * values) if plain else b"\1" * size) + (b"\n" if plain else b"")
    assert read_image(one).shape == (3, 5, 3) and read_image(one + b"\n").shape == (3, 5, 3)
    with pytest.raises(UserError, match="several pictures in one PNM"):
        read_image(one + one)


def test_pages_and_pixels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved("TIFF", pictures(1, 5))
    with pytest.raises(TooLargeError, match="holds 5 pictures, and at most 4"):
        list(read_pages(data, max_pages=4))
    monkeypatch.setattr("lightdet.data.images.MAX_FILE_PIXELS", 3 * 20 * 14)
    read = []
    with pytest.raises(TooLargeError, match="#4"):
        for page in read_pages(data, name="a.tif"):
            read.append(page.number)
    assert read == [1, 2, 3]


def test_directories_without_end(tmp_path: Path) -> None:
    circle = bytearray(saved("TIFF", pictures(1, 2)))
    first = int.from_bytes(circle[4:8], "little")
    second_link = first + 2 + 12 * int.from_bytes(circle[first : first + 2], "little")
    circle[second_link : second_link + 4] = first.to_bytes(4, "little")
    with pytest.raises(UserError, match="are circular"):
        read_image(bytes(circle))
    many = bytearray(saved("TIFF", pictures(1, 1)))
    link = int.from_bytes(many[4:8], "little")
    link += 2 + 12 * int.from_bytes(many[link : link + 2], "little")
    for _ in range(1200):
        many[link : link + 4] = len(many).to_bytes(4, "little")
        link = len(many) + 2
        many += bytes(6)
    with pytest.raises(UserError, match="more than 1000 pictures"):
        read_image(bytes(many))
