"""The check sum in a file: what was written passes, what was changed anywhere does not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.errors import UserError
from lightdet.seal import SEAL_KEY, UNSEALED, check_seal, seal, sealed

BLANK = b'head {"' + SEAL_KEY.encode() + b'": "' + UNSEALED.encode() + b'"} tail'


def claimed(data: bytes) -> str:
    start = data.rfind(SEAL_KEY.encode()) + len(SEAL_KEY) + 4
    return data[start : start + 64].decode()


def test_the_sum_is_sha256_of_the_file_without_it() -> None:
    assert claimed(sealed(BLANK)) == hashlib.sha256(BLANK).hexdigest()
    assert claimed(sealed(BLANK, [b"more"])) == hashlib.sha256(BLANK + b"more").hexdigest()


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=50), st.data())
def test_a_change_anywhere_is_found(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, after: bytes, other: bytes, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("seal")
    path, beside = folder / "model", folder / "model.bin"
    path.write_bytes(before + BLANK + after)
    beside.write_bytes(other)
    seal(path, [beside])
    whole = path.read_bytes()
    assert whole == sealed(before + BLANK + after, [other])
    told = claimed(whole[: len(before) + len(BLANK)])
    assert check_seal(path, path.read_bytes(), told, [beside.read_bytes()])

    place = data.draw(st.integers(0, len(whole) + len(other) - 1))
    changed = bytearray(whole + other)
    changed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UserError, match="checksum"):
        check_seal(path, bytes(changed[: len(whole)]), told, [bytes(changed[len(whole) :])])


@pytest.mark.parametrize("told", ["", "0" * 63, "g" * 64, "a" * 64, UNSEALED, "A" * 64])
def test_a_sum_that_is_none(told: str) -> None:
    with pytest.raises(UserError, match="is damaged: its checksum does not match"):
        check_seal("model", sealed(BLANK), told)


def test_a_file_from_before_there_were_sums_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        assert not check_seal(tmp_path / "old.onnx", b"old", None)
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == [
        "verified: no; it is older than the checksums in model files"
    ]


def test_a_file_without_a_place_for_it() -> None:
    with pytest.raises(ValueError, match="no place"):
        sealed(b"nothing here")
