"""Principal directions from a trained decoder, and the biases of an affine autoencoder.

A linear autoencoder that is trained without penalty finds the principal *subspace*: W2 = U_k M with any
invertible M. With decay s the singular values of W2 are sqrt(1 - s / sigma_i^2), whose gaps vanish with s, so
its singular vectors are ill-conditioned. The Rayleigh-Ritz step needs no penalty: with Q an orthonormal basis
of the range of W2,

    Q^T Gamma Q = V diag(theta) V^T,     directions Q V,  variances theta.

References
----------
[1] Plaut (2018), From principal subspaces to principal components with linear autoencoders.
[2] Aswani (2024), Discussing PCA and linear autoencoders. Deviations: signals are centred, as the biases of
    the autoencoder imply; from W2 = U S Q^T follows U^T = S^-1 Q^T W1, where the source takes ``inv(u2) @
    w2``.
"""

from __future__ import annotations

import numpy as np

from invae.errors import InputError
from invae.linalg.factorise import symmetric_eigen, thin_svd

__all__ = ["cosines", "decoder_svd", "optimal_offset", "rayleigh_ritz"]


def rayleigh_ritz(
    decoder: np.ndarray, covariance: np.ndarray | None = None, signals: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Principal directions (m, q) and variances (q,) inside the range of ``decoder`` (m, k), of rank q.

    Exact as soon as that range is the principal subspace, whatever basis of it training found.

    Parameters
    ----------
    decoder : ndarray of shape (m, k)
        W2.
    covariance : ndarray of shape (m, m), optional
        Gamma.
    signals : ndarray of shape (N, m), optional
        Rows to take the covariance of, in the place of ``covariance``; only (N, k) products are formed.

    Raises
    ------
    InputError
        Both or none of covariance and signals, a shape that does not fit, or a decoder that is zero.
    """
    decoder = np.asarray(decoder, float)
    if (covariance is None) == (signals is None):
        raise InputError("pass either the covariance or the signals, and not both")
    given = np.asarray(covariance if signals is None else signals)
    if decoder.ndim != 2 or given.ndim != 2 or given.shape[1] != len(decoder):
        raise InputError(f"decoder {decoder.shape} and data {given.shape} do not fit: (m, k) and (.., m)")
    Q, _, _ = thin_svd(decoder)
    if Q.shape[1] == 0:
        raise InputError("the decoder is zero: it spans no direction")
    if signals is None:
        projected = Q.T @ given @ Q
    else:
        codes = (given - given.mean(axis=0)) @ Q
        projected = codes.T @ codes / len(codes)
    # rtol=-1 keeps directions of no variance, too: they are in the range of the decoder.
    variances, V = symmetric_eigen(projected, rtol=-1.0)
    return Q @ V, variances


def decoder_svd(decoder: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors (m, q) and singular values (q,) of W2 (m, k), the source's directions."""
    U, s, _ = thin_svd(np.asarray(decoder, float))
    return U, s


def cosines(directions: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """|cos| of the angles between columns of the same number, (min(k, l),); signs mean nothing.

    Examples
    --------
    >>> cosines(np.array([[1.0, 0.0], [0.0, -2.0]]), np.eye(2))
    array([1., 1.])
    """
    n = min(directions.shape[1], reference.shape[1])
    a, b = directions[:, :n], reference[:, :n]
    return np.abs(np.sum(a * b, axis=0)) / (np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0))


def optimal_offset(encoder: np.ndarray, decoder: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The best c (m,) of x_hat = W2 W1 x + c: (I - W2 W1) mean. Any biases with W2 b1 + b2 = c are best.

    With it the affine autoencoder's loss is that of the linear one on centred signals, for all W1 (k, m), W2
    (m, k): biases need no training.
    """
    return mean - decoder @ (encoder @ mean)
