"""What another version of the package has written: read where that is safe, else refused in one line that says so.

From public reports: trainings that no longer resume after an upgrade (`unexpected keyword argument`), or resume with
what the new version takes for its default.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lightdet.errors import UserError
from lightdet.training.checkpoint import FORMAT, METADATA_KEY, STATE_FILE, Progress, load_state


def written(folder: Path, progress: Any, *, form: int = FORMAT, **others: Any) -> Path:
    values = {"average_updates": 3, "optimizer": {}, "scaler": {}, "run": {"config": {}}, **others}
    metadata = {"format": form, "progress": progress, **values}
    save_file({"network/a": torch.zeros(1)}, folder / STATE_FILE, {METADATA_KEY: json.dumps(metadata)})
    return folder


def test_a_state_of_before_some_of_its_numbers_were_kept(tmp_path: Path) -> None:
    now = asdict(Progress(epoch=4, step=9, best=0.5))
    before = {name: now[name] for name in ("epoch", "batch", "step", "seconds", "images", "losses", "best", "history")}
    assert load_state(written(tmp_path, before)).progress == Progress(epoch=4, step=9, best=0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"form": FORMAT + 1}, "was written by a newer lightdet; upgrade to resume it"),
        ({"progress": {"epoch": 1, "moons": 2}}, "another version of lightdet ('moons' is unknown here); upgrade"),
        ({"progress": None}, "holds no lightdet training state"),
        ({"progress": [1]}, "holds no lightdet training state"),
    ],
)
def test_a_state_that_cannot_be_gone_on_with(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    given = {"progress": asdict(Progress())} | changes
    with pytest.raises(UserError) as caught:
        load_state(written(tmp_path, given.pop("progress"), **given))
    assert message in str(caught.value) and str(caught.value).count("\n") == 0
