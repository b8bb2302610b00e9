"""Pictures in memory: scaled once, boxes with them, broken ones found before training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightdet.data.images import read_image
from lightdet.data.pictures import Pictures
from lightdet.errors import UserError
from lightdet.geometry.letterbox import letterbox
from lightdet.structures import Annotation

Save = Callable[..., Path]


def annotate(path: Path, size: tuple[int, int], *boxes: list[float], crowd: list[bool] | None = None) -> Annotation:
    return Annotation(
        path,
        size,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.arange(len(boxes), dtype=np.int64),
        None if crowd is None else np.array(crowd),
    )


@pytest.fixture
def three(tmp_path: Path, save_picture: Save) -> list[Annotation]:
    """A wide, a high and a gray picture."""
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8) * 5).save(tmp_path / "gray.png")
    return [
        annotate(save_picture(tmp_path / "wide.png", size=(80, 40)), (80, 40), [8, 4, 40, 20], [0, 0, 80, 40]),
        annotate(save_picture(tmp_path / "high.png", size=(30, 60)), (30, 60), [3, 6, 9, 12]),
        annotate(tmp_path / "gray.png", (8, 6)),
    ]


def test_the_longer_side_becomes_the_input_size_and_boxes_go_along(three: list[Annotation]) -> None:
    pictures = Pictures(three, 64)
    wide, high, gray = (pictures.sample(index) for index in range(3))
    assert wide.image.shape == (32, 64, 3)
    assert wide.boxes.tolist() == pytest.approx(np.array([[6.4, 3.2, 32, 16], [0, 0, 64, 32]]), abs=1e-5)
    assert wide.labels.tolist() == [0, 1]
    assert high.image.shape == (64, 32, 3)
    assert high.boxes[0].tolist() == pytest.approx([3 * 32 / 30, 6 * 64 / 60, 9 * 32 / 30, 12 * 64 / 60])
    assert gray.image.shape == (48, 64, 3)
    assert gray.boxes.shape == (0, 4)


def test_training_sees_what_deployment_sees(three: list[Annotation]) -> None:
    """Scaled when read, then letterboxed: the same pixels as letterboxing the original."""
    pictures = Pictures(three, 64)
    for index, annotation in enumerate(three):
        sample = pictures.sample(index)
        here, mine = letterbox(np.ascontiguousarray(sample.image), (64, 64))
        there, transform = letterbox(read_image(annotation.image), (64, 64))
        np.testing.assert_array_equal(here, there)
        np.testing.assert_allclose(mine.apply(sample.boxes), transform.apply(annotation.boxes), atol=1e-3)


def test_gray_is_kept_as_one_channel(three: list[Annotation]) -> None:
    colour, gray = Pictures(three[:1], 64), Pictures(three[2:], 64)
    assert sum(picture.nbytes for picture in colour._cache if picture is not None) == 64 * 32 * 3
    assert sum(picture.nbytes for picture in gray._cache if picture is not None) == 64 * 48
    image = gray.sample(0).image
    assert (image[..., 0] == image[..., 2]).all()


@pytest.mark.parametrize("cache_mib", [0, 1])
def test_the_same_samples_from_memory_and_from_disk(three: list[Annotation], cache_mib: int) -> None:
    kept, read = Pictures(three, 64), Pictures(three, 64, cache_mib=cache_mib)
    assert kept.cached == 3
    assert read.cached == (3 if cache_mib else 0)
    for index in range(3):
        np.testing.assert_array_equal(kept.sample(index).image, read.sample(index).image)
        np.testing.assert_array_equal(kept.sample(index).boxes, read.sample(index).boxes)


def test_memory_is_bounded(tmp_path: Path, save_picture: Save) -> None:
    several = [annotate(save_picture(tmp_path / f"{i}.png", size=(64, 64)), (64, 64)) for i in range(5)]
    pictures = Pictures(several, 400, cache_mib=1)  # 400 x 400 x 3 bytes each: two fit
    assert len(pictures) == 5
    assert pictures.cached == 2


def test_crowds_are_not_trained_on(tmp_path: Path, save_picture: Save) -> None:
    boxes = [[0, 0, 10, 10], [20, 20, 30, 30], [5, 5, 60, 50]]
    annotation = annotate(save_picture(tmp_path / "a.png"), (80, 60), *boxes, crowd=[False, True, False])
    sample = Pictures([annotation], 80).sample(0)
    assert sample.boxes.tolist() == [boxes[0], boxes[2]]
    assert sample.labels.tolist() == [0, 2]


def break_picture(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def test_a_broken_picture_is_found_at_once(three: list[Annotation]) -> None:
    break_picture(three[1].image)
    with pytest.raises(UserError, match=r"high\.png") as caught:
        Pictures(three, 64)
    assert "\n" not in str(caught.value)


def test_broken_pictures_are_left_out_and_listed_where_asked(three: list[Annotation]) -> None:
    break_picture(three[0].image)
    three[2].image.unlink()
    steps: list[int] = []
    pictures = Pictures(three, 64, skip_broken=True, progress=lambda: steps.append(1))
    assert len(pictures) == 1
    assert pictures.annotations == [three[1]]
    assert pictures.sample(0).image.shape == (64, 32, 3)
    assert [error.path.name for error in pictures.broken if error.path] == ["wide.png", "gray.png"]
    assert len(steps) == 3


def test_none_left(three: list[Annotation]) -> None:
    break_picture(three[0].image)
    with pytest.raises(UserError, match="no readable picture"):
        Pictures(three[:1], 64, skip_broken=True)
    with pytest.raises(UserError, match="no readable picture"):
        Pictures([], 64)
