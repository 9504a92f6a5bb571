"""Figures, and one self-contained HTML page, from results."""

from invae.extras import optional_imports

with optional_imports():
    from invae.report.page import Report

__all__ = ["Report"]
