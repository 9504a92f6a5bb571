"""How sparse, how coherent, how good: what to look at in a sparse autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from invae.autoencoders.sparse.autoencoder import SparseAutoencoder
from invae.autoencoders.sparse.convolutional import ConvolutionalSparseAutoencoder
from invae.autoencoders.sparse.dictionary import coherence
from invae.autoencoders.sparse.kernel_learning import shift_coherence

__all__ = ["l1_path", "sparsity_report"]

Model = SparseAutoencoder | ConvolutionalSparseAutoencoder


def sparsity_report(model: Model, X: np.ndarray) -> dict[str, float]:
    """Figures of a fitted model on signals X, (N, n) or (N, *shape).

    Returns
    -------
    dict
        ``active`` codes per signal (mean), ``active_max``, ``above_1e-3``: codes above a thousandth of the
        signal's largest (what a linear encoder fails by), ``dead`` atoms (kernels) that X never uses,
        ``coherence`` (of kernels: over all shifts), ``relative_error``: mean of ||x_hat - x|| / ||x - mean||.
    """
    X = np.asarray(X)
    X = X.reshape(len(X), -1)
    Z = model.transform(X)
    active = (Z != 0).sum(axis=1)
    size = np.abs(Z).max(axis=1, keepdims=True)
    error = np.linalg.norm(model.inverse_transform(Z) - X, axis=1)
    spread = np.linalg.norm(X - model.mean_, axis=1)
    shifts = isinstance(model, ConvolutionalSparseAutoencoder)
    used = (Z != 0).any(axis=0)
    used = used.reshape(len(model.decoder_), -1).any(axis=1) if shifts else used
    return {
        "active": float(active.mean()),
        "active_max": float(active.max()),
        "above_1e-3": float((np.abs(Z) > 1e-3 * size).sum(axis=1).mean()),
        "dead": float((~used).sum()),
        "coherence": shift_coherence(model.decoder_) if shifts else coherence(model.decoder_),
        "relative_error": float(np.mean(error / np.maximum(spread, 1e-300))),
    }


def l1_path(
    model: Model, X: np.ndarray, penalties: Sequence[float], n_steps: int = 400
) -> list[dict[str, Any]]:
    """Lasso codes on the model's atoms over a range of penalties (units as in the model), warm-started.

    Returns
    -------
    list of dict
        Rows of penalty, active (mean number of codes), relative_error, l1 (mean ||z||_1), largest first.
    """
    X = np.asarray(X, np.float64)
    rows = X.reshape(len(X), -1) - model.mean_
    spread = np.maximum(np.linalg.norm(rows, axis=1), 1e-300)
    unit = model.weight_ / model.penalty if model.penalty else float(np.sqrt(np.mean(spread**2)))
    path, Z = [], None
    for penalty in sorted(penalties, reverse=True):
        Z = model.lasso_codes(rows, penalty * unit, n_steps, start=Z)
        error = np.linalg.norm(rows + model.mean_ - model.inverse_transform(Z), axis=1)
        path.append(
            {
                "penalty": float(penalty),
                "active": float((Z != 0).sum(axis=1).mean()),
                "relative_error": float(np.mean(error / spread)),
                "l1": float(np.abs(Z).sum(axis=1).mean()),
            }
        )
    return path
