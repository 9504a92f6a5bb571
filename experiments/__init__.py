"""Reproducible studies, one file each: ``run(config, rng) -> Results`` with a QUICK and a FULL configuration.

``python -m experiments NAME|all [--quick] [--html REPORT] [--json FILE] [--keep] [--data FILE ...]``;
``python -m experiments pages`` writes docs/results anew from the runs that are kept in experiments/results.
"""

from __future__ import annotations

__all__ = ["BENCHMARKS", "NAMES", "STUDIES"]

_RUN_BY_ALL = {
    "tomography": "reconstruction.tomography",
    "deblurring": "reconstruction.deblurring",
    "heat": "reconstruction.heat",
    "scattering_files": "scattering.files",
    "sas_compression": "compression.real_curves",
    "sparse_codes": "compression.sparse_codes",
    "principal_directions": "theory.principal_directions",
    "landscape": "theory.landscape",
    "pca_speed": "theory.pca_speed",
    "step_functions": "theory.step_functions",
    "rank_constrained": "reconstruction.rank_constrained",
}
# Run by name only: they hold the project against its targets, and take long in their full configuration.
_BY_NAME_ONLY = {
    "reconstruction_targets": "reconstruction.targets",
    "reconstruction_rivals": "reconstruction.rivals",
    "compression_targets": "compression.targets",
    "sparse_expert": "compression.sparse_expert",
}
NAMES, BENCHMARKS = tuple(_RUN_BY_ALL), tuple(_BY_NAME_ONLY)
STUDIES = _RUN_BY_ALL | _BY_NAME_ONLY  # name -> module below `experiments`
