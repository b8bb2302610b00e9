"""What is in a data set, and what is wrong with it."""

from lightdet.data.audit.audit import audit_dataset
from lightdet.data.audit.findings import KINDS, AuditReport, Finding
from lightdet.data.audit.statistics import SplitStatistics

__all__ = ["KINDS", "AuditReport", "Finding", "SplitStatistics", "audit_dataset"]
