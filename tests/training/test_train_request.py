"""What is refused before a training begins."""

from pathlib import Path

import pytest

from lightdet.errors import UserError
from lightdet.options.train import TrainOptions
from lightdet.runs.train import check


@pytest.mark.parametrize(("name", "fits"), [("valid", False), ("Validation", False), ("val", True), ("test", True)])
def test_a_validation_split_of_another_name_is_not_left_unused(tmp_path: Path, name: str, fits: bool) -> None:
    data = tmp_path / "d.yaml"
    (tmp_path / "images" / "v").mkdir(parents=True)
    (tmp_path / "images" / "v" / "a.png").touch()
    data.write_text(f"format: yolo\nclasses: [a]\nsplits: {{train: images/train, {name}: images/v}}\n")
    output = tmp_path / "out"
    request = TrainOptions(data, device="cpu", output=output)
    if fits:
        assert name in check(request)[2].splits
    else:
        with pytest.raises(UserError, match=rf"d\.yaml: there is no split 'val', but '{name}': rename it to 'val'"):
            check(request)
        assert not output.exists()
