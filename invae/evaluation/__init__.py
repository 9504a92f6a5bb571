"""Error metrics, compression rates, scattering physics, calibration and fair comparisons.

This room loads numpy only; heavier libraries load inside the functions that need them.
"""

from invae.evaluation.results import Figure, Results, Table, environment, load_results, save_results, to_json

__all__ = ["Figure", "Results", "Table", "environment", "load_results", "save_results", "to_json"]
