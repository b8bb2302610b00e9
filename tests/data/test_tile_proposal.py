"""The tiles that an audit proposes: only where they help, none larger than the pictures, all larger than the boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lightdet.cli.app import main
from lightdet.config import Config
from lightdet.data.audit.tiles import GAIN, LARGE_PICTURE, MOST_OF_TILE, SMALL, propose_tiles
from lightdet.geometry.tiles import overlap_pixels

Pictures = list[tuple[tuple[int, int], np.ndarray]]


@st.composite
def data_sets(draw: st.DrawFn) -> tuple[Pictures, int]:
    """Pictures of one size with boxes of any, and a network's input."""
    imgsz = 32 * draw(st.integers(2, 40))
    size = (draw(st.integers(64, 6000)), draw(st.integers(64, 6000)))
    pictures = []
    for _ in range(draw(st.integers(1, 4))):
        sides = draw(st.lists(st.tuples(st.floats(1, 300), st.floats(1, 300)), max_size=5))
        ends = np.minimum(np.array(sides, np.float32).reshape(-1, 2), np.array(size, np.float32))
        pictures.append((size, np.concatenate([np.zeros_like(ends), ends], axis=1)))
    return pictures, imgsz


@given(data_sets())
def test_a_proposal_helps_and_fits(found: tuple[Pictures, int]) -> None:
    pictures, imgsz = found
    proposal = propose_tiles(pictures, imgsz)
    if proposal is None:
        return
    size, longer = proposal.size, max(pictures[0][0])
    sides = np.concatenate([boxes[:, 2:] for _, boxes in pictures])
    large = np.percentile(sides.max(axis=1), 95)
    assert imgsz <= size <= longer / GAIN and longer >= LARGE_PICTURE * imgsz
    assert large <= MOST_OF_TILE * size * (1 + 1e-6)
    assert overlap_pixels(size, proposal.overlap) >= large - 1, "a box so large is whole in some tile"
    assert proposal.before < SMALL and proposal.after >= GAIN * proposal.before * (1 - 1e-6)
    assert proposal.after <= np.median(sides.min(axis=1)) + 1e-3, "none is enlarged beyond its own pixels"
    Config.model_validate({"imgsz": imgsz, "tiles": {"size": size, "overlap": proposal.overlap}})


@given(data_sets(), st.floats(1.05, 4))
def test_larger_boxes_never_ask_for_smaller_tiles(found: tuple[Pictures, int], factor: float) -> None:
    pictures, imgsz = found
    first = propose_tiles(pictures, imgsz)
    second = propose_tiles([(size, (boxes * factor).astype(np.float32)) for size, boxes in pictures], imgsz)
    if first is not None and second is not None:
        assert second.size >= first.size


@pytest.mark.parametrize(
    ("size", "side", "tile"),
    [
        ((2048, 1536), 14.0, 608),  # 4 pixels in the input
        ((4096, 3072), 40.0, 1504),  # 6 pixels: larger tiles are enough
        ((640, 480), 8.0, None),  # hardly larger than the input
        ((2048, 1536), 60.0, None),  # large enough as it is
    ],
)
def test_examples(size: tuple[int, int], side: float, tile: int | None) -> None:
    boxes = np.array([[10, 10, 10 + side, 10 + side]], np.float32)
    proposal = propose_tiles([(size, boxes), (size, boxes[:0])], 608)
    assert (proposal and proposal.size) == tile


def test_without_boxes_there_is_nothing_to_propose() -> None:
    assert propose_tiles([], 608) is None
    assert propose_tiles([((4000, 4000), np.zeros((0, 4), np.float32))], 608) is None


def test_the_audit_says_it_in_text_json_and_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (300, 400), np.uint8)
    Image.fromarray(noise).save(tmp_path / "images" / "a.png")
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.03 0.04\n")
    yaml = tmp_path / "set.yaml"
    yaml.write_text("root: .\nformat: yolo\nclasses: [dent]\nsplits: {train: {images: images, labels: labels}}\n")
    json_file, page = tmp_path / "audit.json", tmp_path / "audit.html"
    main(["data", "audit", "--data", str(yaml), "--imgsz", "96", "--json", str(json_file), "--output", str(page)])
    keys = "tiles.size=96 tiles.overlap=0.2"
    assert keys in capsys.readouterr().out
    report = json.loads(json_file.read_text())
    assert report["tiles"]["size"] == 96 and keys in str(report["findings"])
    assert keys in page.read_text()
