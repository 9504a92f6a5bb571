"""Figures, and one self-contained HTML page, from results."""

from invae.report.page import Report

__all__ = ["Report"]
