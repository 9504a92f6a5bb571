"""The rivals: classical regularisers behind one interface, with automatic parameters.

``Method(operator, parameter=<number or rule>).fit(...).predict(measurements)``; the rules are those of
`invae.classical.parameters`.
"""

from invae.classical.cgls import Cgls
from invae.classical.fbp import FilteredBackprojection
from invae.classical.tikhonov import Tikhonov
from invae.classical.tsvd import TruncatedSvd
from invae.classical.tv import TotalVariation

__all__ = ["Cgls", "FilteredBackprojection", "Tikhonov", "TotalVariation", "TruncatedSvd"]
