"""Parameters of a physical model from a curve: sasmodels and non-linear least squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from invae.data.simulation import sasmodels_bridge
from invae.errors import InputError
from invae.extras import optional_imports

__all__ = ["ModelFit", "fit_model"]


@dataclass(frozen=True)
class ModelFit:
    """Fitted ``values`` and ``errors`` (one standard deviation) by name, reduced ``chi2``, and ``converged``.

    Errors follow from sigma; where chi2 is above 1 they understate what is not known.
    """

    model: str
    values: dict[str, float]
    errors: dict[str, float]
    fixed: dict[str, float]
    chi2: float
    converged: bool
    fitted: np.ndarray


def fit_model(
    model: str,
    q: np.ndarray,
    intensity: np.ndarray,
    sigma: np.ndarray,
    start: Mapping[str, float],
    fixed: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    *,
    dq: np.ndarray | None = None,
    slit_length: float | None = None,
    scan: Mapping[str, Sequence[float]] | None = None,
    max_evaluations: int = 200,
) -> ModelFit:
    """Fit the parameters named in ``start``.

    Parameters
    ----------
    model : str
        In the notation of sasmodels.
    q, intensity, sigma : ndarray of shape (N,)
        1/angstrom and 1/cm; sigma positive.
    start : mapping
        First guess of every fitted parameter, ``radius_pd`` and the like included.
    fixed : mapping, optional
        Values of others; the rest keeps sasmodels' defaults.
    bounds : mapping of (low, high), optional
        By default what sasmodels allows.
    dq : ndarray of shape (N,), optional
        Gaussian resolution (pinhole).
    slit_length : float, optional
        Half length of a slit in 1/angstrom (Bonse-Hart, Kratky), in place of dq.
    scan : mapping of one name to values, optional
        Further first guesses of one parameter, each tried in turn; the best fit wins. Sizes need it: the chi
        squared of an oscillating form factor has many minima.

    Raises
    ------
    InputError
        Unknown model or parameter, shapes that differ, a sigma that is not positive.
    """
    from scipy.optimize import least_squares

    sasmodels_bridge.check_models((model,))
    q, intensity, sigma = (np.asarray(a, np.float64) for a in (q, intensity, sigma))
    if not (q.ndim == 1 and q.shape == intensity.shape == sigma.shape and len(q) > len(start)):
        raise InputError(f"q, intensity, sigma need one shape (N,) with N > {len(start)}; got {q.shape}")
    if not (np.isfinite(sigma).all() and (sigma > 0).all() and np.isfinite(intensity).all()):
        raise InputError(
            "sigma must be positive and all values finite; leave other points out before fitting"
        )
    fixed = dict(fixed or {})
    q_calc, smear = _resolution(q, dq, slit_length)
    kernel = sasmodels_bridge.make_kernel(model, [q_calc])
    names = list(start)
    unknown = sorted(set(scan or {}) - set(names))
    if unknown:
        raise InputError(f"scan names {unknown}, which is not fitted: add it to start")
    low, high = np.array([_bounds(kernel, name, bounds or {}) for name in names]).T
    scale = np.array([abs(start[name]) or 1.0 for name in names])

    def theory(x: np.ndarray) -> np.ndarray:
        return smear(sasmodels_bridge.evaluate(kernel, fixed | dict(zip(names, x * scale))))

    def residuals(x: np.ndarray) -> np.ndarray:
        value = (theory(x) - intensity) / sigma
        return np.where(np.isfinite(value), value, 1e6)

    try:
        theory(np.array([start[name] for name in names]) / scale)
    except TypeError as error:
        raise InputError(f"{model} cannot be evaluated with these parameters: {error}") from error
    guesses = [dict(start)] + [dict(start) | {key: v} for key, all_v in (scan or {}).items() for v in all_v]
    results = [
        least_squares(
            residuals,
            np.clip([guess[name] for name in names], low, high) / scale,
            bounds=(low / scale, high / scale),
            max_nfev=max_evaluations,
            x_scale="jac",
        )
        for guess in guesses
    ]
    result = min(results, key=lambda r: r.cost)
    _, s, vt = np.linalg.svd(result.jac, full_matrices=False)
    inverse = np.where(s > 1e-12 * s[0], 1 / np.maximum(s, 1e-300), 0.0)
    errors = np.sqrt(((vt.T * inverse) ** 2).sum(axis=1)) * scale
    values = result.x * scale
    return ModelFit(
        model=model,
        values=dict(zip(names, map(float, values))),
        errors=dict(zip(names, map(float, errors))),
        fixed=fixed,
        chi2=float(2 * result.cost / (len(q) - len(names))),
        converged=bool(result.success),
        fitted=theory(result.x),
    )


def _bounds(kernel, name: str, given: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    if name in given:
        return given[name]
    if name.endswith("_pd"):
        return 0.0, 1.0
    table = {p.name: p.limits for p in kernel.info.parameters.call_parameters}
    if name not in table:
        raise InputError(f"{kernel.info.id} has no parameter {name}; it has {', '.join(sorted(table))}")
    return table[name]


def _resolution(q, dq, slit_length):
    if dq is None and slit_length is None:
        return q, np.asarray
    with optional_imports():
        from sasmodels.resolution import Pinhole1D, Slit1D

    if slit_length is not None:
        smearing = Slit1D(q, q_length=slit_length, q_width=0.0)
    else:
        smearing = Pinhole1D(q, np.asarray(dq, np.float64))
    return np.asarray(smearing.q_calc), smearing.apply
