"""Measurements of a signal known on a finer grid: data that the inverting model did not make itself."""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from scipy.ndimage import map_coordinates

from invae.data.simulation.grids import box_average
from invae.errors import InputError
from invae.linalg.samples import as_float
from invae.operators.base import Operator
from invae.operators.blur import Blur
from invae.operators.heat import Heat
from invae.operators.masked import Masked
from invae.operators.radon import Radon

__all__ = ["simulate"]

SUB_RAYS = 4
CHUNK_BYTES = 2**28


def simulate(operator: Operator, fine_signals: np.ndarray, factor: int = 2) -> np.ndarray:
    """Clean measurements, as `operator` defines them, of signals sampled on a finer grid.

    Radon: rays through the fine image, four to a detector bin, averaged over the bin (a strip integral, in
    coarse pixel lengths). Blur: the kernel on the fine grid, then block averages. Heat: fine cells and twice
    the time steps, then block averages. So the data carry a discretisation error that the inversion does not
    know.

    Parameters
    ----------
    operator : Radon, Blur or Heat, also Masked
        The model of the inversion, for signals of shape `dims`.
    fine_signals : array_like of shape (N, *fine_dims) or (N, prod(fine_dims))
        Signals on the fine grid, fine_dims = factor * dims; `box_average` gives the coarse truth.
    factor : int
        How many fine cells make a coarse one along each axis.

    Returns
    -------
    ndarray of shape (N, *dimsd) or (N, m)
        float32 or float64 as given.

    Raises
    ------
    InputError
        The signals do not have the fine shape, or the operator has no fine version.

    Examples
    --------
    >>> F = Radon(16, 8)
    >>> fine = np.ones((1, 32, 32))
    >>> simulate(F, fine).shape, box_average(fine, 2).shape
    ((1, 8, 23), (1, 16, 16))
    """
    if int(factor) != factor or factor < 1:
        raise InputError(f"factor={factor} must be an integer of at least 1")
    fine, reduce = _finer(operator, int(factor))
    signals = as_float(fine_signals)
    size = int(np.prod(fine.dims))
    if signals.shape[1:] not in (tuple(fine.dims), (size,)):
        raise InputError(
            f"fine signals have shape {signals.shape}; {operator!r} at factor={factor} wants (N, {size}) or "
            f"(N, {', '.join(map(str, fine.dims))})"
        )
    rows = signals.reshape(len(signals), size)
    chunk = max(1, CHUNK_BYTES // (8 * max(fine.shape)))
    out = np.empty((len(rows), operator.shape[0]), rows.dtype)
    for first in range(0, len(rows), chunk):
        out[first : first + chunk] = reduce(fine.apply(rows[first : first + chunk]))
    shaped = signals.ndim > 2 and signals.shape[1:] == tuple(fine.dims)
    return out.reshape(len(out), *operator.dimsd) if shaped else out


@singledispatch
def _finer(operator: Operator, factor: int):
    """The operator on the fine grid, and the map of its rows to rows of the coarse measurement."""
    raise InputError(
        f"{type(operator).__name__} has no version on a finer grid; simulate with Radon, Blur or Heat"
    )


@_finer.register
def _(operator: Radon, factor: int):
    state = operator.to_state()
    state["shape"] = [factor * size for size in operator.dims]
    state["n_detectors"] = SUB_RAYS * operator.n_detectors
    state["detector_spacing"] = factor * operator.detector_spacing / SUB_RAYS
    for name in ("detector_offset", "source_distance", "detector_distance"):
        state[name] = None if state[name] is None else factor * state[name]
    fine = Radon.from_state(state)

    def reduce(rows: np.ndarray) -> np.ndarray:
        return rows.reshape(len(rows), operator.shape[0], SUB_RAYS).mean(axis=2) / rows.dtype.type(factor)

    return fine, reduce


@_finer.register
def _(operator: Masked, factor: int):
    fine, reduce = _finer(operator.operator, factor)
    return fine, lambda rows: operator.take(reduce(rows))


@_finer.register
def _(operator: Blur, factor: int):
    dims = tuple(factor * size for size in operator.dims)
    if operator.sigma is not None:
        fine = Blur(dims, tuple(factor * s for s in operator.sigma), boundary=operator.boundary)
    else:
        fine = Blur(dims, kernel=_finer_kernel(operator.kernel, factor), boundary=operator.boundary)
    return fine, _blocks(fine.dims, factor)


@_finer.register
def _(operator: Heat, factor: int):
    kappa = operator.conductivity
    for axis in range(kappa.ndim):
        kappa = np.repeat(kappa, factor, axis)
    dims = tuple(factor * size for size in operator.dims)
    fine = Heat(
        dims,
        operator.time,
        kappa,
        n_steps=2 * operator.n_steps,
        spacing=operator.spacing / factor,
        unknown=operator.unknown,
    )
    return fine, _blocks(fine.dims, factor)


def _blocks(fine: tuple[int, ...], factor: int):
    def reduce(rows: np.ndarray) -> np.ndarray:
        return box_average(rows.reshape(len(rows), *fine), factor).reshape(len(rows), -1)

    return reduce


def _finer_kernel(kernel: np.ndarray, factor: int) -> np.ndarray:
    """The kernel interpolated linearly at offsets of 1 / factor about its centre, its sum kept.

    Beyond its border it falls to zero over one more pixel: a kernel that ends abruptly keeps its width.
    """
    axes = []
    for size in kernel.shape:
        centre, reach = size // 2, factor * (size // 2 + 1)
        axes.append(np.arange(-reach, reach + 1) / factor + centre)
    fine = map_coordinates(kernel, np.meshgrid(*axes, indexing="ij"), order=1, mode="grid-constant")
    return fine * (kernel.sum() / fine.sum() if fine.sum() != 0 else 1.0)
