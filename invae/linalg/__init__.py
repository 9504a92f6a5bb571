"""The algebra that all maps share: moments, priors, whitening, low-rank factorisations, spectral filters."""

from invae.linalg.factorise import fix_signs, symmetric_eigen, thin_svd
from invae.linalg.filters import FILTERS, elastic, inverse_factors, numerical_rank, soft, tikhonov, truncated
from invae.linalg.kernels import MaternKernel, matern
from invae.linalg.moments import Moments, PairMoments
from invae.linalg.priors import GaussianPrior
from invae.linalg.reduced_rank import RankedMap, ReducedRank
from invae.linalg.samples import as_float, as_rows, from_rows
from invae.linalg.whitening import Whitening

__all__ = [
    "FILTERS",
    "GaussianPrior",
    "MaternKernel",
    "Moments",
    "PairMoments",
    "RankedMap",
    "ReducedRank",
    "Whitening",
    "as_float",
    "as_rows",
    "elastic",
    "fix_signs",
    "from_rows",
    "inverse_factors",
    "matern",
    "numerical_rank",
    "soft",
    "symmetric_eigen",
    "thin_svd",
    "tikhonov",
    "truncated",
]
