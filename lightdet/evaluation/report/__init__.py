"""An evaluation as files: ``metrics.json`` for programs, ``report.html`` for people."""

from lightdet.evaluation.report.writer import Evaluation, write_report

__all__ = ["Evaluation", "write_report"]
