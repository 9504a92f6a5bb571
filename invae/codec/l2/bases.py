"""Atoms that need no storage, for rows of any length.

* smooth: Legendre polynomials and low cosines, for the bulk of a curve;
* cosineW: local cosines in windows of 2 W points, for oscillations whose period drifts;
* impulse: single points, for the sharp minima of form factors on a logarithmic scale;
* dctB: the two-dimensional cosines of a square patch of B x B pixels.

Their union is overcomplete: on simulated scattering curves the pursuit then needs half as many atoms as on
principal directions learned from the data, and learned atoms beside it gain less than 2 % (measured).
"""

from __future__ import annotations

import math

import numpy as np

from invae.errors import FormatError

__all__ = ["CURVE_ATOMS", "analytic_atoms", "default_usage"]

CURVE_ATOMS = ("smooth", "cosine8", "impulse")

# How often atoms are used at a relative error of 2 %, by order: measured on 1,500 simulated curves of 256
# points (invae.data.simulation.curves, fast models). They only start the adaptive coder.
POLYNOMIAL_USAGE = (0.02, 0.58, 0.31, 0.30, 0.33, 0.24, 0.19, 0.21, 0.11, 0.08, 0.04, 0.03)
COSINE_USAGE = (
    0.41,
    0.65,
    0.62,
    0.51,
    0.47,
    0.46,
    0.40,
    0.33,
    0.25,
    0.19,
    0.13,
    0.08,
    0.06,
    0.035,
    0.024,
    0.013,
)
N_COSINES = 31
LOCAL_USAGE = 0.045
IMPULSE_USAGE = 0.0126
REST_USAGE = 0.003


def analytic_atoms(n: int, names: tuple[str, ...]) -> np.ndarray:
    """Unit-norm atoms (n, m), the kinds of ``names`` side by side.

    Raises
    ------
    FormatError
        An unknown name, or patch cosines for rows that are no square patch.

    Examples
    --------
    >>> analytic_atoms(64, ("smooth", "cosine8", "impulse")).shape
    (64, 177)
    """
    return np.hstack([np.zeros((n, 0))] + [_atoms(n, name) for name in names])


def default_usage(n: int, names: tuple[str, ...]) -> np.ndarray:
    """Prior probability of use (m,) of the same atoms."""
    parts = [np.zeros(0)]
    for name in names:
        m = _atoms(n, name).shape[1]
        if name == "smooth":
            k = min(len(POLYNOMIAL_USAGE), n)
            cosines = np.full(m - k, REST_USAGE)
            cosines[: len(COSINE_USAGE)] = COSINE_USAGE[: m - k]
            parts.append(np.append(POLYNOMIAL_USAGE[:k], cosines))
        elif name.startswith("dct"):
            side = math.isqrt(n)
            order = np.add.outer(np.arange(side), np.arange(side)).ravel()
            parts.append(np.maximum(0.5 * 0.7**order, REST_USAGE))
        else:
            parts.append(np.full(m, IMPULSE_USAGE if name == "impulse" else LOCAL_USAGE))
    return np.concatenate(parts)


def _atoms(n: int, name: str) -> np.ndarray:
    if name == "impulse":
        return np.eye(n)
    if name == "smooth":
        return _smooth(n)
    if name.startswith("cosine") and name[6:].isdigit() and 4 <= int(name[6:]) <= 64:
        return _local_cosines(n, int(name[6:]))
    if name.startswith("dct") and name[3:].isdigit() and int(name[3:]) ** 2 == n:
        cosines = _cosines(int(name[3:]), int(name[3:]))
        return np.kron(cosines, cosines)
    raise FormatError(f"atoms of kind {name!r} are not known to this version, or not for rows of length {n}")


def _cosines(n: int, m: int) -> np.ndarray:
    """First m cosines of the DCT-II of length n, unit norm, (n, m)."""
    C = np.cos(np.pi / n * np.outer(np.arange(n) + 0.5, np.arange(m)))
    return C / np.linalg.norm(C, axis=0)


def _smooth(n: int) -> np.ndarray:
    """Legendre polynomials of degree below 12, then cosines 1 to 31 (fewer for short rows)."""
    x = (2 * np.arange(n) + 1) / n - 1
    P = np.polynomial.legendre.legvander(x, min(len(POLYNOMIAL_USAGE), n) - 1)
    return np.hstack([P / np.linalg.norm(P, axis=0), _cosines(n, min(N_COSINES + 1, n))[:, 1:]])


def _local_cosines(n: int, width: int) -> np.ndarray:
    """Modulated lapped transform of ``width`` bands, sine window; at the ends cut and normalised again.

    v_bk(t) = sqrt(2 / width) sin(pi (t + 1/2) / (2 width)) cos(pi / width (t + 1/2 + width / 2) (k + 1/2)),
    t = 0 ... 2 width - 1, moved by b width. Atoms that are cut to less than half their norm are left out.
    """
    t = np.arange(2 * width)
    window = np.sqrt(2 / width) * np.sin(np.pi * (t + 0.5) / (2 * width))
    phase = np.pi / width * (t + 0.5 + width / 2)
    shapes = window * np.cos(np.outer(np.arange(width) + 0.5, phase))
    atoms = []
    for first in range(-width, n, width):
        places = t + first
        inside = (places >= 0) & (places < n)
        for shape in shapes:
            atom = np.zeros(n)
            atom[places[inside]] = shape[inside]
            size = np.linalg.norm(atom)
            if size > 0.5:
                atoms.append(atom / size)
    return np.array(atoms).T if atoms else np.zeros((n, 0))
