"""Whether an operator treats an image and its mirror images alike.

A turn T (a flip, the transpose) is a symmetry of the reconstruction if F^T F T = T F^T F. It need not hold to
rounding: a scan whose views do not quite map onto each other is as good. It fails for a limited arc, a
directional blur, a conductivity that varies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["asymmetry"]


def asymmetry(operator: Any, rng: int | np.random.Generator | None = 0) -> float:
    """Largest || F^T F T x - T F^T F x || / || F^T F x || over the flips and, of images, the transpose.

    Parameters
    ----------
    operator : invae operator with `dims` of length 1 or 2, `apply` and `apply_adjoint`
    rng : int, Generator or None
        Draws the one x, rough, in a centred square.

    Examples
    --------
    >>> from invae.operators import Blur
    >>> asymmetry(Blur((12, 12), 1.0)) < 1e-12
    True
    """
    dims = tuple(operator.dims)
    side = min(max(2, 2 * min(dims) // 3), *dims)  # off the border, which is not square in an oblong image
    square = tuple(slice((size - side) // 2, (size - side) // 2 + side) for size in dims)
    patch = np.random.default_rng(rng).standard_normal((side,) * len(dims))
    for axis in range(len(dims)):  # rough as images are, 1 / f along each axis
        f = np.maximum(np.fft.rfftfreq(side), 1 / side)
        f = np.expand_dims(f, tuple(other for other in range(len(dims)) if other != axis))
        patch = np.fft.irfft(np.fft.rfft(patch, axis=axis) / f, side, axis)
    turns = [lambda image, axis=axis: np.flip(image, axis) for axis in range(len(dims))]
    if len(dims) == 2:
        turns.append(np.transpose)

    def normal(image: np.ndarray) -> np.ndarray:
        whole = np.zeros(dims)
        whole[square] = image
        back = operator.apply_adjoint(operator.apply(whole.reshape(1, -1)).reshape(1, -1))
        return back.reshape(dims)[square]

    image = normal(patch)
    size = max(float(np.linalg.norm(image)), np.finfo(float).tiny)
    return max(float(np.linalg.norm(normal(turn(patch)) - turn(image))) / size for turn in turns)
