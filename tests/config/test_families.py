"""The name of the network chooses the keys that its configuration has."""

from pathlib import Path

import pytest

from lightdet.config import Config, YamlFile, load_config, load_network_config, load_yaml, network_names
from lightdet.errors import UserError


def test_without_a_name_it_is_our_own_detector() -> None:
    assert load_config(YamlFile({})) == Config()
    assert load_config(YamlFile({"model": {"gate": "input"}})).model.name == "lightdet"


@pytest.mark.parametrize("name", network_names())
def test_each_name_is_read_back(name: str) -> None:
    config = load_config(YamlFile({"model": {"name": name}}))
    assert config.model.name == name
    card = config.model.model_dump(mode="json")
    assert load_network_config(YamlFile(card)) == config.model


def test_a_misspelt_network_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("imgsz: 320\nmodel:\n  name: lightdt\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"run\.yaml:3: .*'lightdt'; did you mean 'lightdet'\?"):
        load_config(load_yaml(path))


@pytest.mark.parametrize("name", ["3", "[a]", "null", "{a: 1}"])
def test_a_name_that_is_no_word_is_told(name: str) -> None:
    with pytest.raises(UserError, match=r"there is no network called .*from the command line"):
        load_config(YamlFile({}), [f"model.name={name}"])
