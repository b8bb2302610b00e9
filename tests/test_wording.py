"""One and many; long and short; and phrases that are not to come back."""

import re
from pathlib import Path

import pytest

from lightdet.wording import counted, duration, training_length

ROOT = Path(__file__).parents[1]
PLURALS = (
    "anchors|batches|bits|boxes|bytes|cells|channels|copies|curves|defects|detections|entries|epochs|frames|grids|images|"
    "labels|milliseconds|numbers|objects|pictures|pixels|points|records|requests|results|rows|samples|scores|seconds|"
    "steps|tensors|threads|thresholds|tiles|trainings|values|kB|MB|GB|MiB|GiB|ms"
)
UNITS = (
    "batch|box|camera|cell|channel|class|core|day|defect|epoch|grid|hour|image|kind|layer|level|line|minute|model|month|"
    "network|object|part|picture|pixel|process|request|round|row|sample|second|seed|session|split|stage|step|stride|"
    "thread|tile|training|trial|week|worker"
)
RATE = rf"\b(?:{PLURALS}) an? (?:{UNITS})\b(?! (?:of|that|in|on)\b)"
ODD = {
    "'N X a Y' instead of 'N X per Y'": RATE,
    "a sentence that begins with 'Of'": r'(?:^|[.:!?] |""")Of (?:an?|the|each|all|several|classifiers|detectors)\b',
    "'proved' instead of 'verified'": r"\bproved\b",
    "'goes on' instead of 'continues'": r"\bgoes on\b",
    "'too' at the end, instead of 'also' or 'as well'": r", too[.;:]",
    "what a merge left undecided": "^(?:" + "<" * 7 + "|" + "=" * 7 + "|" + ">" * 7 + ")(?: |$)",
    "'as far as they fit' and its kind": r"\bas far as (?:they|it) (?:fits?|goes?|is|are)\b",
}
"""What a sentence says (for the message), and a pattern that finds it."""


def texts() -> list[Path]:
    """Everything that users and contributors read: pages, code and its help, configurations."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/api/*.md")]
    code = [path for folder in ("lightdet", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    more = [path for where in ("docs/adr/*.md", "benchmarks/**/*.md", "configs/**/*.yaml") for path in ROOT.glob(where)]
    return [*pages, ROOT / "CHANGELOG.md", *code, *more]


@pytest.mark.parametrize("kind", ODD)
def test_odd_phrases_do_not_come_back(kind: str) -> None:
    pattern = re.compile(ODD[kind])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, f"{kind}:\n" + "\n".join(found)


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


@pytest.mark.parametrize(
    ("epochs", "minutes", "told"),
    [(100, None, "100 epochs"), (1, None, "1 epoch"), (100, 4, "4 min"), (100, 0.5, "30 s"), (100, 90, "1 h 30 min")],
)
def test_training_length(epochs: int, minutes: float | None, told: str) -> None:
    assert training_length(epochs, minutes) == told
