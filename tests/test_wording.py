"""One and many; long and short."""

import pytest

from lightdet.wording import counted, duration


@pytest.mark.parametrize(
    ("number", "what", "told"),
    [
        (1, "box", "1 box"),
        (0, "box", "0 boxes"),
        (2, "class", "2 classes"),
        (1234, "picture", "1,234 pictures"),
        (1, "error", "1 error"),
        (3, "epoch", "3 epochs"),
    ],
)
def test_counted(number: int, what: str, told: str) -> None:
    assert counted(number, what) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "1 s"),
        (40.4, "40 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (720, "12 min"),
        (5400, "1 h 30 min"),
        (12_000, "3 h 20 min"),
        (7200, "2 h"),
        (100_000, "28 h"),
    ],
)
def test_duration(seconds: float, told: str) -> None:
    assert duration(seconds) == told
