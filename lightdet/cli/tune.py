"""``lightdet tune``: search for better settings, one training per trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from lightdet.cli.common import ALL, Words
from lightdet.options.tune import TuneOptions


def tune(*overrides: Words, options: Annotated[TuneOptions, ALL]) -> int:
    """Search for better settings of a detector or classifier: best.yaml for train --config, and a page.

    The same command again continues the study, also while the first is running: processes and machines share it
    through --storage.
    """
    from lightdet.tuning.study import require_optuna

    require_optuna()  # said before torch is imported, which takes seconds
    from rich.console import Console

    from lightdet.api.tune import searched
    from lightdet.runs.tune.tuning import Tuning

    return 130 if searched(Tuning(replace(options, overrides=overrides)), Console()).stopped else 0
