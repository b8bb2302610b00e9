"""A classifier's evaluation as files: ``metrics.json`` for programs, ``report.html`` for people."""

from lightdet.classification.report.writer import ClassifyEvaluation, write_class_report

__all__ = ["ClassifyEvaluation", "write_class_report"]
