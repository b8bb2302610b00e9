"""A classifier's evaluation as files: ``metrics.json`` for programs, ``report.html`` for people."""

from lightdet.classification.report.writer import ClassifyEvaluation, evaluation_as_dict, write_class_report

__all__ = ["ClassifyEvaluation", "evaluation_as_dict", "write_class_report"]
