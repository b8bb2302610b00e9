"""A calibrated model is scored as any other: on all boxes, under the comparison's own conditions."""

from pathlib import Path
from typing import Any

import pytest
from comparison_runs import NEARLY_ALL, Compare, result

import lightdet

ZONES = "units: share\nzones:\n  - {name: left half, look: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}\n"


def calibrated(weights: Path, data: Path, target: Path, **conditions: Any) -> Path:
    """A copy of a model with a promise under these conditions."""
    lightdet.calibrate(
        weights, data, escape_rate=0.9, confidence=0.5, output=target, device="cpu", progress=False, **conditions
    )
    return target


@pytest.mark.parametrize(
    ("conditions", "asked"),
    [({"zones": "zones.yaml"}, []), ({"imgsz": 96}, []), ({"imgsz": 96}, ["--imgsz", "64"]), ({"tile": 48}, [])],
)
def test_one_network_has_one_score_however_it_was_calibrated(
    whole: Path, compare: Compare, conditions: dict[str, Any], asked: list[str]
) -> None:
    Path("zones.yaml").write_text(ZONES, encoding="utf-8")
    plain = whole / "models/near/seed0/last.safetensors"
    other = calibrated(plain, compare.data, Path("promised.safetensors"), **conditions)
    code, out, err = compare("--weights", f"plain={plain}", "--weights", f"promised={other}", *asked, NEARLY_ALL)
    assert (code, err) == (0, ""), out
    (first,), (second,) = (model["runs"] for model in result()["models"].values())
    measured = {key for key, value in second.items() if isinstance(value, float | dict)}
    assert first["map50"] > 0 and {key: first[key] for key in measured} == {key: second[key] for key in measured}
