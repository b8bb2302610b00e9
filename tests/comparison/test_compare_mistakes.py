"""What ``lightdet compare`` says, in one line and before any training, when something is wrong."""

import json
from pathlib import Path

import pytest
import torch
from comparison_runs import SMALL, Compare
from hypothesis import given
from hypothesis import strategies as st

from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.config import ModelConfig
from lightdet.errors import UserError
from lightdet.models.weights import save_model
from lightdet.options.compare import CompareOptions
from lightdet.runs.compare.request import Entry, entries_of, parse_seeds
from lightdet.structures import Preprocessing

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
NAMES = ("surface", "shape_size", "material", "welding", "functional", "assembly")


def trained(path: str, names: tuple[str, ...] = NAMES, gate: str = "scalar") -> Path:
    config = ModelConfig(widths=[8, 8, 8, 16, 16], gate=gate)  # type: ignore[arg-type]
    network = build_detector(config, len(names), 64)
    card = ModelCard(config.model_dump(mode="json"), names, Preprocessing(64))
    save_model(Path(path), network.state_dict(), card)
    return Path(path)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ([], "nothing to compare"),
        (["none.yaml"], "none.yaml: no such file"),
        (["naer.yaml"], "did you mean near.yaml?"),
        (["none.safetensors"], "none.safetensors: no such file"),
        (["near"], "near: is neither a configuration (.yaml) nor a trained model (.safetensors), and there is no such"),
        (["."], "is a folder; give a configuration"),
        (["found.json"], "with --predictions NAME=FILE"),
        (
            ["near.yaml", "--predictions", "found.json", "--predictions", "near=found.json"],
            "two rows are called 'near'",
        ),
        (["near.yaml", "near.yaml"], "two rows are called 'near' (near.yaml and near.yaml)"),
        (["near.yaml", "NEAR=far.yaml"], "two rows are called"),
        (["a/b=near.yaml"], "cannot name a row"),
        (["near.yaml", "--seeds", "0,1,0"], "--seeds: the seed 0 is given twice"),
        (["near.yaml", "--seeds", "1", "1"], "--seeds: the seed 1 is given twice"),
        (["near.yaml", "--seeds", "one"], "'one' is not a seed"),
        (["near.yaml", "--seeds", "-1"], "'-1' is not a seed"),
        (["near.yaml", "--seeds", ""], "give whole numbers"),
        (["near.yaml", "3"], "give seeds with --seeds"),
        (
            ["near.yaml", "--seeds-for", "naer=1"],
            "--seeds-for names 'naer', which is not trained here; trained are near",
        ),
        (["near.yaml", "--seeds-for", "near"], "give NAME=SEED,SEED"),
        (["near.yaml", "--seeds-for", "near=1,1"], "the seed 1 is given twice"),
        (["near.yaml", "--seeds-for", "near=1", "--seeds-for", "near=2"], "names 'near' twice"),
        (["near.yaml", "train.seed=3"], "a comparison sets train.seed from --seeds"),
        (["near.yaml", "train.epoch=3"], "did you mean 'train.epochs'"),
        (["near.yaml", "--epochs", "0"], "--epochs"),
        (["near.yaml", "--imgsz", "100"], "not a multiple of 32"),
        (["near.yaml", "--split", "test"], "there is no split 'test'; the data set has train, val"),
        (["near.yaml", "--device", "cpu"], "--device is given twice"),
        ([str(CONFIGS / "classify" / "cnn.yaml")], "marks boxes (format: yolo), and a classifier needs a data set"),
        (["near.yaml", str(CONFIGS / "classify" / "cnn.yaml")], "cnn.yaml is a classifier and near.yaml a detector"),
        (
            [str(CONFIGS / "classify" / "cnn.yaml"), "--predictions", "found.json"],
            "cnn.yaml is a classifier and found.json a detector",
        ),
        (["wrong.yaml"], "wrong.yaml:2: unknown key 'model.widht'"),
        (["--predictions", "found.json", "train.lr=1"], "'train.lr=1' would change a training, and there is none"),
        (["--predictions", "bad.json"], "bad.json: entry 1: there is no picture 'other.png'"),
        (["--predictions", "x=none.json"], "none.json: no such file"),
        (["--models", "list.yaml"], "list.yaml:3: 'models.b' needs one of config, weights and predictions, got none"),
        (["--models", "seeds.yaml"], "'models.a.seeds': the seed 1 is given twice"),
        (["--models", "names.yaml"], "names.yaml:1: 'models' 'a/../b' cannot name a row"),
        (["--models", "gone.yaml"], "gone.yaml:2: none.safetensors: no such file"),
    ],
    ids=str,
)
def test_mistakes_of_the_command_line(compare: Compare, args: list[str], told: str) -> None:
    Path("found.json").write_text("[]")
    Path("wrong.yaml").write_text("model:\n  widht: 3\n")
    entry = {"image_id": "other.png", "category_id": 0, "bbox": [1, 1, 2, 2], "score": 1}
    Path("bad.json").write_text(json.dumps([entry]))
    Path("list.yaml").write_text("models:\n  a: {config: near.yaml}\n  b: {seeds: [1]}\n")
    Path("seeds.yaml").write_text("models: {a: {config: near.yaml, seeds: [1, 1]}}\n")
    Path("names.yaml").write_text("models: {a/../b: {config: near.yaml}}\n")
    Path("gone.yaml").write_text("models:\n  a: {weights: none.safetensors}\n")
    assert told in compare.refused(*args)
    assert not list(Path().glob("out/*"))


def test_weights_that_do_not_fit(compare: Compare) -> None:
    trained("other.safetensors", ("hole", *NAMES[1:]))
    assert "other.safetensors: finds other classes" in compare.refused("other.safetensors")
    cut = trained("cut.safetensors")
    cut.write_bytes(cut.read_bytes()[:3000])
    assert "cut.safetensors: " in compare.refused("cut.safetensors")
    card = ModelCard({"task": "classify", "name": "cnn"}, NAMES, Preprocessing(64))
    save_model("class.safetensors", {"a": torch.zeros(1)}, card)
    assert "marks boxes (format: yolo), and a classifier needs a data set" in compare.refused("class.safetensors")
    assert "class.safetensors is a classifier and near.yaml a detector" in compare.refused(
        "near.yaml", "class.safetensors"
    )
    one, two = trained("one.safetensors"), trained("two.safetensors", gate="channel")
    assert "runs of 'x' must be one network" in compare.refused(f"x={one}", f"x={two}")
    assert "is given twice for 'x'" in compare.refused(f"x={one}", f"x={one}")


def test_data_without_a_split_to_score_on(compare: Compare) -> None:
    data = Path("only.yaml")
    data.write_text(f"root: {compare.data.parent}\nformat: yolo\nclasses: [a]\nsplits: {{train: images/train}}\n")
    assert "only.yaml: there is no split 'val'; the data set has train" in compare.refused("near.yaml", data=data)
    data.write_text(f"root: {compare.data.parent}\nformat: yolo\nclasses: [a]\nsplits: {{val: images/val}}\n")
    assert "there is no split 'train'" in compare.refused("near.yaml", data=data)


def test_a_folder_of_something_else(compare: Compare) -> None:
    Path("out").mkdir()
    Path("out/thesis.txt").write_text("mine")
    assert "out: holds something other than a comparison ('thesis.txt')" in compare.refused("near.yaml")
    assert [path.name for path in Path("out").iterdir()] == ["thesis.txt"]
    Path("out/thesis.txt").unlink()
    Path("out/plan.json").write_text('{"tomorrow": 3}')
    assert "out/plan.json: is not the plan of a comparison" in compare.refused("near.yaml")


def test_finished_models_need_no_training_split(compare: Compare) -> None:
    """And a list of several kinds is read in its order, its files beside it."""
    Path("there").mkdir()
    trained("there/best.safetensors")
    Path("there/found.json").write_text("[]")
    Path("there/list.yaml").write_text(
        "models:\n  nothing: {predictions: found.json}\n  something: {weights: [best.safetensors]}\n"
    )
    data = Path("val.yaml")
    names = ", ".join(NAMES)
    data.write_text(f"root: {compare.data.parent}\nformat: yolo\nclasses: [{names}]\nsplits: {{val: images/val}}\n")
    code, out, err = compare("--models", "there/list.yaml", "--imgsz", "96", "eval.max_detections=50", data=data)
    assert (code, err) == (0, ""), err
    value = json.loads(Path("out/comparison.json").read_text(encoding="utf-8"))
    assert [model["name"] for model in value["models"]] == ["nothing", "something"]
    assert value["models"][1]["cost"]["imgsz"] == 96
    key = json.loads(Path("out/models/something/weights1/result.json").read_text())["key"]
    assert key["settings"]["max_detections"] == 50
    assert "training" not in out


def test_names_come_from_files(compare: Compare) -> None:
    Path("run a").mkdir()
    request = CompareOptions(
        data=compare.data,
        output=Path("out"),
        models=["near.yaml", str(trained("run a/best.safetensors")), f"x y={trained('last.safetensors')}"],
        seeds=(4, 2),
        seeds_for=["near=9"],
        overrides=["train.epochs=2"],
    )
    entries = {entry.name: entry for entry in entries_of(request)}
    assert list(entries) == ["near", "run a", "x y"]
    assert entries["near"].seeds == (9,) and entries["run a"].seeds == ()
    assert entries["near"].config is not None and entries["near"].config.train.epochs == 2


def test_a_file_may_have_an_equals_sign(compare: Compare) -> None:
    Path("lr=0.1.yaml").write_text(SMALL.format(stride=8))
    request = CompareOptions(data=compare.data, output=Path("out"), models=["lr=0.1.yaml"])
    assert [entry.name for entry in entries_of(request)] == ["lr0.1"]


@given(st.lists(st.integers(0, 2**31 - 1), max_size=5), st.sampled_from([",", " ", ", "]))
def test_seeds_in_every_form(seeds: list[int], between: str) -> None:
    assert parse_seeds([between.join(map(str, seeds))]) == tuple(seeds)
    assert parse_seeds([str(seed) for seed in seeds]) == tuple(seeds)


@pytest.mark.parametrize("text", ["1.5", "a", "-1", "²", "4294967296", "1;2"])
def test_what_is_no_seed(text: str) -> None:
    with pytest.raises(UserError, match="is not a seed"):
        parse_seeds([text])


def test_an_entry_tells_its_source() -> None:
    assert Entry("a", "weights", (Path("x"), Path("y"))).source == "x, y"
