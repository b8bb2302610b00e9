"""The S3 server that tests share: none finds what another left, in whatever order they run."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("_turn", [1, 2])
def test_the_bucket_is_empty_at_first(s3: Any, _turn: int) -> None:
    assert s3.ls("lake", refresh=True) == []
    s3.pipe_file("lake/left/a.png", b"A")
    s3.pipe_file("lake/b.png", b"B")
    assert sorted(s3.find("lake")) == ["lake/b.png", "lake/left/a.png"]
