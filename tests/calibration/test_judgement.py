"""OK and NG against good and bad, counted by hand."""

import pytest

from lightdet.calibration import judge


def test_each_picture_is_counted_once() -> None:
    bad = [True, True, True, False, False, False, False]
    rejected = [True, True, False, True, False, False, False]
    found = judge(bad, rejected, [0.9, 0.8, 0.2, 0.7, 0.1, 0.0, 0.3])
    assert (found.caught, found.escaped, found.rejected, found.passed) == (2, 1, 1, 3)
    assert found.escapes.rate == pytest.approx(1 / 3)
    assert found.false_rejects.rate == pytest.approx(1 / 4)
    assert found.accuracy.rate == pytest.approx(5 / 7)
    # Of the 12 pairs of a bad and a good picture, 10 are in the right order.
    assert found.auc == pytest.approx(10 / 12)
    assert found.roc[0][:2] == (0.0, 0.0)
    assert found.roc[-1][:2] == (1.0, 1.0)
    assert all(0 <= value <= 1 for point in found.roc for value in point)


def test_one_kind_alone_has_no_curve() -> None:
    found = judge([True, True], [True, False], [0.5, 0.4])
    assert found.auc is None
    assert found.false_rejects.rate is None
    assert found.as_dict()["false_reject_rate"] == {"count": 0, "total": 0, "rate": None, "interval": [0.0, 1.0]}


def test_lists_of_different_length() -> None:
    with pytest.raises(ValueError, match="decisions"):
        judge([True], [True, False])
