"""What a lossy copy does to the science: every derived quantity, original against decoded, in its own sigma.

The ranges are frozen on the original: the Guinier range found there, and the Porod range given, are used for
both. A shift of 1 is as large as the statistical error of the quantity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from invae.errors import InputError
from invae.evaluation.guinier import fit_guinier
from invae.evaluation.porod import fit_porod, invariant
from invae.evaluation.recovery import fit_model
from invae.evaluation.residuals import lag_correlation, noise_inflation, run_test

__all__ = ["compare_physics", "error_statistics"]


def compare_physics(
    q: np.ndarray,
    original: np.ndarray,
    decoded: np.ndarray,
    sigma: np.ndarray,
    *,
    guinier_range: tuple[float, float] | None = None,
    porod_range: tuple[float, float] | None = None,
    model: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Rg, I(0), Porod constant, invariant and model parameters of two versions of one curve.

    Parameters
    ----------
    q, original, decoded, sigma : ndarray of shape (N,)
        The sigma is the original's, and is used for both.
    guinier_range, porod_range : (float, float), optional
        Frozen ranges; otherwise chosen on the original.
    model : mapping, optional
        Arguments of `fit_model` (``model``, ``start``, ...): its fitted parameters are compared too.

    Returns
    -------
    list of dict
        Rows of quantity, original, decoded, sigma, shift (in sigma), valid, note.

    Examples
    --------
    >>> q = np.linspace(0.01, 0.3, 200)
    >>> curve = 10 * np.exp(-(q * 15) ** 2 / 3) + 1e-3
    >>> rows = compare_physics(q, curve, curve * 1.001, 0.01 * curve)
    >>> [row["quantity"] for row in rows]
    ['Rg', 'I(0)', 'Porod constant', 'invariant']
    >>> rows[0]["shift"] < 1e-6 < rows[1]["shift"]
    True
    """
    q, original, decoded, sigma = (np.asarray(a, np.float64) for a in (q, original, decoded, sigma))
    if not q.shape == original.shape == decoded.shape == sigma.shape:
        raise InputError("q, original, decoded and sigma must have one shape (N,)")
    first = fit_guinier(q, original, sigma, guinier_range)
    second = fit_guinier(q, decoded, sigma, first.q_range)
    note = "; ".join(first.reasons)
    rows = [
        _row("Rg", first.rg, second.rg, first.rg_error, first.valid, note),
        _row("I(0)", first.i0, second.i0, first.i0_error, first.valid, note),
    ]
    porod = [fit_porod(q, values, sigma, porod_range) for values in (original, decoded)]
    rows.append(_row("Porod constant", porod[0].constant, porod[1].constant, porod[0].constant_error))
    star = [invariant(q, values, sigma) for values in (original, decoded)]
    rows.append(_row("invariant", star[0].value, star[1].value, star[0].error))
    if model is not None:
        arguments = dict(model)
        name = arguments.pop("model")
        fits = [fit_model(name, q, values, sigma, **arguments) for values in (original, decoded)]
        converged = fits[0].converged and fits[1].converged
        for key in fits[0].values:
            before, after = (fit.values[key] for fit in fits)
            rows.append(_row(f"{name}.{key}", before, after, fits[0].errors[key], converged))
    return rows


def error_statistics(original: np.ndarray, decoded: np.ndarray, sigma: np.ndarray) -> dict[str, float]:
    """Errors of a lossy copy over sigma: largest, rms, mean, inflation of the noise, run test, correlation.

    Arrays of shape (n,) or (N, n); points that are not finite, or have no positive sigma, are left out.
    """
    original, decoded = np.asarray(original, np.float64), np.asarray(decoded, np.float64)
    sigma = np.broadcast_to(np.asarray(sigma, np.float64), original.shape)
    usable = np.isfinite(original) & np.isfinite(decoded) & np.isfinite(sigma) & (sigma > 0)
    error = np.full(original.shape, np.nan)
    np.divide(decoded - original, sigma, out=error, where=usable)
    inflation = noise_inflation(original, decoded, sigma)
    runs = run_test(error)
    good = error[usable]
    return {
        "max": float(np.abs(good).max()),
        "rms": float(np.sqrt(np.mean(good**2))),
        "mean": float(good.mean()),
        "noise_inflation": inflation,
        "runs_z": runs.z,
        "runs_p": runs.p,
        "lag_1": lag_correlation(error),
    }


def _row(quantity, original, decoded, sigma, valid=True, note="") -> dict[str, Any]:
    shift = (decoded - original) / sigma if sigma > 0 else (0.0 if decoded == original else np.inf)
    return {
        "quantity": quantity,
        "original": original,
        "decoded": decoded,
        "sigma": sigma,
        "shift": shift,
        "valid": valid,
        "note": note,
    }
