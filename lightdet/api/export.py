"""``lightdet.export``."""

from __future__ import annotations

from lightdet.display.progress import Bar
from lightdet.options.base import takes
from lightdet.options.export import ExportOptions
from lightdet.runs.export import Export, ExportOutcome


@takes(ExportOptions)
def export(options: ExportOptions) -> ExportOutcome:
    """Export a trained model to ONNX or OpenVINO and verify that it finds the same, as ``lightdet export`` does.

    Examples:
        >>> exported = lightdet.export("best.safetensors", data="mine.yaml", output="best.onnx")
        >>> exported.path.name, exported.card.precision
        ('best.onnx', 'fp32')

    Returns:
        ``path``, ``bytes``, ``card`` (the file's facts), ``summary`` (the check in one line), ``as_dict()``.

    Raises:
        UserError: the check fails (nothing is written then); options that exclude each other; a package is missing.
    """
    job = Export(options)
    with Bar("export", shown=options.progress) as bar:
        return job.run(bar)
