from invae.autoencoders import (
    BayesRiskReconstructor,
    ConvolutionalSparseAutoencoder,
    LinearAutoencoder,
    PatchAffineRefiner,
    ProbabilisticPCA,
    SparseAutoencoder,
)
from invae.classical import (
    Cgls,
    FilteredBackprojection,
    Landweber,
    RichardsonLucy,
    Sart,
    Sirt,
    Tikhonov,
    TotalGeneralisedVariation,
    TotalVariation,
    TruncatedSvd,
    WaveletL1,
    Wiener,
)
from invae.codec import Archive, Bound, compress, decompress, train_codec
from invae.data import Curve, Frame, read, write
from invae.errors import (
    BoundError,
    FileError,
    FormatError,
    InputError,
    InvaeError,
    InvaeWarning,
    MissingExtraError,
    ModelError,
)
from invae.evaluation import compare
from invae.linalg import GaussianPrior
from invae.operators import Blur, GaussianNoise, Heat, Masked, PoissonNoise, Radon
from invae.persistence import load, save
from invae.report import Report

__version__: str

__all__ = [
    "__version__",
    "read",
    "write",
    "Curve",
    "Frame",
    "Radon",
    "Blur",
    "Heat",
    "Masked",
    "GaussianNoise",
    "PoissonNoise",
    "GaussianPrior",
    "BayesRiskReconstructor",
    "LinearAutoencoder",
    "PatchAffineRefiner",
    "ProbabilisticPCA",
    "SparseAutoencoder",
    "ConvolutionalSparseAutoencoder",
    "FilteredBackprojection",
    "Sirt",
    "Sart",
    "Landweber",
    "Cgls",
    "Tikhonov",
    "TruncatedSvd",
    "TotalVariation",
    "TotalGeneralisedVariation",
    "WaveletL1",
    "Wiener",
    "RichardsonLucy",
    "Bound",
    "compress",
    "decompress",
    "Archive",
    "train_codec",
    "compare",
    "Report",
    "save",
    "load",
    "InvaeError",
    "InputError",
    "BoundError",
    "FileError",
    "FormatError",
    "ModelError",
    "MissingExtraError",
    "InvaeWarning",
]
