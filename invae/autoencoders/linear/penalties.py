"""Penalties of linear autoencoders and of sparse codes, as differentiable torch functions.

Each takes the encoder W1 (k, m) and decoder W2 (m, k) as tensors and returns a scalar without its weight.
`PENALTIES` names them for configurations. Equal in expectation, hence the same landscape:

* product: ||W2 W1||_F^2; an autoencoder that removes white noise of variance p has it with weight p;
* decay: ||W1||_F^2 + ||W2||_F^2; weight decay, and the contractive penalty ||W1||_F^2 of tied weights, twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from invae.extras import optional_imports

with optional_imports():
    import torch

__all__ = ["PENALTIES", "contractive", "decay", "expected_l1", "product", "unit_atoms"]

Tensor = torch.Tensor


def product(W1: Tensor, W2: Tensor) -> Tensor:
    """||W2 W1||_F^2 = tr(W2^T W2 W1 W1^T), through (k, k) matrices."""
    return torch.sum((W2.T @ W2) * (W1 @ W1.T))


def decay(W1: Tensor, W2: Tensor, weights: Tensor | float = 1.0) -> Tensor:
    """sum_i s_i (||row i of W1||^2 + ||column i of W2||^2); ``weights`` s is one number or (k,)."""
    return torch.sum(weights * (torch.sum(W1**2, dim=1) + torch.sum(W2**2, dim=0)))


def contractive(W1: Tensor, W2: Tensor) -> Tensor:
    """||dz/dx||_F^2 = ||W1||_F^2, the contractive autoencoder's penalty for a linear encoder."""
    return torch.sum(W1**2)


def expected_l1(encoder: Tensor, factor: Tensor, smoothing: float = 0.0) -> Tensor:
    """E ||E x||_1 = sqrt(2 / pi) sum_i ||e_i B|| for x ~ N(0, B B^T), encoder (l, n) and B (n, q).

    With ``smoothing`` d > 0, (||e_i B||^2 + d^2)^{1/2} rounds the corner where a code is switched off.
    """
    power = torch.sum((encoder @ factor) ** 2, dim=1)
    return math.sqrt(2 / math.pi) * torch.sqrt(power + smoothing**2).sum()


def unit_atoms(decoder: Tensor) -> Tensor:
    """The decoder (n, l) with columns of unit norm; differentiable wherever no column is zero."""
    return decoder / torch.linalg.vector_norm(decoder, dim=0, keepdim=True)


PENALTIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "product": product,
    "decay": decay,
    "contractive": contractive,
}
