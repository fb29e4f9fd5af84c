"""The report of a study: one HTML file that needs no other, and each figure as PNG and PDF.

It reads tables and computes nothing: what is shown was made by a stage, with its provenance.
"""

from analysis.report.listings import Origin
from analysis.report.page import write_report
from analysis.report.selection import ModelChoice, StudyChoices, Tables, TaskChoice, rows_of

__all__ = ["ModelChoice", "Origin", "StudyChoices", "Tables", "TaskChoice", "rows_of", "write_report"]
