"""Non-linear refinement of a linear reconstruction: layers of gated patch-affine maps."""

from invae.autoencoders.refine.refiner import PatchAffineRefiner

__all__ = ["PatchAffineRefiner"]
