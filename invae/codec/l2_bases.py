"""Atoms that need no storage: impulses for the sharp minima of curves, local cosines for their oscillations.

A union of these with a few learned atoms is overcomplete; on form factors of monodisperse particles the
pursuit then needs about half as many atoms as on principal directions alone.
"""

from __future__ import annotations

import numpy as np

from invae.errors import FormatError

__all__ = ["analytic_atoms"]


def analytic_atoms(n: int, names: tuple[str, ...]) -> np.ndarray:
    """Unit-norm atoms (n, m), joined from ``"impulse"`` and ``"cosine8"`` (any window of 4 to 64).

    >>> analytic_atoms(64, ("impulse", "cosine8")).shape
    (64, 134)
    """
    parts = [np.zeros((n, 0))]
    for name in names:
        if name == "impulse":
            parts.append(np.eye(n))
        elif name.startswith("cosine") and name[6:].isdigit() and 4 <= int(name[6:]) <= 64:
            parts.append(_local_cosines(n, int(name[6:])))
        else:
            raise FormatError(f"atoms of kind {name!r} are not known to this version")
    return np.hstack(parts)


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
