"""What a person may write into a YAML file, and what is said when it is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lightdet.assembly.dataset import load_dataset
from lightdet.config import Config, YamlFile, load_yaml, parse_overrides, validate
from lightdet.config.dataset import DatasetConfig
from lightdet.config.yaml_file import MAX_YAML_BYTES, merge
from lightdet.errors import UserError
from lightdet.tasks import read_config

NAMES = st.text("abcdefg", min_size=1, max_size=3)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3)
TREES = st.dictionaries(
    NAMES, st.recursive(LEAVES, lambda below: st.dictionaries(NAMES, below, max_size=3)), max_size=4
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str, *overrides: str) -> Config:
    Path("run.yaml").write_text(text, encoding="utf-8")
    return validate(Config, load_yaml("run.yaml"), overrides)


def told(text: str, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        read(text, *overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- merging and overrides --------------------------------------------------------------------------------


@given(TREES)
def test_merge_with_nothing_changes_nothing(tree: dict[str, object]) -> None:
    assert merge(tree, {}) == merge({}, tree) == merge(tree, tree) == tree


GROUPS = st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(), max_size=4), max_size=4)


@given(GROUPS, GROUPS)
def test_merge_goes_key_by_key(below: dict[str, dict[str, int]], above: dict[str, dict[str, int]]) -> None:
    expected = {name: {**below.get(name, {}), **above.get(name, {})} for name in below | above}
    assert merge(below, above) == expected


@given(TREES, NAMES, LEAVES)
def test_merge_replaces_a_group_by_a_value(tree: dict[str, object], name: str, leaf: object) -> None:
    assert merge(tree, {name: leaf}) == {**tree, name: leaf}


@given(st.dictionaries(NAMES, LEAVES, min_size=1, max_size=4))
def test_overrides_say_what_yaml_says(values: dict[str, object]) -> None:
    texts = [f"group.{name}={yaml.safe_dump(value, default_flow_style=True)}" for name, value in values.items()]
    assert parse_overrides(texts) == {"group": values}


def test_the_last_override_wins(here: Path) -> None:
    config = read("train: {epochs: 5, batch: 8}", "train.epochs=6", "train.epochs=7", "eval.iou=0.5")
    assert (config.train.epochs, config.train.batch, config.eval.iou) == (7, 8, 0.5)


@pytest.mark.parametrize("override", ["train.epochs", "=3", "a..b=3", ".a=3", ""])
def test_an_override_of_another_form(override: str) -> None:
    with pytest.raises(UserError, match=r"is not of the form key\.path=value, such as train\.epochs=3"):
        parse_overrides([override])


@pytest.mark.parametrize("text", ["[", "{", "!!python/name:os.system", "2024-99-99", "'"])
def test_an_override_that_is_no_yaml(text: str) -> None:
    with pytest.raises(UserError, match="the part after '=' is not valid YAML"):
        parse_overrides([f"a={text}"])


# --- the file itself --------------------------------------------------------------------------------------

BAD_FILES = [
    ("- a\n- b", "run.yaml:1: must hold 'key: value' lines at the top level"),
    ("just words", "run.yaml:1: must hold 'key: value' lines at the top level"),
    ("imgsz: [1,\n", "run.yaml:2: not valid YAML"),
    ("train:\n\tepochs: 3", "run.yaml:2: not valid YAML"),
    ('data: "C:\\data\\set"\n', "run.yaml:1: not valid YAML: found unknown escape character 'd'; in double"),
    ("imgsz: 64\ntrain: {}\nimgsz: 96", "run.yaml:3: the key 'imgsz' is given twice; remove one"),
    ("train:\n  lr: 1\n  lr: 2", "run.yaml:3: the key 'lr' is given twice"),
    ("a: !!python/object/apply:os.system ['echo']", "run.yaml:1: not valid YAML"),
    ("imgsz: 64\n---\nimgsz: 96", "run.yaml:2: not valid YAML"),
    ("extends: 3", "run.yaml:1: 'extends' must name one YAML file"),
    ("imgsz: 64\nextends: [a.yaml]", "run.yaml:2: 'extends' must name one YAML file"),
    ("extends: run.yaml", "run.yaml: 'extends' is circular"),
    ("extends: rum.yaml", "rum.yaml: no such file; did you mean run.yaml?"),
    ("imgsz: 2024-99-99", "run.yaml: not valid YAML: month must be in 1..12"),
    ("[" * 5000, "run.yaml: not valid YAML"),
]


@pytest.mark.parametrize(("text", "message"), BAD_FILES)
def test_a_bad_file(here: Path, text: str, message: str) -> None:
    assert told(text).startswith(message)


def test_no_file(here: Path) -> None:
    Path("light.yaml").touch()
    with pytest.raises(UserError, match=r"^lihgt\.yaml: no such file; did you mean light\.yaml\?$"):
        load_yaml("lihgt.yaml")
    with pytest.raises(UserError, match=r"no such file \(the folder nowhere does not exist either\)$"):
        load_yaml("nowhere/at-all.yaml")
    with pytest.raises(UserError, match="is a folder; give the YAML file in it"):
        load_yaml(".")


def test_a_picture_is_no_yaml(here: Path) -> None:
    Path("a.yaml").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(UserError, match="not UTF-8 text; is this the right file"):
        load_yaml("a.yaml")
    Path("b.yaml").write_bytes(b"#" * (MAX_YAML_BYTES + 1))
    with pytest.raises(UserError, match="larger than 4 MiB"):
        load_yaml("b.yaml")


def test_an_empty_file_is_all_defaults(here: Path) -> None:
    assert read("") == read("# nothing\n") == Config()


def aliases(levels: int) -> str:
    """Lists of aliases of lists of aliases: 10 to the power of `levels` values in a few hundred bytes."""
    value = f"[{', '.join('x' * 10)}]"
    for level in range(1, levels):
        value = f"[&k{level} {value}{f', *k{level}' * 9}]"
    return value


DATA = "format: yolo\nsplits: {train: a}\n"


@pytest.mark.parametrize("levels", [3, 8, 30])
@pytest.mark.parametrize(
    "text",
    [
        f"{DATA}classes: [BOMB]", f"{DATA}classes: BOMB", f"{DATA}root: BOMB", f"{DATA}bad: BOMB",
        f"{DATA}values: {{a: BOMB}}", f"{DATA}BOMB: 1", "model: {name: BOMB}", "task: classify\nmodel: {name: BOMB}",
        "task: BOMB", "imgsz: BOMB", "train: {lr: {a: BOMB}}", "train: BOMB",
    ],
)  # fmt: skip
def test_aliases_of_aliases_cost_nothing(here: Path, text: str, levels: int) -> None:
    file = Path("bomb.yaml")
    file.write_text(text.replace("BOMB", aliases(levels)))
    began = time.perf_counter()
    with pytest.raises(UserError) as caught:
        load_dataset(file) if text.startswith(DATA) else read_config(load_yaml(file))
    assert time.perf_counter() - began < 1
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)
    assert levels == 3 or "aliases" in str(caught.value) or text.endswith("BOMB: 1")


@pytest.mark.parametrize(
    "text", ["task: X", "model: {name: X}", "task: classify\nmodel: {name: X}", "train: {start: [X]}"]
)
def test_a_long_value_is_shown_shortened(here: Path, text: str) -> None:
    Path("run.yaml").write_text(text.replace("X", "x" * 100_000))
    with pytest.raises(UserError) as caught:
        read_config(load_yaml("run.yaml"))
    assert len(str(caught.value)) < 300


def test_an_alias_in_its_own_list_is_refused(here: Path) -> None:
    assert told("imgsz: 64\ntrain:\n  minutes: &m\n    - *m").startswith("run.yaml:3: aliases")
    assert "aliases" in told("imgsz: 64", "train.minutes=&m [*m]")


def test_aliases_that_stand_for_little_are_taken(here: Path) -> None:
    assert read("augment: {hsv_h: &few 0.25, hsv_s: *few}\n").augment.hsv_s == 0.25


# --- extends ----------------------------------------------------------------------------------------------


def test_extends_lays_one_file_over_another(here: Path) -> None:
    Path("deep").mkdir()
    Path("base.yaml").write_text("imgsz: 320\ntrain:\n  epochs: 5\n  batch: 4\n")
    Path("deep/middle.yaml").write_text("extends: ../base.yaml\ntrain:\n  epochs: 6\n")
    config = read("extends: deep/middle.yaml\ntrain:\n  lr: 0.5\n")
    assert (config.imgsz, config.train.epochs, config.train.batch, config.train.lr) == (320, 6, 4, 0.5)


def test_a_mistake_is_told_where_it_stands(here: Path) -> None:
    Path("base.yaml").write_text("imgsz: 320\ntrain:\n  epochs: -5\n")
    assert told("extends: base.yaml").startswith("base.yaml:3: 'train.epochs'")
    assert told("extends: base.yaml\n\ntrain:\n  epochs: -6").startswith("run.yaml:4: 'train.epochs'")


def test_a_longer_circle(here: Path) -> None:
    Path("a.yaml").write_text("extends: run.yaml")
    assert told("extends: ./a.yaml").endswith("'extends' is circular")


# --- keys and values --------------------------------------------------------------------------------------

BAD_VALUES = [
    ("trian:\n  epochs: 3", "run.yaml:1: unknown key 'trian'; did you mean 'train'?"),
    ("train:\n\n  epoch: 3", "run.yaml:3: unknown key 'train.epoch'; did you mean 'train.epochs'?"),
    ("imgsz: 64\nepochs: 3", "run.yaml:2: unknown key 'epochs'; did you mean 'train.epochs'?"),
    ("model:\n  mosaic: 0", "run.yaml:2: unknown key 'model.mosaic'; did you mean 'augment.mosaic'?"),
    ("learning: 3", "known here: imgsz, tiles, model, loss, augment, train, eval"),
    ("train:\n  epochs: many", "run.yaml:2: 'train.epochs' should be a valid integer"),
    ("train:\n  epochs: true", "run.yaml:2: 'train.epochs' should be a number (given: True)"),
    ("train:\n  epochs: 2.5", "run.yaml:2: 'train.epochs' should be a valid integer"),
    ("train:\n  lr: .nan", "run.yaml:2: 'train.lr' should be a finite number (given: nan)"),
    ("train:\n  lr: -1", "run.yaml:2: 'train.lr' should be greater than 0 (given: -1)"),
    ("train:", "run.yaml:1: 'train' should hold keys of its own, indented below it (given: nothing)"),
    ("train: 3", "run.yaml:1: 'train' should hold keys of its own"),
    ("model:\n  activation: gelu", "run.yaml:2: 'model.activation' should be 'leaky_relu', 'relu', 'silu'"),
    ("model:\n  attention_at: [8, 7]", "run.yaml:2: 'model.attention_at.1' should be 4, 8, 16 or 32 (given: 7)"),
    ("model:\n  anchors:\n  - [[1, 2]]", "run.yaml:2: 'model.anchors' must be three lists"),
    ("model:\n  heads_at: [4, 8, 16]", "run.yaml:2: 'model.heads_at' must be [8, 16, 32] or [4, 8, 16, 32]"),
    ("model:\n  heads_at: [8, 16]", "run.yaml:2: 'model.heads_at' must be [8, 16, 32] or [4, 8, 16, 32]"),
    ("model:\n  gate_at: [4, 16]", "run.yaml:1: 'model' has gate_at: [4, 16], but heads_at: [8, 16, 32]"),
    (
        "model:\n  heads_at: [4, 8, 16, 32]\n  anchors: [[[1, 2]], [[3, 4]], [[5, 6]]]",
        "run.yaml:1: 'model' has 3 lists of anchors, but heads_at: [4, 8, 16, 32]: give one for each",
    ),
    (
        "model: {heads_at: [4, 8, 16, 32]}\nloss: {objectness_balance: [4, 1, 1]}",
        "loss.objectness_balance has 3 weights, but model.heads_at is [4, 8, 16, 32]",
    ),
    ("model:\n  widths:\n  - 16\n  - 4\n  - 64\n  - 64\n  - 64", "run.yaml:4: 'model.widths.1' should be greater"),
    ("imgsz: 600", "run.yaml:1: 'imgsz' must be a multiple of 32; take 576 or 608 (given: 600)"),
    ("augment:\n  albumentations:\n    CLAHE: 3", "run.yaml:3: 'augment.albumentations.CLAHE' should be less than"),
]


@pytest.mark.parametrize(("text", "message"), BAD_VALUES)
def test_a_bad_value(here: Path, text: str, message: str) -> None:
    assert message in told(text)


@pytest.mark.parametrize("override", ["train.epoch=3", "imgsz=600", "train=3", "eval={iou: 3}", "train.lr=1,5"])
def test_a_bad_override_is_not_blamed_on_the_file(here: Path, override: str) -> None:
    message = told("imgsz: 64", override)
    assert message.endswith("(from the command line)") and "run.yaml" not in message


def test_a_long_value_is_shortened(here: Path) -> None:
    assert len(told(f"train:\n  lr: {list(range(10_000))}")) < 200


def test_numbers_as_people_write_them(here: Path) -> None:
    """YAML 1.1 takes 1e-3 for text."""
    assert read("train: {lr: 1e-3, epochs: 5.0}").train.lr == 0.001


def test_a_missing_file_is_not_taken_for_any_other_yaml(tmp_path: Path) -> None:
    (tmp_path / "quote.yaml").write_text("a: 1")
    with pytest.raises(UserError, match=r"nothere\.yaml: no such file$"):
        load_yaml(tmp_path / "nothere.yaml")
    with pytest.raises(UserError, match=r"did you mean .*quote\.yaml\?"):
        load_yaml(tmp_path / "qoute.yml")


@pytest.mark.parametrize("widths", ["[16, 32]", "[16, 32, 64, 128, 224, 256]", "32", "[]"])
def test_lists_of_fixed_length_say_what_they_hold(widths: str) -> None:
    with pytest.raises(UserError) as caught:
        validate(Config, YamlFile({}), [f"model.widths={widths}"])
    told = "'model.widths' must be five numbers: the channels of Focus and of the four stages below it"
    assert str(caught.value).startswith(f"{told} (given: {widths[:8]}")
    with pytest.raises(UserError, match=r"'loss\.objectness_balance' must be three numbers: the weights of the grids"):
        validate(Config, YamlFile({}), ["loss.objectness_balance=[4, 1]"])


def test_lists_of_free_length_say_their_limits() -> None:
    with pytest.raises(UserError, match="'splits' must hold at least 1, not 0"):
        validate(DatasetConfig, YamlFile({"format": "yolo", "classes": ["a"], "splits": {}}))


# --- what YAML takes for something else ---------------------------------------------------------------------

WHERE = (
    "name: {}",
    "root: {}",
    "classes: {}",
    "classes: [a, {}]",
    "classes: {{0: a, 1: {}}}",
    "bad: {}",
    "bad: [{}]",
    "images: {}",
    "images: [a, {}]",
    "labels: {}",
    "splits: {{train: {}}}",
    "splits: {{train: [a, {}]}}",
    "splits: {{train: {{images: {}}}}}",
    "splits: {{train: {{images: [{}]}}}}",
    "splits: {{train: {{images: a, labels: {}}}}}",
    "splits: {{train: {{list: {}}}}}",
    "splits: {{{}: a}}",
)
NO_TEXT = (
    st.integers(0, 10**6).map(str)
    | st.integers(0, 7**5).map(lambda value: f"0{value:o}")
    | st.floats(0, 1000).map(lambda value: f"{value:.3f}")
    | st.sampled_from(["yes", "no", "on", "off", "true", "False", "2024-01-31", "1e5", "0x1f", ".5", "-3", ".inf"])
)


@given(where=st.sampled_from(WHERE), value=NO_TEXT)
def test_what_is_no_text_to_yaml_is_told_to_want_quotes(where: str, value: str) -> None:
    """A folder 010 would have been looked for as 8, a class 'no' as False; in quotes it is what stands there."""
    base = {"format": "yolo", "classes": ["a"], "splits": {"train": "a"}}
    given_so = yaml.safe_load(where.format(value))
    if isinstance(yaml.safe_load(value), str):  # such as 1e5, which is a text to YAML
        return
    with pytest.raises(UserError, match="quotes"):
        validate(DatasetConfig, YamlFile(base | given_so))
    if value[0].isalnum() or where not in ("name: {}", "splits: {{{}: a}}"):  # those may become file names
        validate(DatasetConfig, YamlFile(base | yaml.safe_load(where.format(f"'{value}'"))))


def test_a_number_for_a_text_on_the_command_line_is_told_how_to_be_written(here: Path) -> None:
    message = told("", "train.distill=7")
    assert "\"train.distill='7'\"" in message
    assert read("", "train.distill='7'").train.distill == "7"
