"""``lightdet.profile``."""

from __future__ import annotations

from lightdet.options.base import takes
from lightdet.options.profile import ProfileOptions
from lightdet.profiling.report import Report
from lightdet.runs.profile import profile_models


@takes(ProfileOptions)
def profile(options: ProfileOptions) -> list[Report]:
    """Measure what models cost, side by side, as ``lightdet profile`` does; without any, our own detector.

    Examples:
        >>> (report,) = lightdet.profile("best.safetensors", runs=2, batch=1)
        >>> report.complexity.params > 0, sorted(report.latency.median())
        (True, ['network', 'postprocess', 'preprocess', 'total'])

    Returns:
        A report per model, configurations first: ``complexity`` (parameters, FLOPs), ``latency`` (milliseconds by
        stage), ``images_per_second``, ``peak_memory_mib``, ``as_dict()``.

    Raises:
        UserError: a model, configuration or picture that cannot be read; a device that is not there.
    """
    return profile_models(options)
