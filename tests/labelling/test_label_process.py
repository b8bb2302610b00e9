"""``lightdet label`` as a process: it says what it does, holds its folder alone, and is killed without a loss."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from label_command import command, picture_at
from label_folders import bare_folder
from page_browser import Open

from lightdet.cli.app import main
from lightdet.data.proposal_file import PLACE, KeptProposal, KeptProposals, write_proposals


def test_killed_between_changes_and_started_again(tmp_path: Path) -> None:
    folder, told = bare_folder(tmp_path / "new", 2), tmp_path / "told.json"
    marks: list[dict[str, Any]] = []
    version = 0
    for round_ in range(2):
        with command(folder, told, "--format", "yolo", *(["--class", "dent"] if round_ == 0 else [])) as (process, url):
            for _ in range(3):
                marks = [{**mark, "origin": number} for number, mark in enumerate(marks)]
                x = 10.0 * len(marks)
                marks.append({"box": [x, 5.0, x + 8, 30.0], "name": "dent", "origin": None})
                sent = {"version": version, "marks": marks, "state": "labelled"}
                answer = httpx.put(picture_at(url, 0), json=sent)
                assert answer.status_code == 200, answer.text
                version, marks = answer.json()["version"], answer.json()["marks"]
                marks = [{"box": mark["box"], "name": mark["name"]} for mark in marks]
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    assert len((folder / "0.txt").read_text().splitlines()) == 6
    with command(folder, told) as (process, url):
        assert len(httpx.get(picture_at(url, 0)).json()["marks"]) == 6
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout is not None
        said = process.stdout.read()
        assert "2 pictures: 1 unlabelled, 1 labelled, 0 doubtful; classes: dent" in said and "Traceback" not in said


def test_a_second_server_on_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, told = bare_folder(tmp_path / "new"), tmp_path / "told.json"
    with command(folder, told) as (_, url):
        assert main(["label", str(folder), "--port", "0"]) == 2
        assert capsys.readouterr().err.strip() == f"error: {folder}: is being labelled already at {url}; open that"


@pytest.mark.parametrize("path", ["folder", "", "/image", "/proposals"])
def test_what_other_computers_must_show(networked: str, path: str) -> None:
    url, _, key = networked.partition("?key=")
    assert len(key) >= 20
    asks = {"X-API-Key": key}
    address = f"{url}api/folder" if path == "folder" else f"{picture_at(url, 0, headers=asks)}{path}"
    assert httpx.get(url).status_code == 200  # the page itself holds nothing
    asked = [
        httpx.get(address, params={"key": key}),
        httpx.get(address, headers={"X-API-Key": key[:-1]}),
        httpx.get(address, headers={"Cookie": "lightdet-label-key=; other=1"}),
        httpx.get(address, headers={"Cookie": f"lightdet-label-key={key}x"}),
    ]
    assert [answer.status_code for answer in asked] == [401] * 4
    assert [answer.json()["error"]["code"] for answer in asked] == ["no_key", "wrong_key", "no_key", "wrong_key"]
    for headers in (
        {"X-API-Key": key},
        {"Authorization": f"Bearer {key}"},
        {"Cookie": f"a=b; lightdet-label-key={key}"},
    ):
        assert httpx.get(address, headers=headers).status_code == 200


def test_the_page_takes_the_key_out_of_its_address(networked: str, open_page: Open) -> None:
    url, _, key = networked.partition("/?")
    page = open_page(url, f"?{key}")
    page.locator(".a9s-annotationlayer").wait_for()
    assert "key" not in page.url
    page.reload()
    page.locator(".a9s-annotationlayer").wait_for()
    stranger = open_page(url)
    stranger.get_by_text("open the whole address").wait_for()


@pytest.fixture(scope="module")
def networked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address, with its key, of a server that other computers reach."""
    folder = bare_folder(tmp_path_factory.mktemp("set") / "new", 2)
    told = folder.parent / "told.json"
    with command(folder, told, "--host", "0.0.0.0", "--class", "dent") as (_, url):
        yield url


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["label", "nowhere"], "error: nowhere: no such folder; give a folder of pictures, or a data set's YAML"),
        (["label", ".", "--port", "0"], "error: .: holds no picture that can be read"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr().err.strip() == message


def test_proposals_that_lie_beside_the_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As ``data collect`` leaves them: shown until they are accepted, and no labels."""
    folder, told = bare_folder(tmp_path / "new", 2), tmp_path / "told.json"
    found = [KeptProposal((5.0, 6.0, 50.0, 60.0), name, score) for name, score in (("dent", 0.2), ("scratch", 0.7))]
    write_proposals(folder, KeptProposals("best", ("scratch", "dent"), {"0.png": found}))
    with command(folder, told) as (process, url):
        shown = httpx.get(f"{url}api/folder").json()
        assert (shown["model"], [each["name"] for each in shown["classes"]]) == ("best", ["scratch", "dent"])
        assert shown["states"]["unlabelled"] == 2
        first, second = (httpx.get(f"{picture_at(url, number)}/proposals").json() for number in (0, 1))
        assert [each["name"] for each in first["proposals"]] == ["scratch", "dent"] and second["proposals"] == []
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    (folder / PLACE).write_text("{")
    assert main(["label", str(folder), "--port", "0"]) == 2
    assert capsys.readouterr().err == f"error: {folder / PLACE}: is damaged; delete it to label without proposals\n"
