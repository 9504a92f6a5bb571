"""Filtered back-projection: filters, what each view counts, what lies beyond a detector and in its gaps."""

from invae.classical.fbp.filtered import WINDOWS, FilteredBackprojection

__all__ = ["WINDOWS", "FilteredBackprojection"]
