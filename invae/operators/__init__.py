"""Forward physics: what a measurement sees of a signal, every operator with an exact adjoint."""

from __future__ import annotations

from invae.extras import optional_imports

with optional_imports():
    from invae.operators.base import Operator
    from invae.operators.blur import Blur
    from invae.operators.heat import Heat
    from invae.operators.kernels import gaussian_kernel, motion_kernel
    from invae.operators.masked import Masked
    from invae.operators.noise import GaussianNoise, PoissonNoise
    from invae.operators.radon import Radon
    from invae.operators.simulate import simulate
    from invae.operators.spectrum import Spectrum

__all__ = [
    "Blur",
    "GaussianNoise",
    "Heat",
    "Masked",
    "Operator",
    "PoissonNoise",
    "Radon",
    "Spectrum",
    "gaussian_kernel",
    "motion_kernel",
    "simulate",
]
