"""No user, password, key or token of an address reaches a name, a folder or a message, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.addresses import SCHEMES, ascii_url, hide_sign_in, shown_address, shown_name, split_address
from lightdet.errors import UserError
from lightdet.inference.sources import expand_sources
from lightdet.service.inspection import clean_name, part_name

SECRETS = ("gEhEiM", "aDmIn", "zWeItEs")
MARKS = "/?#@:&=%+;,!$'\"()*[]{}|\\^~`<> \t\n-._é＠：／"
marks = st.text(MARKS, max_size=3)


@st.composite
def passwords(draw: st.DrawFn) -> str:
    """Passwords whose letters are all of a secret, with whatever URL parsers stumble over between them."""
    parts = draw(st.lists(st.sampled_from(SECRETS), min_size=1, max_size=3))
    return draw(marks) + "".join(part + draw(marks) for part in parts)


ODD = ("RTSP://", "ftp://", "srt://", "rtsp:/", "rtsp:", "rtsp:///", " rtsp://", '"rtsp://', "-i rtsp://", "u=http://")
schemes = st.sampled_from([*(f"{each}://" for each in SCHEMES), *ODD, "rtps:/", "rtsp:\\\\", ""])
hosts = st.sampled_from(
    ["10.0.0.1", "cam.local", "[fe80::1]", "[fe80::1%eth0]", "cam_1:554", "10.0.0.1:", "", "h:99999"]
)
tails = st.sampled_from(
    ["", "/", "/ch1", "/Streaming/Channels/101", "/a@b", "?a=1", "#x", "/ch1?x=1#y", "\\x", "/[1].png"]
)
FORMS = (
    "{scheme}{user}:{password}@{host}{tail}",
    "{scheme}{password}@{host}{tail}",
    "{scheme}:{password}@{host}{tail}",
    "{scheme}{user}:{password}@{user}:{password}@{host}{tail}",
    "{scheme}{user}:{password}",  # nothing behind it: the password stands where a port would
    "{scheme}{host}/user={user}_password={password}_channel=1_stream=0.sdp",
    "{scheme}{host}/user={user}&password={password}&channel=1",
    "{scheme}{host}/live/{user}/{password}/1.ts",
    "{scheme}{host}/0/{user}:{password}/main",
    "{scheme}{host}/live/{password}",
    "{scheme}{host}/ch1?user={user}&pwd={password}",
    "{scheme}{host}?token={password}",
    "{scheme}{host}/ch1#{password}",
    "{scheme}{host}/app/key playpath=x pubUser={user} pubPasswd={password}",
)


def shows(text: str) -> bool:
    return any(secret.casefold() in text.casefold() for secret in SECRETS)


@given(st.sampled_from(FORMS), schemes, st.sampled_from(SECRETS), passwords(), hosts, tails)
def test_no_form_of_an_address_shows_its_secrets(
    form: str, scheme: str, user: str, password: str, host: str, tail: str
) -> None:
    address = form.format(scheme=scheme, user=user, password=password, host=host, tail=tail)
    try:
        source = expand_sources([address]).items[0]
        told = f"{source} {source.name} {source.stem}"
        assert source.target == address.strip()
    except UserError as error:
        told = str(error)
    if scheme or "{user}:{password}@" in form or "user=" in form:  # without any of these it may be a file's name
        assert not shows(told)
    if "://" in scheme:
        assert not shows(str(UserError("no such file", path=address)) + shown_address(address))
        if "@{host}" in form and "\n" not in address:
            assert not shows(hide_sign_in(f"took {address} for 3"))
            if "'" not in address:
                assert not shows(str(UserError(f"there is no picture '{address}' in img; correct it")))


@given(
    st.sampled_from((*FORMS[:4], "{scheme}{host}/a.png?token={password}")),
    st.sampled_from(["s3://", "az://", "S3:/", "zip://a.png::s3://", "tar://in/a.png::https://"]),
    passwords(),
    hosts,
    tails,
)
def test_no_address_of_a_stored_file_shows_its_sign_in(
    form: str, scheme: str, password: str, host: str, tail: str
) -> None:
    if form == FORMS[1]:  # without a user what stands before the first slash is the bucket
        password = password.replace("/", "").replace("\\", "")
    address = form.format(scheme=scheme, user=SECRETS[0], password=password, host=host, tail=tail)
    assert not shows(shown_address(address) + str(UserError("no such file", path=address)))


def test_what_stands_behind_an_at_of_a_query_is_no_host() -> None:
    for address in ("s3:///a.png?token=@secret", "s3://bucket?token=@secret", "az://user:w?rd@secret@bucket/a.png"):
        assert "secret" not in shown_address(address) + str(UserError("no such file", path=address))


def test_a_password_with_an_at_and_a_slash_is_hidden() -> None:
    assert "secret" not in shown_address("s3://user:@secret/@bucket/a.png")
    assert shown_address("s3://user:word@bucket/a.png") == "s3://bucket/a.png"
    assert shown_address("s3://bucket/a@2x.png") == "s3://bucket/a@2x.png"


@given(st.sampled_from(FORMS[:4] + FORMS[10:13]), passwords())
def test_a_caller_of_the_service_that_names_a_picture_by_its_address(form: str, password: str) -> None:
    if not any(mark in password for mark in "/\\?#"):
        name = form.format(scheme="rtsp://", user=SECRETS[0], password=password, host="cam", tail="/ch1")
        assert not shows(clean_name(name)) and not shows(part_name(name))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:secret@cam.local:554/line/1?token=abc", "rtsp://cam.local:554/line/1"),
        ("rtsp://me:p@ss@10.0.0.1/Streaming/Channels/101", "rtsp://10.0.0.1/Streaming/Channels/101"),
        ("rtsp://10.0.0.1/cam/realmonitor?channel=1&subtype=0", "rtsp://10.0.0.1/cam/realmonitor"),
        ("rtsp://10.0.0.1/h264Preview_01_main", "rtsp://10.0.0.1/h264Preview_01_main"),
        ("HTTP://[fe80::1]:80/video.mjpg", "http://[fe80::1]:80/video.mjpg"),
        ("udp://@:1234", "udp://:1234"),
        ("http://h/live/user/word/7.ts", "http://h/live/…"),
        ("rtmp://h/live/4fj3-9sk2", "rtmp://h/live/…"),
        ("https://me:word@h/lake/line 3/part-7.png?sig=abc", "https://h/lake/line 3/part-7.png"),
        ("http://h/user=me_password=word/now.jpg", "http://h/…"),
    ],
)
def test_what_is_shown(address: str, shown: str) -> None:
    assert str(split_address(address)) == shown


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("rtsp://a:1/b@10.0.0.1/ch1", "%2F"),
        ("rtsp://a:b#c@10.0.0.1/ch1", "%23"),
        ("rtsp://a:b?c@10.0.0.1/ch1", "%3F"),
        ("rtsp://a:b", "behind ://"),
        ("rtsp:///ch1", "a host"),
        ("rtsp://h:65536/ch1", "65535"),
    ],
)
def test_what_can_be_split_in_two_ways_is_refused_and_the_way_out_said(address: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        expand_sources([address])


def test_streams_that_differ_only_in_what_is_hidden_have_names_of_their_own() -> None:
    found = expand_sources(["rtsp://h/live/a?x=1", "rtsp://h/live/a?x=2", "rtsp://h/live/b"]).items
    assert [each.name for each in found] == ["rtsp://h/live/…", "rtsp://h/live/… (2)", "rtsp://h/live/… (3)"]
    assert len({each.stem for each in found}) == 3


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("s3://lake/2026/a@b.png", "s3://lake/2026/a@b.png"),
        ("s3:/lake/2026/a.png", "s3://lake/2026/a.png"),  # as a Path has it
        ("az://lake/a.png?sv=1&sig=abc", "az://lake/a.png"),
        ("abfs://lake@plant.dfs.core.windows.net/a.png", "abfs://lake@plant.dfs.core.windows.net/a.png"),
        ("s3://key:secret@lake/a.png", "s3://lake/a.png"),
        ("s3://key:sec/ret@lake/a.png", "s3://…"),
        ("zip://in/a.png::s3://key:secret@lake/parts.zip", "zip://in/a.png::s3://lake/parts.zip"),
        ("tar://a.png::parts.tar", "tar://a.png::parts.tar"),
    ],
)
def test_what_is_shown_of_stored_files(address: str, shown: str) -> None:
    assert shown_address(address) == shown
    assert shown_address(shown) == shown


def test_other_names_are_shown_as_they_are() -> None:
    for name in ("in/a@b.png", "C:/x/a.png", "C:\\x\\a@b.png", "batch 7/part:3.png", "a?b#c.png"):
        assert shown_address(name) == name
    assert shown_name("in/a@b.png") == "a@b.png" and shown_name("https://h/store/part-7.png?sig=abc") == "part-7.png"
    assert shown_name("C:\\x\\part 7.png") == "part 7.png"
    assert shown_name("rtmp://h/app/4fj3-9sk2") == "…"  # a stream's key


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no 'http://me:pw@h/a.jpg' in img; correct it", "no 'http://h/a.jpg' in img; correct it"),
        ("no https:/me:pw@h/store; correct 'path'", "no https://h/…; correct 'path'"),
        ("no 'https://h/a.jpg?sig=abc' in img", "no 'https://h/a.jpg' in img"),
        ("no 's3://key:secret@lake/a.png?sig=1' there", "no 's3://lake/a.png' there"),
        ("no 'zip://a.png::https://me:pw@h/parts.zip'", "no 'zip://a.png::https://h/parts.zip'"),
        ("C:/set/a@b.png: 3 boxes?", "C:/set/a@b.png: 3 boxes?"),
        ("see https://h/page; is it meant?", "see https://h/page; is it meant?"),
        (
            "the database postgresql://me:***@h:5432/parts is away",
            "the database postgresql://me:***@h:5432/parts is away",
        ),
        ("no rtsp://***@h/live?key=abc", "no rtsp://h/live"),
        ("write rtsp://user:password@host:port/path", "write rtsp://user:password@host:port/path"),
    ],
)
def test_addresses_in_messages(message: str, shown: str) -> None:
    assert UserError(message).message == shown


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://h/hook?line=7&x=%C3%BC#y", "https://h/hook?line=7&x=%C3%BC#y"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://h/Prüfplatz/a%20b?line=Ö#ü", "https://h/Pr%C3%BCfplatz/a%20b?line=%C3%96"),
        ("http://münchen.example:8443/ä", "http://xn--mnchen-3ya.example:8443/%C3%A4"),
    ],
)
def test_a_web_address_is_sent_in_ascii(url: str, sent: str) -> None:
    assert ascii_url(url) == sent


@pytest.mark.parametrize(
    "url", ["", "ftp://h/", "http://", "http:///x", "http://[", "http://h:0/", "http://h:x/", f"http://{'ü' * 64}/"]
)
def test_what_is_no_web_address(url: str) -> None:
    with pytest.raises(ValueError):
        ascii_url(url)
