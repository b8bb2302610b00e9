"""Pictures that take long to decode: they end in an answer, hold up no other, and outlive nobody."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from colors import paint
from PIL import Image as Pil

from lightdet.data.images import MAX_PAGES, MAX_PIXELS, TooLargeError, read_pages
from lightdet.errors import UserError
from lightdet.service import engine
from lightdet.service.decoders import Decoders

OPTIONS = {"bit_depth": 16, "max_pixels": MAX_PIXELS, "max_pages": MAX_PAGES}


def slow_picture(frames: int = 1_000_000) -> bytes:
    """A GIF of tiny frames, which are counted one by one."""
    stream = io.BytesIO()
    Pil.new("P", (4, 4)).save(stream, "GIF")
    data = stream.getvalue()
    first = data.index(b",")
    return data[:first] + data[first:-1] * frames + b";"


def saved(kind: str, *pages: np.ndarray) -> bytes:
    stream = io.BytesIO()
    first, *others = (Pil.fromarray(page) for page in pages)
    first.save(stream, kind, **({"save_all": True, "append_images": others} if others else {}))
    return stream.getvalue()


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    made = Decoders(20)
    yield made
    made.close()


PAGES = [np.random.default_rng(i).integers(0, 256, (30 + i, 50, 3), dtype=np.uint8) for i in range(3)]


def test_the_same_pictures_as_in_this_process(decoders: Decoders) -> None:
    for data in (saved("TIFF", *PAGES), saved("PNG", PAGES[0]), saved("TIFF", PAGES[0].astype(np.uint16)[..., 0])):
        ours = list(read_pages(data, **OPTIONS))
        theirs = list(decoders.pages(data, **OPTIONS))
        assert [(page.number, page.of) for page in ours] == [(page.number, page.of) for page in theirs]
        for one, other in zip(ours, theirs, strict=True):
            assert other.image.dtype == np.uint8 and np.array_equal(one.image, other.image)
    assert len(decoders._idle) == 1  # one after the other needs one process


@pytest.mark.parametrize("data", [b"nothing", saved("TIFF", PAGES[0])[:-2000], b"II*\0" + bytes(40)])
def test_the_same_refusals(decoders: Decoders, data: bytes) -> None:
    with pytest.raises(UserError) as ours:
        list(read_pages(data, **OPTIONS))
    with pytest.raises(UserError) as theirs:
        list(decoders.pages(data, **OPTIONS))
    assert type(ours.value) is type(theirs.value) and ours.value.message == theirs.value.message
    assert list(decoders.pages(saved("BMP", PAGES[0]), **OPTIONS))  # it goes on


def test_a_picture_that_takes_too_long() -> None:
    decoders = Decoders(1.0)
    try:
        list(decoders.pages(saved("TIFF", PAGES[0]), **OPTIONS))
        began = time.monotonic()
        with pytest.raises(TooLargeError, match="decoding it takes more than 1 s"):
            list(decoders.pages(slow_picture(), **OPTIONS))
        assert time.monotonic() - began < 4
        assert not decoders._working and not decoders._idle
    finally:
        decoders.close()


def test_a_process_that_dies_costs_its_picture_alone(decoders: Decoders) -> None:
    large = [np.zeros((400, 400, 3), np.uint8)] * 3  # more than a pipe holds
    pages = decoders.pages(saved("TIFF", *large), **OPTIONS)
    next(pages)
    [process] = decoders._working
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(UserError):
        list(pages)
    assert len(list(decoders.pages(saved("TIFF", *PAGES), **OPTIONS))) == 3


def test_pages_that_nobody_takes_are_given_up(decoders: Decoders) -> None:
    pages = decoders.pages(saved("TIFF", *PAGES), **OPTIONS)
    next(pages)
    [process] = decoders._working
    pages.close()  # type: ignore[attr-defined]
    assert process.poll() is not None and not decoders._working


def test_slow_pictures_hold_up_no_other(start: Any) -> None:
    served = start(limits={"decode_timeout": 2.0, "concurrency": 1})
    slow: list[int] = []

    def send_slow() -> None:
        slow.append(served.detect(slow_picture(2_500_000)).status_code)

    assert served.detect(saved("TIFF", PAGES[0])).status_code == 200  # the decoder is there
    threads = [threading.Thread(target=send_slow) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    times = []
    for _ in range(10):
        began = time.monotonic()
        assert served.detect(paint((0, 255, 10, 10, 40, 40))).json()["decision"] == "NG"
        times.append(time.monotonic() - began)
    assert not slow, "they are still being decoded"
    assert sorted(times)[5] < 2.0  # a tenth on a quiet machine
    ready = served.client.get("/ready").json()
    assert ready["ready"] and ready["engine"] == "up"
    for thread in threads:
        thread.join()
    assert slow == [413, 413]


def test_large_pictures_hold_up_no_small_one(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do slow ones hold up large ones: each kind waits for its own alone."""
    large = saved("PNG", np.zeros((4000, 5000), np.uint8))
    hold, held = threading.Event(), threading.Event()

    def reading(data: bytes, **options: Any) -> Iterator[Any]:
        if data == large:
            held.set()
            assert hold.wait(20)
        yield from read_pages(data, **options)

    monkeypatch.setattr(engine, "read_pages", reading)
    served = start(limits={"decode_timeout": 20.0, "concurrency": 1})
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(served.detect(large).status_code))
    waiting.start()
    try:
        assert held.wait(20)
        assert served.detect(paint()).status_code == 200 and not answers
        assert served.detect(saved("TIFF", PAGES[0])).status_code == 200 and not answers
    finally:
        hold.set()
        waiting.join()
    assert answers == [200]


def test_a_picture_that_never_ends_is_told(start: Any) -> None:
    served = start(delay=1.2, limits={"timeout": 0.3})
    threading.Thread(target=lambda: served.detect(paint())).start()
    time.sleep(0.8)
    answer = served.client.get("/ready")
    assert answer.status_code == 503 and answer.json()["engine"] == "stuck"
    time.sleep(1.0)
    assert served.client.get("/ready").status_code == 200
