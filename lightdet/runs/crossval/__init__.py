"""A request to cross-validate → folds, trainings, held-out predictions, a threshold, the page; each step is stored.

`pool` (the pictures and their folds), `plan` (the output folder), `held_out` (predictions), `threshold`, `run`.
"""
