"""An evaluation as files: ``metrics.json`` for programs, ``report.html`` for people."""

from lightdet.evaluation.report.writer import Evaluation, evaluation_as_dict, write_report

__all__ = ["Evaluation", "evaluation_as_dict", "write_report"]
