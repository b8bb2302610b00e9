"""Pictures kept as they came: which, under what names, how long, and what is said of those that are not."""

from __future__ import annotations

import hashlib
import io
import re
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colors import paint
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pil
from test_store import NOON, inspection

from lightdet.cli.app import main
from lightdet.decisions import ClassRule, DecisionRule
from lightdet.errors import UserError
from lightdet.service import picture_writer
from lightdet.service.inspection import Inspection, new_id
from lightdet.service.keep_pictures import Choice, KeepPictures, read_choice
from lightdet.service.keys import Key
from lightdet.service.picture_folder import PictureFolder, file_name, identity_of, media_type
from lightdet.service.picture_retention import check_pictures, tidy
from lightdet.service.picture_writer import PictureWriter
from lightdet.service.records.store import Keep, Store
from lightdet.structures import Classification, Detections

RED, PALE = (0, 200, 10, 20, 50, 60), (0, 70, 10, 20, 50, 60)  # scores 0.78 and 0.27; the threshold is 0.25
DAY_MS = 86_400_000


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Which ------------------------------------------------------------------------------------------------------------


@given(st.booleans(), st.booleans(), st.booleans(), st.floats(0, 1), st.booleans(), st.booleans())
def test_what_any_word_asks_for_is_kept(
    everything: bool, rejected: bool, uncertain: bool, share: float, is_bad: bool, is_uncertain: bool
) -> None:
    choice = Choice(everything, rejected, uncertain, share)
    entry = inspection(NOON, *(["dent"] if is_bad else []), uncertain=is_uncertain)
    drawn = int(entry.id, 16) % 2**32 / 2**32 < share
    assert choice.wants(entry) == (everything or (rejected and is_bad) or (uncertain and is_uncertain) or drawn)


def test_a_share_is_drawn() -> None:
    drawn = sum(Choice(share=0.2).wants(inspection(NOON)) for _ in range(3000))
    assert 500 < drawn < 700
    assert all(Choice(share=1.0).wants(inspection(NOON)) for _ in range(100))


@pytest.mark.parametrize("words", [["some"], ["ALL"], ["sample"], ["sample=0"], ["sample=1.5"], ["sample=nan"],
                                   ["sample=x"], ["sample=0.1", "sample=0.2"], [""]])  # fmt: skip
def test_other_words_are_refused(words: list[str]) -> None:
    with pytest.raises(UserError, match="--keep"):
        read_choice(words)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 1)), max_size=4), st.integers(0, 100), st.integers(1, 50)
)
def test_a_verdict_is_uncertain_where_some_shift_changes_it(
    found: list[tuple[int, int]], threshold: int, band: int
) -> None:
    scores = sorted((score / 10_000 for score, _ in found), reverse=True)
    detections = Detections(
        np.tile(np.float32([0, 0, 9, 9]), (len(scores), 1)), np.array(scores, np.float32),
        np.array([label for _, label in found], np.int64), ("a", "b"), (20, 20),
    )  # fmt: skip
    rule, by = DecisionRule(threshold / 100), band / 100
    best = max((score for score, _ in found), default=-1)
    assert (rule.shifted(-by).ok(detections) != rule.shifted(by).ok(detections)) == _is_within(best, threshold, band)


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(0, 100), st.integers(1, 50))
def test_the_same_for_a_classifier(probability: int, threshold: int, band: int) -> None:
    bad = probability / 10_000
    found = Classification(np.array([bad, 1 - bad], np.float32), ("bad", "good"), (9, 9))
    rule, by = ClassRule(("bad",), threshold / 100), band / 100
    assert (rule.shifted(-by).ok(found) != rule.shifted(by).ok(found)) == _is_within(probability, threshold, band)


def _is_within(score: int, threshold: int, band: int) -> bool:
    """Whether one threshold of the band makes it OK and another NG; in ten-thousandths of a score."""
    return max(0, 100 * (threshold - band)) <= score < min(10_000, 100 * (threshold + band))


# Names ------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**42), st.binary(max_size=40))
def test_a_name_follows_from_the_record_and_the_first_bytes_alone(time_ms: int, data: bytes) -> None:
    name = file_name(new_id(time_ms), data)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d/\d\d/[0-9a-f]{32}\.[a-z0-9]{3,4}", name)
    assert PictureFolder(Path("/kept")).path(name) == Path("/kept") / name
    assert file_name(identity_of(name), data) == name
    assert re.fullmatch("(image/[a-z0-9-]+|application/octet-stream)", media_type(name))


PARTS = st.sampled_from(
    ["..", "/", "\\", "\0", "2026-11-26/06", "a" * 32, ".jpg", ".png", "%2e%2e", "\n", "C:", "é", ""]
)


@given(st.one_of(st.text(max_size=60), st.lists(PARTS, max_size=6).map("".join)))
def test_no_other_name_is_a_path(name: str) -> None:
    folder = PictureFolder(Path("/kept"))
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}/[0-9]{2}/[0-9a-f]{32}\.[a-z0-9]{3,4}", name):
        return
    for act in (folder.path, folder.read, folder.delete):
        with pytest.raises(ValueError, match="no name"):
            act(name)


@pytest.mark.parametrize(("kind", "ending"), [("JPEG", "jpg"), ("PNG", "png"), ("GIF", "gif"), ("BMP", "bmp"),
                         ("TIFF", "tif"), ("WEBP", "webp"), ("JPEG2000", "jp2"), ("PPM", "pnm")])  # fmt: skip
def test_the_ending_is_that_of_the_format(kind: str, ending: str) -> None:
    file = io.BytesIO()
    Pil.new("RGB", (4, 4)).save(file, kind)
    assert file_name(new_id(NOON), file.getvalue()).endswith(f".{ending}")


def test_workers_that_begin_together_prepare_one_folder(tmp_path: Path) -> None:
    def prepare(_: int) -> None:
        PictureFolder(tmp_path / "kept").prepare()

    with ThreadPoolExecutor(8) as workers:
        assert len(list(workers.map(prepare, range(800)))) == 800  # an error of one is raised here
    assert not list((tmp_path / "kept").iterdir())


# How long ---------------------------------------------------------------------------------------------------------


KEPT = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5000)), min_size=1, max_size=25)


@settings(max_examples=30, deadline=None)
@given(KEPT, st.integers(0, 6), st.integers(0, 40_000))
def test_the_oldest_pictures_go(tmp_path_factory: pytest.TempPathFactory, kept: Any, days: int, size: int) -> None:
    path = tmp_path_factory.mktemp("kept")
    folder, store = PictureFolder(path / "pictures"), Store(str(path / "i.sqlite3"))
    folder.prepare()
    entries = sorted((inspection(NOON + hours * DAY_MS // 2) for hours, _ in kept), key=lambda entry: entry.id)
    sizes: dict[str, int] = {}
    for entry, (_, length) in zip(entries, kept, strict=True):
        name = file_name(entry.id, b"\xff\xd8")
        folder.write(name, bytes(length), sync=False)
        sizes[name] = length
    store.insert(entries)
    (path / "pictures" / "notes.txt").write_text("mine")
    assert folder.size() == sum(sizes.values())
    before = store.cutoff(days)
    deleted = tidy(folder, KeepPictures(Choice(True), path, days=days, size=size), store)
    left = list(folder.names())
    assert left == list(sizes)[deleted:]  # the newest, and no gap between them
    assert not size or sum(sizes[name] for name in left) <= size
    assert all(int(identity_of(name)[:12], 16) >= before for name in left)
    if deleted:  # no more than had to go
        last = list(sizes)[deleted - 1]
        too_many = size and sum(sizes[name] for name in [last, *left]) > size
        assert too_many or int(identity_of(last)[:12], 16) < before
        assert store.pictures_deleted_until() == identity_of(last)
    assert (path / "pictures" / "notes.txt").read_text() == "mine"
    store.close()


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path)
    name = file_name(new_id(NOON), b"\xff\xd8")
    folder.write(name, b"whole", sync=False)
    half = folder.path(name).with_name(f".{'b' * 32}.jpg.lightdet.tmp")
    half.write_bytes(b"half")
    assert folder.size() == 5 and not half.exists()


def test_a_folder_of_other_records_is_refused(tmp_path: Path) -> None:
    keep, store = KeepPictures(Choice(True), tmp_path / "pictures"), Store(str(tmp_path / "i.sqlite3"))
    check_pictures(keep, store)
    mine, other = inspection(NOON), file_name(new_id(NOON + 1), b"\xff\xd8")
    PictureFolder(tmp_path / "pictures").write(other, b"theirs", sync=False)
    with pytest.raises(UserError, match="another database"):
        check_pictures(keep, store)
    PictureFolder(tmp_path / "pictures").write(file_name(mine.id, b"\xff\xd8"), b"mine", sync=False)
    store.insert([mine])
    check_pictures(keep, store)
    store.close()


# The disk ---------------------------------------------------------------------------------------------------------


def kept_by(writer: PictureWriter, *entries: Inspection) -> list[Inspection]:
    job = writer.take(entries)
    job.done.result(20)
    return job.close()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 8000), st.integers(1, 5000))
def test_so_much_stays_free(tmp_path_factory: pytest.TempPathFactory, free: int, floor: int, length: int) -> None:
    path = tmp_path_factory.mktemp("kept")
    writer = PictureWriter(KeepPictures(Choice(True), path, free=floor))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PictureFolder, "free", free)
        writer.start()
        [entry] = kept_by(writer, inspection(NOON, data=bytes(length)))
        writer.close()
    assert (entry.original is not None) == (free - length >= floor)
    assert (entry.not_kept is None) == (entry.original is not None) == (len(files_in(path)) == 1)
    assert entry.data is None


def test_a_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """A disk that is no longer mounted leaves an empty folder on another disk, or none."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    writer = PictureWriter(KeepPictures(Choice(True), folder, free=0))
    writer.start()
    assert kept_by(writer, inspection(NOON, data=b"1"))[0].original
    folder.rename(tmp_path / "elsewhere")
    assert kept_by(writer, inspection(NOON, data=b"1"))[0].not_kept == picture_writer.GONE
    assert not folder.exists()
    folder.mkdir()
    assert kept_by(writer, inspection(NOON, data=b"1"))[0].not_kept == picture_writer.GONE and not files_in(folder)
    writer.close()


def test_what_the_disk_does_not_take_in_time_is_not_kept(start: Any, tmp_path: Path, monkeypatch: Any) -> None:
    real = PictureFolder.write

    def slow(*args: Any, **options: Any) -> None:
        time.sleep(3.0)
        real(*args, **options)

    monkeypatch.setattr(PictureFolder, "write", slow)
    served = start(pictures=KeepPictures(Choice(True), tmp_path / "kept", free=0), picture_wait=0.2)
    began = time.monotonic()
    result = served.detect(paint(RED)).json()["results"][0]
    assert time.monotonic() - began < 2.5
    assert (result["decision"], result["original"], result["not_kept"]) == ("NG", None, picture_writer.TOO_SLOW)
    record = served.client.get(f"/api/inspections/{result['id']}").json()
    assert record["not_kept"] == picture_writer.TOO_SLOW
    deadline = time.monotonic() + 10
    while served.service.pictures._held and time.monotonic() < deadline:
        time.sleep(0.05)
    assert files_in(tmp_path / "kept") == []
    assert served.metric('lightdet_pictures_total{outcome="not_kept"}') == 1
    assert served.metric('lightdet_pictures_total{outcome="kept"}') == 0
    assert served.client.get("/ready").json()["pictures"] == "not kept"


def test_what_comes_too_late_is_told_as_not_kept(tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    """That which is being written when its record is closed, the rest of its request, and a request that waits."""
    told, begun, go_on = list[str](), threading.Event(), threading.Event()
    real = PictureFolder.write

    def slow(*args: Any, **options: Any) -> None:
        begun.set()
        assert go_on.wait(30)
        real(*args, **options)

    keep = KeepPictures(Choice(True), tmp_path / "kept", free=0)
    (tmp_path / "kept").mkdir()
    writer = PictureWriter(keep, report=told.append)
    writer.start()
    kept_by(writer, inspection(NOON, data=b"in time"))
    monkeypatch.setattr(PictureFolder, "write", slow)
    jobs = [writer.take([inspection(NOON, data=b"1"), inspection(NOON, data=b"2", sha256="cd" * 32)])]
    jobs.append(writer.take([inspection(NOON, data=b"3")]))
    assert begun.wait(30)
    records = [record for job in jobs for record in job.close()]
    go_on.set()
    for job in jobs:
        job.done.result(30)
    assert [record.not_kept for record in records] == [picture_writer.TOO_SLOW] * 3
    assert len(files_in(tmp_path / "kept")) == 1 and told == ["kept", *["not_kept"] * 3]
    assert writer.failing == picture_writer.TOO_SLOW and caplog.text.count(picture_writer.TOO_SLOW) == 1
    kept_by(writer, inspection(NOON, data=b"in time again"))
    assert writer.failing == "" and told[-1] == "kept"
    writer.close()


# Over HTTP --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "wanted"), [(["all"], "rpo"), (["ng"], "rp"), (["uncertain"], "p"), ([], ""),
                                               (["ng", "uncertain"], "rp"), (["sample=1"], "rpo")])  # fmt: skip
def test_which_pictures_are_kept(start: Any, tmp_path: Path, words: list[str], wanted: str) -> None:
    served = start(pictures=KeepPictures(read_choice(words), tmp_path / "kept", free=0))
    sent = {"r": paint(RED), "p": paint(PALE), "o": paint()}
    results = {each: served.detect(data).json()["results"][0] for each, data in sent.items()}
    for each, data in sent.items():
        answer = served.client.get(f"/api/inspections/{results[each]['id']}/original")
        kept = each in wanted
        assert (answer.status_code == 200) == kept == (results[each]["original"] is not None)
        assert results[each]["not_kept"] is None
        if kept:
            assert answer.content == data
            assert answer.headers["content-type"] == "image/png"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert served.client.get(results[each]["original"]).content == data
            assert served.client.get("/api/inspections").json()["results"] and "original" in results[each]
    assert len(files_in(tmp_path / "kept")) == len(wanted)
    assert served.metric('lightdet_pictures_total{outcome="kept"}') == len(wanted)
    assert served.client.get("/ready").json()["pictures"] == ("kept" if words else "none")


def test_a_name_that_came_with_a_picture_is_in_no_path(start: Any, tmp_path: Path) -> None:
    served = start(pictures=KeepPictures(Choice(True), tmp_path / "kept", free=0))
    for name in ("../../evil.png", "/etc/passwd", "a\\..\\b", "%2e%2e%2f", "CON", ".png", "x" * 150):
        assert served.detect(paint(), name=name).status_code == 200
    form = {"a": ("../../../up.php", paint(), "image/png")}
    assert served.client.post("/api/detect", files=form).status_code == 200
    names = files_in(tmp_path / "kept")
    assert len(names) == 8 and all(re.fullmatch(r"[0-9/-]+/[0-9a-f]{32}\.png", name) for name in names)


def test_pages_share_their_file(start: Any, tmp_path: Path) -> None:
    served = start(pictures=KeepPictures(Choice(True), tmp_path / "kept", free=0))
    file = io.BytesIO()
    Pil.new("RGB", (40, 30)).save(file, "TIFF", save_all=True, append_images=[Pil.new("RGB", (40, 30), "red")])
    results = served.detect(file.getvalue()).json()["results"]
    assert len(results) == 2
    for each in results:
        answer = served.client.get(each["original"])
        assert (answer.content, answer.headers["content-type"]) == (file.getvalue(), "image/tiff")
    first, second = (tmp_path / "kept" / name for name in files_in(tmp_path / "kept"))
    assert first.samefile(second)


def test_a_full_disk_stops_nothing_but_the_keeping(start: Any, tmp_path: Path, caplog: Any) -> None:
    served = start(pictures=KeepPictures(Choice(True), tmp_path / "kept", free=1 << 62))
    with caplog.at_level("INFO", logger="lightdet.service"):
        results = [served.detect(paint(RED)).json()["results"][0] for _ in range(3)]
    for result in results:
        assert result["decision"] == "NG" and result["original"] is None
        assert "would be free on the disk" in result["not_kept"]
        answer = served.client.get(f"/api/inspections/{result['id']}/original")
        assert answer.status_code == 404 and "would be free" in answer.json()["error"]["message"]
    assert caplog.text.count("pictures are not kept") == 1  # said once, not for each
    assert served.client.get("/ready").json()["pictures"] == "not kept"
    assert served.metric('lightdet_pictures_total{outcome="not_kept"}') == 3
    csv = served.client.get("/api/inspections.csv").text
    assert csv.count("would be free on the disk") == 3


def test_deleted_missing_and_changed_pictures_are_told_apart(start: Any, tmp_path: Path) -> None:
    served = start(pictures=KeepPictures(Choice(True), tmp_path / "kept", free=0))
    ids = [served.detect(paint(RED)).json()["results"][0]["id"] for _ in range(3)]
    store, kept = served.service.store, tmp_path / "kept"
    deleted, missing, changed = (kept / name for name in files_in(kept))
    folder = PictureFolder(kept)
    tidy(folder, KeepPictures(Choice(True), kept, size=folder.size() - 1), store)
    assert not deleted.exists()
    missing.unlink()
    changed.write_bytes(changed.read_bytes() + b"\0")
    answers = [served.client.get(f"/api/inspections/{identity}/original") for identity in ids]
    assert [answer.status_code for answer in answers] == [404, 404, 409]
    told = [answer.json()["error"]["message"] for answer in answers]
    assert (
        "deleted after its time" in told[0] and "is not where pictures are kept" in told[1] and "was changed" in told[2]
    )
    verdict = store.verify(picture=folder.read)
    assert verdict.faults == 2 and verdict.pictures == 1
    assert ids[1] in verdict.told[0] and "is missing" in verdict.told[0]
    assert ids[2] in verdict.told[1] and "was changed" in verdict.told[1]


def test_who_may_read_records_may_read_pictures(start: Any, tmp_path: Path) -> None:
    key = Key("line1", "operator", hashlib.sha256(b"s3cret").hexdigest())
    served = start(pictures=KeepPictures(Choice(True), tmp_path / "kept", free=0), keys=(key,))
    headers = {"x-api-key": "s3cret"}
    result = served.client.post("/api/detect", content=paint(), headers=headers).json()["results"][0]
    assert served.client.get(result["original"]).status_code == 401
    assert served.client.get(result["original"], headers=headers).content == paint()
    assert served.client.get(f"/api/inspections/{secrets.token_hex(16)}/original", headers=headers).status_code == 404


# The records' commands --------------------------------------------------------------------------------------------


def recorded(tmp_path: Path, number: int) -> tuple[str, Path]:
    """A database with so many records, a day apart, each with its picture."""
    database, kept = str(tmp_path / "i.sqlite3"), tmp_path / "pictures"
    kept.mkdir()
    writer, store = PictureWriter(KeepPictures(Choice(True), kept, free=0)), Store(database)
    writer.start()
    for day in range(number):
        data = paint(RED, size=(60 + day, 40))
        entry = inspection(NOON + day * DAY_MS, "red", sha256=hashlib.sha256(data).hexdigest(), data=data)
        store.insert(kept_by(writer, entry))
    writer.close()
    store.close()
    return database, kept


def test_purge_deletes_the_pictures_with_the_rows(tmp_path: Path, capsys: Any) -> None:
    database, kept = recorded(tmp_path, 5)
    names = files_in(kept)
    assert main(["records", "purge", "--database", database, "--rows", "2"]) == 0
    assert files_in(kept) == names[3:]
    assert main(["records", "verify", "--database", database]) == 0
    assert "2 pictures compared" in capsys.readouterr().out
    kept.rename(tmp_path / "moved")
    for verb in (["verify"], ["purge", "--rows", "1"]):
        assert main(["records", *verb, "--database", database]) == 2
        assert "give --keep-folder" in capsys.readouterr().err
    assert main(["records", "verify", "--database", database, "--no-pictures"]) == 0
    assert main(["records", "verify", "--database", database, "--keep-folder", str(tmp_path / "moved")]) == 0


def test_retention_deletes_the_pictures_with_the_rows(tmp_path: Path) -> None:
    database, kept = recorded(tmp_path, 5)
    store, folder = Store(database), PictureFolder(kept)
    store.purge(Keep(days=2), forget=folder.delete)
    assert [identity_of(name) for name in folder.names()] == [each["id"] for each in store.history(_all(), limit=9)][
        ::-1
    ]
    assert store.verify(picture=folder.read).faults == 0
    store.close()


def _all() -> Any:
    from lightdet.service.records.store import Span

    return Span()


def test_verify_names_the_picture_and_export_the_file(tmp_path: Path, capsys: Any) -> None:
    database, kept = recorded(tmp_path, 3)
    names = files_in(kept)
    (kept / names[1]).write_bytes(b"another")
    assert main(["records", "verify", "--database", database]) == 1
    out = capsys.readouterr().out
    assert f"its picture {names[1]} was changed" in out and "FAULTS: 1" in out
    table = tmp_path / "records.csv"
    assert main(["records", "export", "--database", database, "-o", str(table)]) == 0
    assert all(table.read_text(encoding="utf-8-sig").count(name) == 1 for name in names)
