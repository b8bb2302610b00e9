"""Which texts are URLs, also once they were paths, and what they name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.errors import UserError
from lightdet.storage.urls import Place, archive_kind, as_url, local_path, place_of

keys = st.lists(st.text("ab1 .-_*[]{}@", min_size=1, max_size=5).filter(lambda s: s not in (".", "..")), min_size=1)


@given(st.sampled_from(["s3://", "gs://", "az://", "https://", "zip://in/a.png::s3://", "tar://::https://"]), keys)
def test_a_url_survives_being_made_a_path(start: str, parts: list[str]) -> None:
    url = start + "/".join(["lake", *parts])
    assert as_url(url) == url == as_url(Path(url))


@pytest.mark.parametrize(
    "text", ["in/a.png", "C:/set/a.png", "C:\\set", "rtsp://cam/1", "s3", "s3:", "zip:a", "0", "a::b"]
)
def test_other_texts_are_no_urls(text: str) -> None:
    assert as_url(text) is None and as_url(Path(text)) is None


def test_a_file_url_is_a_path() -> None:
    for text in ("file:///data/in/a b.png", Path("file:///data/in/a b.png")):
        assert local_path(text) == Path("/data/in/a b.png")
    assert local_path("s3://lake/a") is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://lake/in", Place("s3://lake/in")),
        ("parts.ZIP", Place("parts.ZIP", "", "zip")),
        ("gs://lake/a.tar.gz", Place("gs://lake/a.tar.gz", "", "tar")),
        ("https://h/a.tgz?sig=1", Place("https://h/a.tgz?sig=1", "", "tar")),
        ("zip://in/*.png::s3://lake/a.zip", Place("s3://lake/a.zip", "in/*.png", "zip")),
        ("tar://::file:///data/a.bin", Place("/data/a.bin", "", "tar")),
    ],
)
def test_what_a_text_names(text: str, place: Place) -> None:
    assert place_of(text) == place


def test_half_a_place_in_an_archive_is_refused() -> None:
    with pytest.raises(UserError, match=r"zip://a/b.png::parts.zip"):
        place_of("zip://in/a.png")
    with pytest.raises(UserError, match="archive in an archive"):
        place_of("zip://a.png::tar://b.zip::s3://lake/c.tar")
    assert archive_kind("a.gz") is None and archive_kind("https://h/a?name=b.zip") is None
