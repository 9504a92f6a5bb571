"""LISTA: a few unrolled steps of sparse coding, trained so that they do the work of hundreds.

    z_0 = 0,   z_{k+1} = threshold(W x + S z_k, level_k),   k = 0 ... n_layers - 1

It starts as ISTA itself, W = 2 D^T / L, S = I - 2 D^T D / L, level = w / L, and descends the lasso's own loss
||x - D z||^2 + w ||z||_1: no codes are needed as targets.

References
----------
[1] Gregor, LeCun (2010), Learning fast approximations of sparse coding. Deviation: trained on the lasso's
    loss, not on codes; W and S shared by all layers, a threshold for each layer and atom.
"""

from __future__ import annotations

import numpy as np

from invae.autoencoders.sparse.dictionary import AtomDictionary
from invae.extras import optional_imports

with optional_imports():
    import torch

__all__ = ["train_lista"]


def train_lista(
    rows: np.ndarray,
    D: np.ndarray,
    weight: float,
    n_layers: int = 6,
    n_epochs: int = 30,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    rng: int | np.random.Generator | None = None,
) -> dict[str, np.ndarray]:
    """Train the layers on signals.

    Parameters
    ----------
    rows : ndarray of shape (N, n)
        Centred signals.
    D : ndarray of shape (n, l)
        Fixed dictionary.
    weight : float
        w.

    Returns
    -------
    dict
        ``matrix`` W (l, n), ``recurrence`` S (l, l), ``levels`` (n_layers, l); the best epoch's.
    """
    rng = np.random.default_rng(rng)
    l = D.shape[1]
    step = 1.0 / (2.0 * AtomDictionary(D).curvature)
    X = torch.from_numpy(np.ascontiguousarray(rows, np.float32))
    atoms = torch.from_numpy(D.astype(np.float32))
    W = (2 * step * atoms.T).clone().requires_grad_()
    S = (torch.eye(l) - 2 * step * atoms.T @ atoms).clone().requires_grad_()
    levels = torch.full((n_layers, l), weight * step).requires_grad_()
    optimiser = torch.optim.Adam([W, S, levels], learning_rate)

    def loss(x: torch.Tensor) -> torch.Tensor:
        drive = x @ W.T
        z = _shrink(drive, levels[0])
        for k in range(1, n_layers):
            z = _shrink(drive + z @ S.T, levels[k])
        return ((x - z @ atoms.T) ** 2).sum(1).mean() + weight * z.abs().sum(1).mean()

    def snapshot() -> dict[str, np.ndarray]:
        arrays = (tensor.detach().numpy().copy() for tensor in (W, S, levels))
        return dict(zip(("matrix", "recurrence", "levels"), arrays))

    with torch.no_grad():
        best, kept = float(loss(X)), snapshot()
    for _ in range(n_epochs):
        order = rng.permutation(len(X))
        for first in range(0, len(X), batch_size):
            optimiser.zero_grad()
            loss(X[torch.from_numpy(order[first : first + batch_size])]).backward()
            optimiser.step()
            with torch.no_grad():
                levels.clamp_(min=0)
        with torch.no_grad():
            value = float(loss(X))
        if value < best:
            best, kept = value, snapshot()
    return kept


def _shrink(values: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return torch.sign(values) * torch.relu(values.abs() - level)
