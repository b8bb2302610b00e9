"""The plain sentence about a training's curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lightdet.classification.fit import judge_fit


def rows(loss: Any, val_loss: Any, accuracy: float, val_accuracy: float) -> list[dict[str, Any]]:
    return [
        {"epoch": n + 1, "loss": float(a), "val_loss": float(b), "accuracy": accuracy, "val_accuracy": val_accuracy}
        for n, (a, b) in enumerate(zip(loss, val_loss, strict=True))
    ]


E = np.arange(20)


@pytest.mark.parametrize(
    ("history", "begins"),
    [
        ([{"epoch": 1, "loss": 0.5, "accuracy": 0.5}], "Over- and underfitting cannot be judged: no epoch"),
        (rows([0.5] * 3, [0.5] * 3, 0.9, 0.9), "Over- and underfitting cannot be judged from 3"),
        (rows(0.6 * 0.8**E, np.maximum(0.6 * 0.75**E, 0.2 + 0.02 * (E - 5)), 0.99, 0.93), "Overfitting: since epoch"),
        (rows(0.1 + 0.5 * 0.5**E, 0.3 + 0.3 * 0.5**E, 0.99, 0.85), "Some overfitting"),
        (rows(0.7 * 0.93**E, 0.7 * 0.93**E, 0.8, 0.8), "Not finished"),
        (rows(0.01 * 0.9**E, 0.005 * 0.9**E, 1.0, 1.0), "No sign of over- or underfitting"),  # there is nothing to gain
        (rows([0.5], [0.5], 0.9, 0.9), "Over- and underfitting cannot be judged from 1 scored epoch;"),
        (rows(0.6 + 0.1 * 0.5**E, 0.6 + 0.1 * 0.5**E, 0.66, 0.65), "Underfitting"),
        (rows(0.4 + 0.1 * 0.5**E, 0.2 + 0.1 * 0.5**E, 0.84, 0.95), "No sign of over- or underfitting"),  # dropout
        (rows(0.05 + 0.5 * 0.5**E, 0.06 + 0.5 * 0.5**E, 0.98, 0.97), "No sign of over- or underfitting"),
    ],
)
def test_curves_are_called_what_they_are(history: list[dict[str, Any]], begins: str) -> None:
    assert judge_fit(history).startswith(begins), judge_fit(history)


def test_the_lowest_epoch_is_named() -> None:
    text = judge_fit(rows(0.6 * 0.8**E, np.abs(E - 6) * 0.03 + 0.2, 0.95, 0.93))
    assert "since epoch 7 " in text


def test_rows_of_a_csv_file_are_text() -> None:
    history = [{k: "" if k.startswith("val") and n % 2 else str(v) for k, v in row.items()}
               for n, row in enumerate(rows(0.05 + 0.5 * 0.5**E, 0.06 + 0.5 * 0.5**E, 0.98, 0.97))]  # fmt: skip
    assert judge_fit(history).startswith("No sign")
