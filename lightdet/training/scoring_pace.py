"""How often a training is scored on the validation pictures."""

from __future__ import annotations

from lightdet.training.checkpoint import Progress

SCORING_SHARE = 0.1
"""Without ``validate_every``, validation takes at most this share of the time ..."""
SHORT_SCORING = 0.5
"""... unless it takes fewer seconds than this."""


def scoring_is_due(progress: Progress, every: int | None, page_seconds: float = 0.0) -> bool:
    """Whether to score the epoch that ends: every few epochs, or unless scoring would take more than its share.

    Args:
        progress: of the training.
        every: epochs between validations; None bounds their share of the time instead.
        page_seconds: of the last writing of the training's page, which has its own pace.
    """
    if every is not None:
        return (progress.epoch + 1) % every == 0
    cost = (progress.scoring or 0.0) - page_seconds
    if cost < SHORT_SCORING:
        return True
    return progress.time.get("validation", 0.0) + cost <= SCORING_SHARE * (progress.seconds + cost)
