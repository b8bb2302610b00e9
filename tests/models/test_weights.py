"""Models on disk: what is written comes back, and what is no model is told in one line."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from lightdet.assembly.detector import build_detector
from lightdet.card import METADATA_KEY, ModelCard
from lightdet.config import ModelConfig
from lightdet.errors import UserError
from lightdet.models.weights import load_model, read_safetensors, save_model
from lightdet.structures import Preprocessing

CARD = ModelCard(
    model={"name": "lightdet", "widths": [8, 8, 16, 16, 16], "anchors": None},
    names=("crack", "Kratzer ä"),
    preprocessing=Preprocessing(imgsz=96, pad_value=7, bit_depth=12, scale=0.5),
    facts={"epoch": 3, "metrics": {"map50": 0.5}},
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "best.safetensors"
    save_model(path, {"weight": torch.arange(6.0).view(2, 3), "count": torch.tensor(4)}, CARD)
    return path


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


def metadata_of(path: Path) -> dict[str, object]:
    values: dict[str, object] = json.loads(read_safetensors(path)[1][METADATA_KEY])
    return values


def with_metadata(path: Path, metadata: object) -> Path:
    save_file({"weight": torch.zeros(1)}, path, {METADATA_KEY: json.dumps(metadata)})
    return path


def test_what_is_written_comes_back(model: Path) -> None:
    weights, card = load_model(model)
    assert card == CARD
    assert weights.keys() == {"weight", "count"}
    assert torch.equal(weights["weight"], torch.arange(6.0).view(2, 3))
    assert weights["count"].item() == 4
    assert list(model.parent.iterdir()) == [model], "no temporary file stays"


def test_a_detector_gives_the_same_output_after_the_round_trip(tmp_path: Path) -> None:
    config = ModelConfig(widths=[8, 8, 16, 16, 16])
    images = torch.rand(1, 3, 64, 64)
    first = build_detector(config, 2, 64).to(memory_format=torch.channels_last).eval()
    first.anchors.mul_(1.5)  # as fitted to a data set
    path = tmp_path / "folder" / "model.safetensors"
    save_model(path, first.state_dict(), ModelCard(config.model_dump(mode="json"), ("a", "b"), Preprocessing(64)))
    weights, card = load_model(path)
    second = build_detector(ModelConfig(**card.model), len(card.names), card.preprocessing.imgsz).eval()
    second.load_state_dict(weights)
    assert torch.equal(first.anchors, second.anchors)
    with torch.no_grad():
        for one, other in zip(first(images), second(images), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.safetensors")
    assert "folder" in refused(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_truncated(model: Path, share: float) -> None:
    data = model.read_bytes()
    model.write_bytes(data[: int(len(data) * share)])
    assert "truncated" in refused(model)


@pytest.mark.parametrize("content", [b"not a model", b"\x89PNG\r\n\x1a\n" + bytes(64), bytes(4096), b"PK\x03\x04" * 99])
def test_foreign_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    refused(path)


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    touched = tmp_path / "touched"

    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (touched,))

    torch.save({"model": Trap()}, path)
    refused(path)
    assert not touched.exists()


def test_safetensors_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    assert "no lightdet model" in refused(path)


def test_one_of_a_newer_version(model: Path) -> None:
    assert "newer" in refused(with_metadata(model, metadata_of(model) | {"format": 2}))


@pytest.mark.parametrize(
    "metadata",
    [7, "text", None, [], [1, 2], {}, {"format": 1}, {"format": "one"}, {"format": None}],
    ids=str,
)
def test_metadata_of_another_shape(tmp_path: Path, metadata: object) -> None:
    assert "model card is damaged" in refused(with_metadata(tmp_path / "x.safetensors", metadata))


@pytest.mark.parametrize(
    "change",
    [
        {"preprocessing": {"imgsz": 100}},
        {"preprocessing": {"imgsz": "96"}},
        {"preprocessing": {"imgsz": 96, "unknown": 1}},
        {"preprocessing": None},
        {"names": None},
        {"names": 3},
    ],
    ids=str,
)
def test_a_card_with_a_damaged_part(model: Path, change: dict[str, object]) -> None:
    assert "model card is damaged" in refused(with_metadata(model, metadata_of(model) | change))


def test_the_file_stands_for_itself(model: Path, tmp_path: Path) -> None:
    """Weights already read do not change when the file is replaced or removed."""
    weights, _ = load_model(model)
    save_model(model, {"weight": torch.zeros(2, 3), "count": torch.tensor(0)}, CARD)
    model.unlink()
    assert torch.equal(weights["weight"], torch.arange(6.0).view(2, 3))


def test_unwritable_target(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError):
        save_model(tmp_path / "file" / "model.safetensors", {}, CARD)


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("lightdet.models.weights.save_file", full)
    with pytest.raises(UserError, match=r"best\.safetensors: cannot be written: No space left on device"):
        save_model(tmp_path / "best.safetensors", {"weight": torch.zeros(1)}, CARD)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"PK\x03\x04" + b"\0" * 500, b"hello", b"root: parts\nformat: yolo\n"])
def test_what_never_was_a_model_is_not_called_truncated(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    assert "not a safetensors file; give a best.safetensors" in refused(path)
