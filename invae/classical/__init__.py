"""The rivals: classical regularisers behind one interface, with automatic parameters.

``Method(operator, parameter=<number or rule>).fit(...).predict(measurements)``; the rules are those of
`invae.classical.parameters`.
"""

from invae.extras import optional_imports

with optional_imports():
    from invae.classical.cgls import Cgls
    from invae.classical.fbp import FilteredBackprojection
    from invae.classical.landweber import Landweber
    from invae.classical.richardson_lucy import RichardsonLucy
    from invae.classical.sirt import Sart, Sirt
    from invae.classical.tgv import TotalGeneralisedVariation
    from invae.classical.tikhonov import Tikhonov
    from invae.classical.tsvd import TruncatedSvd
    from invae.classical.tv import TotalVariation
    from invae.classical.wavelet import WaveletL1
    from invae.classical.wiener import Wiener

__all__ = [
    "Cgls",
    "FilteredBackprojection",
    "Landweber",
    "RichardsonLucy",
    "Sart",
    "Sirt",
    "Tikhonov",
    "TotalGeneralisedVariation",
    "TotalVariation",
    "TruncatedSvd",
    "WaveletL1",
    "Wiener",
]
