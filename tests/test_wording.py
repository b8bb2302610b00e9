"""One and many."""

import pytest

from lightdet.wording import counted


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
