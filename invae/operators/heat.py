"""Heat conduction: the temperature after a time, from the initial temperature or from a steady source."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from invae.errors import InputError
from invae.linalg.samples import as_reals, is_number, shown
from invae.operators.base import Operator, as_dims
from invae.operators.diffusion import Sdirk2, diffusion_eigenvalues, diffusion_matrix
from invae.operators.spectrum import Spectrum

__all__ = ["Heat"]


class Heat(Operator):
    """Temperature at time T of an insulated bar or plate, du/dt = div(kappa grad u) + s.

    ``unknown="initial"``: the signal is u(0), s = 0, F = exp(T L). ``unknown="source"``: the signal is a
    source s that does not change with time, u(0) = 0, F = integral of exp(t L) over 0 <= t <= T. L is the
    finite-volume Laplacian. For one constant kappa the cosine transform diagonalises L and F is exact; else F
    is stepped by an L-stable, second-order method with one sparse factorisation. F is symmetric either way.

    Parameters
    ----------
    shape : int or tuple of int
        Cells of a bar (1-D) or a plate (2-D).
    time : float
        T > 0.
    conductivity : float or array_like of shape `shape`
        kappa >= 0 (diffusivity, length^2 / time), one number or one for each cell.
    n_steps : int
        Time steps; only used with a conductivity that varies.
    spacing : float
        Size of a cell, in the length unit of kappa.
    unknown : {"initial", "source"}

    Attributes
    ----------
    spectrum : Spectrum or None
        Exact eigenvalues under the DCT for a constant conductivity.

    Raises
    ------
    InputError
        An argument is out of range or the conductivity has another shape.

    Examples
    --------
    >>> F = Heat(100, time=50.0)
    >>> hot = np.zeros(100)
    >>> hot[50] = 1.0
    >>> round(float((F @ hot).sum()), 12), round(float((F @ hot).max()), 4)
    (1.0, 0.0399)
    """

    def __init__(
        self,
        shape: int | tuple[int, ...],
        time: float,
        conductivity: float | np.ndarray = 1.0,
        *,
        n_steps: int = 20,
        spacing: float = 1.0,
        unknown: str = "initial",
    ) -> None:
        dims = as_dims(shape, (1, 2))
        if not (is_number(time) and time > 0 and is_number(spacing) and spacing > 0):
            raise InputError(f"time={shown(time)} and spacing={shown(spacing)} must be positive")
        if not is_number(n_steps, 1) or int(n_steps) != n_steps:
            raise InputError(f"n_steps={shown(n_steps)} must be an integer of at least 1")
        if not isinstance(unknown, str) or unknown not in ("initial", "source"):
            raise InputError(f'unknown={shown(unknown)} is neither "initial" nor "source"')
        kappa = as_reals(conductivity, "conductivity")
        if kappa.shape not in ((), dims) or not np.isfinite(kappa).all() or (kappa < 0).any():
            raise InputError(
                f"conductivity of shape {kappa.shape} must be one number or an array of shape {dims}, "
                "finite and >= 0"
            )
        self.time, self.spacing, self.n_steps, self.unknown = (
            float(time),
            float(spacing),
            int(n_steps),
            unknown,
        )
        self.conductivity = kappa
        super().__init__(dims, dims)

    @cached_property
    def spectrum(self) -> Spectrum | None:
        if np.ptp(self.conductivity) > 0:
            return None
        kappa = float(self.conductivity.flat[0])
        z = self.time * kappa * diffusion_eigenvalues(self.dims, self.spacing)
        if self.unknown == "initial":
            return Spectrum(np.exp(z), "dct")
        safe = np.where(z == 0, 1.0, z)
        return Spectrum(self.time * np.where(z == 0, 1.0, np.expm1(safe) / safe), "dct")

    @cached_property
    def _stepper(self) -> Sdirk2:
        return Sdirk2(diffusion_matrix(self.conductivity, self.spacing), self.time, self.n_steps)

    def to_state(self) -> dict[str, Any]:
        return {
            "shape": list(self.dims),
            "time": self.time,
            "conductivity": self.conductivity,
            "n_steps": self.n_steps,
            "spacing": self.spacing,
            "unknown": self.unknown,
        }

    def __repr__(self) -> str:
        kappa = self.conductivity
        text = f"{kappa.min():.4g}..{kappa.max():.4g}" if np.ptp(kappa) > 0 else f"{kappa.flat[0]:.4g}"
        return f"Heat({self.dims}, time={self.time:.4g}, conductivity={text}, unknown={self.unknown!r})"

    def _apply(self, rows: np.ndarray) -> np.ndarray:
        if self.spectrum is not None:
            return self.spectrum.filter(rows, self.spectrum.values)
        columns = np.asfortranarray(rows.T, np.float64)
        run = self._stepper.propagate if self.unknown == "initial" else self._stepper.accumulate
        return np.ascontiguousarray(run(columns).T, rows.dtype)

    _apply_adjoint = _apply
