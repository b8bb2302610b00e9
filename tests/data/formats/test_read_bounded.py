"""A label file takes the memory that it needs, not what it might have needed."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import read_bounded


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_memory_goes_with_the_file(size: int, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"x" * size)
    tracemalloc.start()
    try:
        assert read_bounded(path, 1 << 31) == b"x" * size
        assert tracemalloc.get_traced_memory()[1] < 2 * size + (3 << 20)
    finally:
        tracemalloc.stop()


def test_what_has_no_size_is_read_to_the_limit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="larger than 2 MiB"):
        read_bounded(Path("/dev/zero"), 2 << 20)
    (tmp_path / "a").write_bytes(b"x" * 100)
    assert len(read_bounded(tmp_path / "a", 100)) == 100
    with pytest.raises(DataError):
        read_bounded(tmp_path / "a", 99)
