"""Error metrics, compression rates, scattering physics, calibration and fair comparisons.

This room loads numpy only; heavier libraries load inside the functions that need them.
"""

from invae.evaluation.archives import evaluate_archive
from invae.evaluation.calibration import calibration_table, coverage, interval_coverage, risk_agreement
from invae.evaluation.compare import Comparison, compare, compare_codecs
from invae.evaluation.domains import Domain, domain_for
from invae.evaluation.errors import max_error_over_bound, mean_with_spread, psnr, relative_error, ssim
from invae.evaluation.guinier import Guinier, fit_guinier
from invae.evaluation.porod import Invariant, Porod, fit_porod, invariant
from invae.evaluation.rate_curves import compare_rates
from invae.evaluation.rates import Codec, Measurement, bits_per_value, measure, ratio, real_bytes
from invae.evaluation.recovery import ModelFit, fit_model
from invae.evaluation.residuals import RunTest, lag_correlation, noise_inflation, run_test
from invae.evaluation.results import Figure, Results, Table, environment, load_results, save_results, to_json
from invae.evaluation.rings import RadialAverage, RingScores, radial_average, ring_scores
from invae.evaluation.rivals import codecs
from invae.evaluation.scattering import compare_physics, error_statistics

__all__ = [
    "Codec",
    "Comparison",
    "Domain",
    "Figure",
    "Guinier",
    "Invariant",
    "Measurement",
    "ModelFit",
    "Porod",
    "RadialAverage",
    "Results",
    "RingScores",
    "RunTest",
    "Table",
    "bits_per_value",
    "calibration_table",
    "codecs",
    "compare",
    "compare_codecs",
    "compare_physics",
    "compare_rates",
    "coverage",
    "domain_for",
    "environment",
    "error_statistics",
    "evaluate_archive",
    "fit_guinier",
    "fit_model",
    "fit_porod",
    "interval_coverage",
    "invariant",
    "lag_correlation",
    "load_results",
    "max_error_over_bound",
    "mean_with_spread",
    "measure",
    "noise_inflation",
    "psnr",
    "radial_average",
    "ratio",
    "real_bytes",
    "relative_error",
    "ring_scores",
    "risk_agreement",
    "run_test",
    "save_results",
    "ssim",
    "to_json",
]
