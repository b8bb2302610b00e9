"""Forms, built by another library and taken apart by ours."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.service.engine import Upload
from lightdet.service.inspection import clean_name
from lightdet.service.uploads import Memory, form_boundary, split_form
from lightdet.web.errors import RefusalError


def encoded(files: list[tuple[str, bytes]], fields: dict[str, str] | None = None) -> tuple[bytes, bytes]:
    """A form as httpx writes it: body and boundary."""
    parts = [("pictures", (name, data, "image/png")) for name, data in files]
    request = httpx.Request("POST", "http://x/", files=parts, data=fields or {})
    boundary = form_boundary(request.headers["content-type"])
    assert boundary is not None
    return request.read(), boundary


@given(st.lists(st.binary(min_size=1), min_size=1, max_size=5))
def test_files_come_out_as_they_went_in(files: list[bytes]) -> None:
    body, boundary = encoded([(f"{i}.png", data) for i, data in enumerate(files)], {"comment": "hello"})
    assert split_form(body, boundary, 6).pictures == [Upload(data, f"{i}.png") for i, data in enumerate(files)]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_file_names_are_kept_without_folders(name: str) -> None:
    body, boundary = encoded([(name, b"x")])
    shown = split_form(body, boundary, 1).pictures[0].name
    assert shown == clean_name(name.replace('"', "%22")) or shown == clean_name(name)


NAMES = [
    (b'form-data; name="a"; filename="C:\\fake\\part 1.png"', "part 1.png"),
    (b'form-data; name="a"; filename="../../etc/passwd"', "passwd"),
    (b"form-data; name=a; filename=plain.png", "plain.png"),
    (b'form-data; name="a"; filename="a \\"b\\".png"', 'a "b".png'),
    ('form-data; name="a"; filename="Prüfling.png"'.encode(), "Prüfling.png"),
    (b"form-data; name=\"a\"; filename*=UTF-8''Pr%C3%BCfling.png", "Prüfling.png"),
    (b'form-data; name="a"; filename="L12/PW:0042"', "PW:0042"),
    (b'form-data; name="a"; filename="BYPASS=1.png"', "BYPASS=1.png"),
    (b'form-data; name="a"; filename="rtsp:/me:hush@cam/user=me_password=hush"', "…"),
    (b'form-data; name="a"; filename=""', ""),
    (b'form-data; name="a"; filename="' + b"x" * 300 + b'"', "x" * 200),
]


@pytest.mark.parametrize(("disposition", "name"), NAMES)
def test_file_names(disposition: bytes, name: str) -> None:
    body = b"--b\r\nContent-Disposition: " + disposition + b"\r\n\r\ndata\r\n--b--\r\n"
    assert split_form(body, b"b", 1).pictures == [Upload(b"data", name)]


FILE = b"--b\r\nContent-Disposition: form-data; name=left; filename=left.jpg\r\n\r\nx\r\n"
NET = b"--b\r\nContent-Disposition: form-data; name=right\r\n"
"""What .NET's `MultipartFormDataContent.Add(content, "right")` writes."""
BROKEN = [
    (b"", 400, "bad_form"),
    (b"no form at all", 400, "bad_form"),
    (b"--b\r\n\r\n", 400, "bad_form"),
    (b"--b--\r\n", 400, "no_picture"),
    (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nno file\r\n--b--', 400, "no_picture"),
    (b'--b\r\nContent-Disposition: form-data; filename="a"\r\n\r\n\r\n--b--', 400, "no_picture"),
    (b"--b\r\nno head\r\n--b--", 400, "bad_form"),
    (FILE + b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", 400, "bad_form"),
    (FILE + b"--b\r\n\r\nx\r\n--b--", 400, "bad_form"),
    (FILE + NET + b"Content-Type: image/jpeg\r\n\r\nx\r\n--b--", 400, "bad_form"),
    (FILE + NET + b"content-type: Application/Octet-Stream; a=b\r\n\r\nx\r\n--b--", 400, "bad_form"),
    (b"--bxx\r\nContent-Disposition: form-data; filename=a\r\n\r\nx\r\n--b--", 400, "bad_form"),
    (b"--b\r\nX: " + b"y" * 9000 + b"\r\n\r\nx\r\n--b--", 400, "bad_form"),
    (b"--b\r\nContent-Disposition: form-data; filename=a\r\n\r\nx\r\n" * 4 + b"--b--", 413, "too_many_parts"),
    (b"--b\r\n\r\nx\r\n" * 20 + b"--b--", 413, "too_many_parts"),
]


@pytest.mark.parametrize(("body", "status", "code"), BROKEN)
def test_a_broken_form_is_refused(body: bytes, status: int, code: str) -> None:
    with pytest.raises(RefusalError) as caught:
        split_form(body, b"b", 3)
    assert (caught.value.status, caught.value.code) == (status, code)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b'name="order"', "order"),
        (b"name=order\r\nContent-Type: text/plain; charset=utf-8", "order"),
        (b'name="order number"', "order number"),
    ],
)
def test_fields_have_their_whole_names(head: bytes, name: str) -> None:
    body = FILE + b"--b\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n7\r\n--b--"
    assert split_form(body, b"b", 1).fields == [(name, "7")]


@given(st.data())
def test_a_form_that_is_cut_off_is_refused(data: st.DataObject) -> None:
    body, boundary = encoded([("a.png", b"0123456789" * 20), ("b.png", b"x" * 50)])
    end = data.draw(st.integers(0, len(body) - len(b"--\r\n") - 1))
    with pytest.raises(RefusalError):
        split_form(body[:end], boundary, 5)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    for text in (body, b"--b\r\n" + body + b"\r\n--b--"):
        try:
            assert split_form(text, b"b", 3)
        except RefusalError as refusal:
            assert refusal.status in (400, 413)


@pytest.mark.parametrize(
    ("header", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; Boundary="a b"', None),
        ('multipart/form-data; boundary="a:b"', b"a:b"),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
    ],
)
def test_boundaries(header: str, boundary: bytes | None) -> None:
    assert form_boundary(header) == boundary


def test_memory_is_given_back() -> None:
    memory = Memory(100)
    with memory.account() as first:
        first.take(60)
        with pytest.raises(RefusalError) as caught, memory.account() as second:
            second.take(40)
            second.take(1)
        assert caught.value.status == 503 and caught.value.retry_after
        assert memory.used == 60
    assert memory.used == 0
