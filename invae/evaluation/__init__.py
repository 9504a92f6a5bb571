"""Error metrics, compression rates, scattering physics, calibration and fair comparisons.

This room loads numpy only; heavier libraries load inside the functions that need them.
"""

from invae.evaluation.calibration import calibration_table, coverage, interval_coverage, risk_agreement
from invae.evaluation.compare import Comparison, compare, compare_codecs
from invae.evaluation.domains import Domain, domain_for
from invae.evaluation.errors import max_error_over_bound, mean_with_spread, psnr, relative_error, ssim
from invae.evaluation.rates import Codec, Measurement, bits_per_value, codecs, measure, ratio, real_bytes
from invae.evaluation.results import Figure, Results, Table, environment, load_results, save_results, to_json

__all__ = [
    "Codec",
    "Comparison",
    "Domain",
    "Figure",
    "Measurement",
    "Results",
    "Table",
    "bits_per_value",
    "calibration_table",
    "codecs",
    "compare",
    "compare_codecs",
    "coverage",
    "domain_for",
    "environment",
    "interval_coverage",
    "load_results",
    "max_error_over_bound",
    "mean_with_spread",
    "measure",
    "psnr",
    "ratio",
    "real_bytes",
    "relative_error",
    "risk_agreement",
    "save_results",
    "ssim",
    "to_json",
]
