"""Dictionaries of the L2 mode learned from rows like those to come; principal directions as their rival."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from invae.codec.l2.bases import CURVE_ATOMS, analytic_atoms, default_usage
from invae.codec.l2.model import STEPS, L2Model, search
from invae.errors import InputError

__all__ = ["pca_model", "train_l2"]


def train_l2(
    rows: np.ndarray,
    n_learned: int = 0,
    tolerance: float = 0.02,
    analytic: tuple[str, ...] = CURVE_ATOMS,
    n_passes: int = 3,
    progress: Callable[[int, int], None] | None = None,
) -> L2Model:
    """Fit a model to rows like these: how often atoms are used, and learned atoms beside the analytic ones.

    Learned atoms start as principal directions. In every pass the rows are coded as the coder would code
    them, and the learned atoms are fitted to those integer codes: a sparse autoencoder with unit-norm atoms
    whose encoder is the coder itself.

    Parameters
    ----------
    rows : ndarray of shape (N, n)
        Finite; each counts alike, whatever its size.
    n_learned : int
        Atoms to learn, at most n.
    tolerance : float
        Relative L2 error that the model is tuned for; it serves any other.
    analytic : tuple of str
        See `invae.codec.l2.bases`.
    n_passes : int
    progress : callable(done, total), optional
    """
    from invae.autoencoders.sparse.dictionary import update_atoms  # loads much that decoding does not need

    unit = _unit_rows(rows)
    n = unit.shape[1]
    n_learned = min(n_learned, n)
    D = np.hstack([_principal(unit)[:, :n_learned], analytic_atoms(n, analytic)])
    if D.shape[1] < n:
        raise InputError(f"{D.shape[1]} atoms cannot span rows of length {n}: learn or add more")
    usage = np.append(np.full(n_learned, 0.1), default_usage(n, analytic))
    for done in range(n_passes):
        codes, Z = _codes_and_values(unit, tolerance, L2Model.from_dictionary(D, usage))
        usage = (codes != 0).mean(axis=0)
        if done < n_passes - 1 and n_learned:
            update_atoms(D, Z.T @ Z, unit.T @ Z, n_passes=2, free=np.arange(D.shape[1]) < n_learned)
            order = np.argsort(-usage[:n_learned], kind="stable")
            D[:, :n_learned], usage[:n_learned] = D[:, order], usage[order]
        if progress is not None:
            progress(done + 1, n_passes)
    return L2Model.from_dictionary(D, usage, analytic)


def pca_model(rows: np.ndarray, tolerance: float = 0.02) -> L2Model:
    """The rival: all principal directions in place of the dictionary, everything else the same."""
    unit = _unit_rows(rows)
    D = _principal(unit)
    codes, _ = _codes_and_values(unit, tolerance, L2Model.from_dictionary(D, np.full(D.shape[1], 0.25)))
    return L2Model.from_dictionary(D, (codes != 0).mean(axis=0))


def _principal(unit: np.ndarray) -> np.ndarray:
    """Principal directions (n, n) of rows about 0, strongest first."""
    return np.linalg.eigh(unit.T @ unit)[1][:, ::-1]


def _codes_and_values(unit: np.ndarray, tolerance: float, model: L2Model) -> tuple[np.ndarray, np.ndarray]:
    """Integer codes of unit rows, and the values they stand for; rows that cannot be coded get zeros."""
    codes, choices = search(unit / tolerance, model)
    steps = np.where(choices >= 0, np.array(STEPS)[choices], 0.0) * tolerance
    return codes, codes * steps[:, None]


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows less their means, at unit norm; constant ones are left out."""
    rows = np.asarray(rows, np.float64)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise InputError(f"training rows must be finite and of shape (N, n); got shape {rows.shape}")
    centred = rows - rows.mean(axis=1, keepdims=True)
    size = np.linalg.norm(centred, axis=1)
    kept = size > 1e-12 * max(float(np.abs(rows).max()), 1e-300)
    if not kept.any():
        raise InputError("every row is constant: there is nothing to learn")
    return centred[kept] / size[kept, None]
