"""Reproducible studies, one file each: ``run(config, rng) -> Results`` with a QUICK and a FULL configuration.

``python -m experiments NAME|all [--quick] [--html REPORT] [--json FILE] [--data FILE ...]``
"""

from __future__ import annotations

__all__ = ["BENCHMARKS", "NAMES"]

NAMES = (
    "tomography",
    "deblurring",
    "heat",
    "scattering_files",
    "sas_compression",
    "sparse_codes",
    "principal_directions",
    "landscape",
    "pca_speed",
    "step_functions",
    "rank_constrained",
)

# Run by name only: they hold the project against its targets, and take long in their full configuration.
BENCHMARKS = ("reconstruction_targets", "reconstruction_rivals", "compression_targets", "sparse_expert")
