"""Names that other tools have taught are answered with ours: as options, as keys, and in a configuration's file."""

from __future__ import annotations

import pytest
from cyclopts.argument import Argument

from lightdet.cli.app import COMMANDS, app, main
from lightdet.config import Config, YamlFile, validate
from lightdet.config.yaml_file import all_paths
from lightdet.errors import UserError
from lightdet.other_names import CONFIG_KEYS, KEYS, OPTIONS

PATHS = set(all_paths(Config))


def arguments_of(command: str) -> list[Argument]:
    return [each for each in app[command].assemble_argument_collection() if each.parse]


def options_of(command: str) -> set[str]:
    return {name for argument in arguments_of(command) for name in argument.names if name.startswith("-")}


def refusal(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(args) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1
    return told


def test_what_the_tables_answer_is_there() -> None:
    assert set(KEYS.values()) <= PATHS == set(CONFIG_KEYS)
    assert set(OPTIONS.values()) <= {text for name in COMMANDS for text in options_of(name)}


@pytest.mark.parametrize("name", sorted(set(KEYS) | set(OPTIONS)))
def test_as_an_option_of_train(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    option = f"--{name.replace('_', '-')}"
    if option in options_of("train"):
        return
    ours = OPTIONS.get(name)
    wanted = ours if ours in options_of("train") else f"{KEYS.get(name)}=VALUE"
    if wanted == "None=VALUE":  # an option that another command has
        assert "No such option" in refusal(capsys, "train", "--data", "x.yaml", option, "1")
    else:
        assert f"{option} is " in (told := refusal(capsys, "train", "--data", "x.yaml", option, "1"))
        assert wanted in told


@pytest.mark.parametrize("key", sorted(path for path in PATHS if "." in path))
def test_a_key_with_dashes_is_told_to_go_without(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"write {key}=VALUE, without dashes" in refusal(capsys, "train", "--data", "x.yaml", f"--{key}", "1")


@pytest.mark.parametrize("name", sorted(set(KEYS) | set(OPTIONS)))
@pytest.mark.parametrize("above", ["", "train."])
def test_as_a_key(name: str, above: str) -> None:
    known = {path.rpartition(".")[2] for path in PATHS}
    if name in known:
        return
    with pytest.raises(UserError) as caught:
        validate(Config, YamlFile({}), [f"{above}{name}=1"])
    assert f"did you mean '{KEYS.get(name) or OPTIONS[name]}'?" in str(caught.value)


@pytest.mark.parametrize(
    ("args", "answer"),
    [
        (["detect", "--source", "x"], "without an option"),
        (["detect", "x", "--conf", "0.3"], "--conf is called --confidence here"),
        (["val", "--data", "x", "--img-size", "64"], "--img-size is called --imgsz here"),
        (["export", "-w", "x", "--include", "onnx"], "--include is called --format here"),
        (["train", "--data", __file__, "--device", "0,1"], "torchrun --nproc_per_node 2"),
        (["train", "--data", "x", "--nothing-like-it"], "No such option"),
    ],
)
def test_of_other_commands(args: list[str], answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer in refusal(capsys, *args)


def test_a_device_may_be_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    from lightdet.options.ranges import device_name

    assert [device_name(name) for name in ("0", "1", "cpu", "auto", "cuda:2")] == [
        "cuda:0",
        "cuda:1",
        "cpu",
        "auto",
        "cuda:2",
    ]


@pytest.mark.parametrize("command", ["train", "tune", "compare"])
def test_help_shows_the_defaults_of_side_batch_and_epochs(command: str) -> None:
    config, found = Config(), {name: each.parameter.help for each in arguments_of(command) for name in each.names}
    for option, default in (
        ("--imgsz", config.imgsz),
        ("--batch", config.train.batch),
        ("--epochs", config.train.epochs),
    ):
        assert f"default: the configuration's (detectors: {default})" in found[option]
