"""The report: one HTML file with tables and figures of an evaluated run, and each figure as an SVG file."""

from mtpkd_cli.report.page import write_report

__all__ = ["write_report"]
