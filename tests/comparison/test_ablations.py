"""Models that differ in one thing alone come together; others do not."""

from typing import Any

import pytest
from comparison_scenes import CLASSES, comparison, model, run

from lightdet.comparison.ablations import ablation_tables, training_differences
from lightdet.comparison.detector_view import DetectorView
from lightdet.comparison.results import Model
from lightdet.config import Config, YamlFile, validate
from lightdet.config.classification import RUNS
from lightdet.config.families import FAMILIES
from lightdet.config.section import Section


def configured(name: str, *overrides: str, value: float = 0.5, **more: Any) -> Model:
    settings = validate(Config, YamlFile({}), overrides).model_dump(mode="json")
    return model(name, run(value, "seed 0", 0), settings=settings, **more)


def test_table_4_needs_models_that_differ_in_attention_alone() -> None:
    models = [
        configured("ours"),
        configured("coarse", "model.attention_at=[32]", value=0.6),
        configured("everywhere", "model.attention_at=[8,16,32]"),
        configured("nowhere", "model.attention_at=[]"),
        configured("wider", "model.attention_at=[16]", "model.widths=[32,64,128,256,512]"),
    ]
    (table,) = ablation_tables(models, CLASSES)
    assert table.key == "table4"
    assert [row.name for row in table.rows] == [
        "76×76 (ours)",
        "19×19 (coarse)",
        "all: 76×76, 38×38, 19×19 (everywhere)",
        "none (nowhere)",
    ]
    assert [column.key for column in table.columns] == [*CLASSES, "map50"]
    assert table.is_best(2, table.rows[1].cells[2]) and not table.is_best(2, table.rows[0].cells[2])


def test_grids_follow_the_input() -> None:
    models = [configured("a", "imgsz=224"), configured("b", "imgsz=224", "model.attention_at=[16]")]
    (table,) = ablation_tables(models, CLASSES)
    assert [row.name for row in table.rows] == ["28×28 (a)", "14×14 (b)"]


def test_each_thing_has_its_table() -> None:
    models = [
        configured("ours"),
        configured("off", "model.gate_at=[]"),
        configured("scalar", "model.gate=scalar"),
        configured("spp", "model.backbone_block=spp"),
        configured("csp", "model.backbone_block=csp"),
        configured("ciou", "loss.box_iou=ciou"),
        configured("fast", "train.lr=0.01"),
    ]
    tables = {table.key: [row.name for row in table.rows] for table in ablation_tables(models, CLASSES)}
    assert tables == {
        "gate": ["one per channel, at 38×38, 19×19 (ours)", "off (off)", "one number, at 38×38, 19×19 (scalar)"],
        "backbone": ["residual SPP (ours)", "SPP (spp)", "CSP1_X (csp)"],
        "box_loss": ["GIoU (ours)", "CIoU (ciou)"],
        "train_lr": ["default (ours)", "0.01 (fast)"],
    }


def test_what_changes_no_result_makes_no_table() -> None:
    assert ablation_tables([configured("a"), configured("b", "train.workers=1")], CLASSES) == []


def test_models_without_runs_or_settings_are_left_out() -> None:
    other = model("theirs", run(0.5), kind="predictions", params=None)
    failed = Model("failed", "trained", "x", settings=configured("x", "model.attention_at=[16]").settings)
    assert ablation_tables([configured("ours"), other, failed], CLASSES) == []


def test_networks_without_the_key_stand_aside() -> None:
    other = model("other", run(0.4), settings={"imgsz": 608, "model": {"name": "another", "depth": 3}})
    assert ablation_tables([configured("ours"), other], CLASSES) == []


def test_another_name_is_no_ablation() -> None:
    models = [model(n, run(0.4), settings={"imgsz": 608, "model": {"name": n, "depth": 3}}) for n in ("small", "large")]
    assert ablation_tables(models, CLASSES) == []


def test_differences_of_the_recipe_are_found() -> None:
    models = [configured("ours"), configured("b", "train.lr=0.01", "model.gate=scalar", "train.workers=3")]
    assert training_differences(models) == [("train.lr", ["default", "0.01"])]
    assert training_differences([configured("ours"), configured("c")]) == []


def test_every_key_of_input_and_schedule_is_a_difference() -> None:
    """Also of a section that one of them does not have."""
    tiled = configured("tiled", "tiles.size=640")
    assert training_differences([configured("ours"), tiled]) == [
        ("tiles.overlap", ["–", "0.2"]),
        ("tiles.size", ["–", "640"]),
    ]
    assert training_differences([tiled, configured("b", "tiles.size=320")]) == [("tiles.size", ["640", "320"])]
    short, long = configured("short", "train.minutes=5"), configured("long", "train.minutes=50")
    assert training_differences([short, long]) == [("train.minutes", ["5.0", "50.0"])]


@pytest.mark.parametrize("family", [*FAMILIES, *RUNS])
def test_a_section_that_is_not_of_the_network_is_of_the_recipe(family: type[Section]) -> None:
    for key in {*family.model_fields} - {"task", "model", "loss"}:
        models = [model(name, run(0.5), settings={key: {"value": name}}) for name in ("a", "b")]
        assert training_differences(models) == [(f"{key}.value", ["a", "b"])]


def test_of_epochs_and_minutes_only_those_that_end_a_training_count() -> None:
    timed, by_epochs = configured("timed", "train.minutes=5"), configured("by epochs", "train.epochs=50")
    assert training_differences([timed, configured("b", "train.minutes=5", "train.epochs=50")]) == []
    assert training_differences([timed, by_epochs]) == [("train.epochs", ["–", "50"]), ("train.minutes", ["5.0", "–"])]
    gates = [configured("channel", "train.minutes=5"), configured("scalar", "model.gate=scalar", "train.minutes=5")]
    others = [configured("b", "model.gate=scalar", "train.minutes=50"), configured("c", "model.gate=scalar")]
    for other in others:
        assert "gate" not in {table.key for table in ablation_tables([gates[0], other], CLASSES)}
    assert [table.key for table in ablation_tables(gates, CLASSES)] == ["gate"]
    (table,) = ablation_tables([gates[1], others[0]], CLASSES)
    assert table.key == "train_minutes" and [row.name for row in table.rows] == ["5.0 (scalar)", "50.0 (b)"]


def test_the_order_of_all_tables() -> None:
    models = [configured("ours"), configured("b", "model.attention_at=[16]")]
    keys = [table.key for table in DetectorView().tables(comparison(*models))]
    assert keys == ["summary", "table1", "table2", "table3", "table4", "runs"]
