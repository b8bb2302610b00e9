"""A model trained on tiles is used on tiles by everything, exported or not, unless another size is asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from export_networks import SIDE
from PIL import Image

import lightdet
from lightdet.assembly.dataset import load_dataset
from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.geometry.tiles import plan_tiles
from lightdet.inference.tiled import TiledPredictor
from lightdet.models.weights import load_model, save_model
from lightdet.options.serve import ServeOptions
from lightdet.options.val import ValOptions
from lightdet.runs.export_proof import fullest_tile
from lightdet.runs.validate import Validation
from lightdet.structures import Tiling

TILES = Tiling(SIDE, 0.25)


@pytest.fixture(scope="module")
def tiled(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights, card = load_model(checkpoint)
    path = tmp_path_factory.mktemp("tiled") / "best.safetensors"
    save_model(path, weights, replace(card, tiles=TILES))
    return path


@pytest.fixture(scope="module")
def export(tiled: Path) -> Path:
    """An ONNX file that takes one picture at a time, checked on two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lightdet.runs.export_proof.PROOF_PICTURES", 2)
        lightdet.export(tiled, format="onnx")
    return tiled.with_suffix(".onnx")


@pytest.fixture(scope="module")
def large_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture of 200 x 150 pixels in a data set."""
    folder = tmp_path_factory.mktemp("set")
    noise = np.random.default_rng(1).integers(0, 256, (15, 20, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
    for name in ("images", "labels"):
        (folder / name).mkdir()
    Image.fromarray(noise).save(folder / "images" / "a.png")
    (folder / "labels" / "a.txt").write_text("0 0.1 0.1 0.05 0.05\n")
    (folder / "set.yaml").write_text(
        "root: .\nformat: yolo\nclasses: [dent, scratch, stain]\nsplits: {val: {images: images, labels: labels}}\n"
    )
    return folder / "set.yaml"


@pytest.fixture(params=["trained", "exported"])
def model(request: pytest.FixtureRequest, tiled: Path, export: Path) -> Path:
    return tiled if request.param == "trained" else export


def test_load_takes_the_tiles_of_the_training(model: Path) -> None:
    usual = lightdet.load(model, threads=1)
    assert isinstance(usual, TiledPredictor) and (usual.tile, usual.overlap) == (TILES.size, TILES.overlap)
    assert not isinstance(lightdet.load(model, threads=1, tile=0), TiledPredictor)
    other = lightdet.load(model, threads=1, tile=64)
    assert (other.tile, other.overlap) == (64, TILES.overlap)
    assert lightdet.load(model, threads=1, overlap=0.5).overlap == 0.5
    with pytest.raises(UserError, match="an overlap needs tiles"):
        lightdet.load(model, threads=1, tile=0, overlap=0.5)


def test_a_model_of_whole_pictures_takes_no_overlap(checkpoint: Path) -> None:
    assert not isinstance(lightdet.load(checkpoint, threads=1), TiledPredictor)
    with pytest.raises(UserError, match="an overlap needs tiles, and this model looks at whole pictures"):
        lightdet.load(checkpoint, threads=1, overlap=0.5)


def test_the_export_finds_what_its_checkpoint_finds(tiled: Path, export: Path, large_set: Path) -> None:
    picture = large_set.parent / "images" / "a.png"
    ours, theirs = (lightdet.load(path, threads=1, confidence=0.3)(picture) for path in (tiled, export))
    assert len(ours) == len(theirs) > 0
    pairs = np.abs(ours.boxes[:, None] - theirs.boxes).max(axis=2) < 0.05
    assert pairs.any(axis=0).all() and pairs.any(axis=1).all()  # those of one score in any order


def test_commands_take_them_too(model: Path, large_set: Path, tmp_path: Path) -> None:
    picture, found = large_set.parent / "images" / "a.png", tmp_path / "found.json"
    common = ["detect", str(picture), "--weights", str(model), "--no-images", "--json", str(found)]
    common += ["--threads", "1", "--confidence", "0.6"]
    for more, tile in (([], TILES.size), (["--tile", "0"], None), (["--tile", "64"], 64)):
        assert main([*common, *more, "--overwrite"]) == 0
        assert json.loads(found.read_text())["tile"] == tile
    for asked, tile in ((None, TILES.size), (0, None)):
        validation = Validation(ValOptions(data=large_set, weights=model, tile=asked, device="cpu", threads=1))
        conditions = validation.find(Quiet()).conditions
        assert conditions is not None and conditions.tile == tile
    assert ServeOptions(model).tile is None  # so it is left to `load`


class Quiet:
    """Follows nothing."""

    def begin(self, pictures: int) -> None:
        pass

    def step(self, pictures: int) -> None:
        pass


@pytest.mark.parametrize("tile", ["1", "31", "-5"])
def test_a_tile_is_none_or_at_least_32_pixels(tile: str, capsys: pytest.CaptureFixture[str], tiled: Path) -> None:
    assert main(["detect", "a.png", "--weights", str(tiled), "--tile", tile]) == 2
    assert "nor 0 for whole pictures" in " ".join(capsys.readouterr().err.split())


def test_whole_pictures_are_refused_in_place_of_the_tiles_of_a_calibration(
    tiled: Path, large_set: Path, tmp_path: Path
) -> None:
    target = tmp_path / "calibrated.safetensors"
    wanted = {"escape_rate": 0.9, "confidence": 0.5, "output": target, "device": "cpu"}
    lightdet.calibrate(tiled, large_set, **wanted, progress=False)
    with pytest.raises(UserError, match=r"was calibrated with --tile 96.* not with whole pictures"):
        _ = lightdet.load(target, threads=1, tile=0).rule
    assert lightdet.load(target, threads=1, tile=0, no_promise=True).rule is not None
    with pytest.raises(UserError, match="an overlap needs tiles"):
        lightdet.load(target, threads=1, tile=0, overlap=0.5)


def test_explain_names_the_tiles(
    tiled: Path, large_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = str(large_set.parent / "images" / "a.png")
    assert main(["explain", picture, "--weights", str(tiled), "--device", "cpu"]) == 2
    assert "larger than the tiles of 96 pixels" in " ".join(capsys.readouterr().err.split())
    out = tmp_path / "found"
    assert main(["detect", picture, "--weights", str(tiled), "--device", "cpu", "--explain", "-o", str(out)]) == 0
    assert (out / "a.heat.jpg").is_file()


def test_an_export_is_checked_on_tiles_with_boxes(large_set: Path) -> None:
    load_dataset(large_set)
    image = np.arange(300 * 200, dtype=np.uint8).reshape(200, 300)[..., None].repeat(3, axis=2)
    boxes = np.array([[250, 150, 260, 160], [270, 170, 280, 180], [10, 10, 20, 20]], np.float32)
    part = fullest_tile(image, boxes, TILES)
    last = plan_tiles((300, 200), TILES.size, TILES.overlap)[-1]
    np.testing.assert_array_equal(part, image[last.y :, last.x :])
    np.testing.assert_array_equal(fullest_tile(image[:90, :80], boxes, TILES), image[:90, :80])
